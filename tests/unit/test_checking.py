"""`check`: the settings in words, secrets masked, and what would stop the server."""

import socket
from pathlib import Path
from typing import Any

import pytest

from fastagi_server.checking import describe_settings, find_doubts, find_faults
from fastagi_server.settings import Settings


def settings(folder: Path, **given: Any) -> Settings:
    """Settings with nothing wrong, but for what is given."""
    values: dict[str, Any] = {
        "fastagi_listen": "127.0.0.1:0",
        "port": 0,
        "fastagi_state_dir": folder,
        **given,
    }
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]  # pydantic's own


def described(given: Settings) -> dict[str, str]:
    """The lines as a dictionary."""
    return dict(line.split("=", 1) for line in describe_settings(given))


def test_every_setting_is_described(tmp_path: Path) -> None:
    """One line a setting, under the name of the environment."""
    lines = described(settings(tmp_path, fastagi_allow="10.0.0.0/8,192.0.2.0/24"))
    assert list(lines) == [name.upper() for name in Settings.model_fields]
    assert lines["FASTAGI_LISTEN"] == "127.0.0.1:0"
    assert lines["FASTAGI_ALLOW"] == "10.0.0.0/8,192.0.2.0/24"
    assert lines["SGE_CA_FILE"] == ""
    assert lines["FASTAGI_STATE_DIR"] == str(tmp_path)


def test_secrets_are_masked(tmp_path: Path) -> None:
    """A secret is a mask, its absence is seen; passwords in URLs are masked too."""
    lines = described(
        settings(
            tmp_path,
            sge_api_key="s3cret",
            fastagi_secret="s3cret",
            fastagi_database_url="postgresql://user:s3cret@db/calls",
            sge_api_url="https://user:s3cret@api.example/voip",
        )
    )
    assert "s3cret" not in "".join(lines.values())
    assert lines["SGE_API_KEY"] == lines["FASTAGI_SECRET"] == "********"
    assert lines["SGE_JWT_TOKEN"] == ""
    assert lines["FASTAGI_DATABASE_URL"] == "postgresql://********@db/calls"
    assert lines["SGE_API_URL"] == "https://********@api.example/voip"


def test_nothing_wrong(tmp_path: Path) -> None:
    """Good settings have neither faults nor doubts; the folder need not be there yet."""
    given = settings(tmp_path / "a" / "b")
    assert find_faults(given) == []
    assert find_doubts(given) == []
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"fastagi_listen": "0.0.0.0:0"}, "FASTAGI_LISTEN: refusing to listen on 0.0.0.0"),
        ({"fastagi_listen": "192.0.2.1:0", "fastagi_unprotected": True}, "FASTAGI_LISTEN: 192.0"),
        ({"fastagi_api_host": "192.0.2.1"}, "PORT: 192.0.2.1:0: Cannot assign requested address"),
        ({"fastagi_on_error": {"register": "x"}}, "FASTAGI_ON_ERROR: 'x' is none of: continue"),
        ({"fastagi_on_error": {"nosuch": "failure"}}, "FASTAGI_ON_ERROR: on_error names no route"),
        ({"sge_api_url": "api.example"}, "SGE: the SGE API URL must begin with http"),
        ({"sge_api_key": "a b"}, "SGE: a credential must be visible ASCII"),
        ({"sge_api_key_file": "/nonexistent"}, "SGE: /nonexistent: No such file or directory"),
        ({"sge_outbound_allow": "0X.,abc("}, "SGE_OUTBOUND_ALLOW: 'abc(' is no pattern"),
        ({"sge_outbound_deny": "-"}, "SGE_OUTBOUND_DENY: '-' is no pattern"),
        (
            {"sge_gateway_listen": "0.0.0.0:5070", "sge_gateway_token": "t"},
            "SGE_GATEWAY_LISTEN: Asterisk is told this address and must reach it",
        ),
        (
            {"sge_gateway_listen": "192.0.2.1:5070", "sge_gateway_token": "t"},
            "SGE_GATEWAY_LISTEN: 192.0.2.1:5070: Cannot assign requested address",
        ),
        (
            {"sge_webhooks": {"crm": {"url": "https://crm.example", "ca_file": "/nonexistent"}}},
            "SGE_WEBHOOKS: crm: [Errno 2] No such file or directory",
        ),
        (
            {"sge_turn_secret_file": "/nonexistent"},
            "SGE_TURN_SECRET_FILE: [Errno 2] No such file or directory",
        ),
        (
            {"sge_gateway_token_file": "/nonexistent"},
            "SGE_GATEWAY_TOKEN_FILE: [Errno 2] No such file or directory",
        ),
    ],
)
def test_faults(tmp_path: Path, given: dict[str, object], fault: str) -> None:
    """Each fault names its setting and says what is wrong."""
    (found,) = find_faults(settings(tmp_path, **given))
    assert found.startswith(fault)


def test_addresses_that_are_taken(tmp_path: Path) -> None:
    """Both addresses are tried; a remote API needs none for HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = {"fastagi_listen": f"127.0.0.1:{port}", "port": port}
        assert find_faults(settings(tmp_path, **taken)) == [
            f"FASTAGI_LISTEN: 127.0.0.1:{port}: Address already in use",
            f"PORT: 127.0.0.1:{port}: Address already in use",
        ]
        remote = settings(tmp_path, port=port, sge_api_url="http://api.example", sge_api_key="k")
        assert find_faults(remote) == []


def test_ipv6_address(tmp_path: Path) -> None:
    """An IPv6 address is tried as one."""
    assert find_faults(settings(tmp_path, fastagi_listen="[::1]:0")) == []


def test_state_folder_below_a_file(tmp_path: Path) -> None:
    """A folder cannot be made below a file."""
    (tmp_path / "file").touch()
    assert find_faults(settings(tmp_path / "file" / "x" / "y")) == [
        f"FASTAGI_STATE_DIR: {tmp_path / 'file'} is not a folder"
    ]


def test_state_folder_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be written is told by its name."""

    def never(_path: Path, _mode: int) -> bool:
        return False

    monkeypatch.setattr("os.access", never)
    assert find_faults(settings(tmp_path)) == [f"FASTAGI_STATE_DIR: {tmp_path} is not writable"]


def test_doubts(tmp_path: Path) -> None:
    """A remote API without a credential is odd, but may be meant."""
    given = settings(tmp_path, sge_api_url="http://api.example")
    assert find_faults(given) == []
    assert find_doubts(given) == [
        "SGE_API_URL names a remote API, but there is no SGE_JWT_TOKEN or SGE_API_KEY"
    ]


def test_doubts_about_exposure(tmp_path: Path) -> None:
    """Keys that others can read on their way, and tokens meant for others, are odd."""
    given = settings(tmp_path, fastagi_api_host="0.0.0.0", sge_jwt_secret="s" * 32)
    assert find_faults(given) == []
    assert find_doubts(given) == [
        "FASTAGI_API_HOST is beyond loopback, but there is no FASTAGI_API_TLS_CERT_FILE",
        "tokens of any audience or issuer are good: set SGE_JWT_AUDIENCE and SGE_JWT_ISSUER",
    ]
    quiet = settings(
        tmp_path, sge_jwt_secret="s" * 32, sge_jwt_audience="voip", sge_jwt_issuer="https://id"
    )
    assert find_doubts(quiet) == []


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"sge_jwt_secret": "short"}, "SGE_JWT: SGE_JWT_SECRET: the secret must have at least 32"),
        ({"sge_jwks_url": "http://id.example/"}, "SGE_JWT: the address of the key set must begin"),
        ({"sge_jwks_file": "/nowhere"}, "SGE_JWT: /nowhere: No such file or directory"),
        ({"sge_operators_file": "/nowhere"}, "SGE_OPERATORS_FILE: /nowhere: No such file"),
        ({"fastagi_api_certificates": {"x": "y"}}, "FASTAGI_API_CERTIFICATES: 'x' is not cn:"),
        (
            {"fastagi_api_tls_cert_file": "/nowhere", "fastagi_api_tls_key_file": "/nowhere"},
            "FASTAGI_API_TLS: /nowhere: No such file or directory",
        ),
    ],
)
def test_faults_of_trust(tmp_path: Path, given: dict[str, object], fault: str) -> None:
    """What cannot be trusted is named before the start, and not looked at for a remote API."""
    found = find_faults(settings(tmp_path, **given))
    assert len(found) == 1
    assert found[0].startswith(fault)
    assert find_faults(settings(tmp_path, sge_api_url="http://api.example", **given)) == []
