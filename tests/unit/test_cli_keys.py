"""Commands for credentials, by click's runner."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastagi_server.cli import main
from fastagi_server.identities.passwords import read_accounts
from fastagi_server.settings import Settings

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command in an empty folder with nothing of ours in the environment."""
    for name in (*Settings.model_fields, "fastagi_config", "credentials_directory"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("FASTAGI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **options: str) -> Result:
        return CliRunner().invoke(main, arguments, input=options.pop("input", None), env=options)

    return invoke


def fingerprints(invoke: Invoke) -> list[str]:
    """The fingerprints that are listed, in order."""
    return [line.split()[0] for line in invoke("keys", "list").output.splitlines()]


def test_key_is_printed_once(invoke: Invoke) -> None:
    """A new key is printed alone, and never again."""
    made = invoke("keys", "create", "alice")
    assert made.exit_code == 0
    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}\n", made.output)
    listed = invoke("keys", "list").output
    assert made.output.strip() not in listed
    assert re.fullmatch(
        r"[0-9a-f]{12}  alice {20}voip\.call {16}\d{4}-\d\d-\d\d \d\d:\d\d  good\n", listed
    )


def test_scopes(invoke: Invoke) -> None:
    """A key gets the scopes that are asked for, and only those that there are."""
    assert (
        invoke("keys", "create", "pbx", "--scope", "service", "--scope", "operator").exit_code == 0
    )
    assert "operator,service" in invoke("keys", "list").output
    unknown = invoke("keys", "create", "pbx", "--scope", "root")
    assert unknown.exit_code == 2
    assert "'root' is not one of" in unknown.output


@pytest.mark.parametrize("name", ["", "al ice", "SIP/1001", "service", "asterisk"])
def test_bad_name(invoke: Invoke, name: str) -> None:
    """A user's key cannot have a name that is none, or one of the system's own."""
    refused = invoke("keys", "create", name)
    assert refused.exit_code == 2
    assert "cannot be the name of a key with these scopes" in refused.output
    assert invoke("keys", "list").output == "no keys\n"


def test_system_name_for_the_system(invoke: Invoke) -> None:
    """A part of the telephone system may have the system's name."""
    assert invoke("keys", "create", "service", "--scope", "service").exit_code == 0


def test_revoke_all_of_a_name(invoke: Invoke) -> None:
    """All good keys of a name are revoked, once."""
    for name in ("alice", "alice", "bob"):
        invoke("keys", "create", name)
    assert invoke("keys", "revoke", "alice").output == "2 keys revoked\n"
    states = [
        line.split("  ")[-1].split()[0] for line in invoke("keys", "list").output.splitlines()
    ]
    assert states == ["revoked", "revoked", "good"]
    again = invoke("keys", "revoke", "alice")
    assert again.exit_code == 1
    assert "there is no such key of alice" in again.output


def test_revoke_one(invoke: Invoke) -> None:
    """One key of several is revoked by its fingerprint, under its own name only."""
    for _ in range(2):
        invoke("keys", "create", "alice")
    first, second = fingerprints(invoke)
    assert invoke("keys", "revoke", "bob", "--fingerprint", first).exit_code == 1
    assert invoke("keys", "revoke", "alice", "--fingerprint", first).output == "1 key revoked\n"
    lines = invoke("keys", "list").output.splitlines()
    assert lines[0].startswith(first)
    assert " revoked " in lines[0]
    assert lines[1].startswith(second)
    assert lines[1].endswith("good")


def test_remote_api(invoke: Invoke) -> None:
    """Keys of a remote API are not made here."""
    refused = invoke("keys", "create", "alice", SGE_API_URL="https://api.example/api/v1/voip")
    assert refused.exit_code == 1
    assert "its keys are made there" in refused.output


def test_bad_settings(invoke: Invoke) -> None:
    """Settings that cannot be read are named, and no key is made."""
    refused = invoke("keys", "list", PORT="x")
    assert refused.exit_code == 2
    assert "error: PORT: " in refused.output


def test_database_that_cannot_be_used(invoke: Invoke, tmp_path: Path) -> None:
    """A database that cannot be opened is an error in words."""
    refused = invoke("keys", "list", FASTAGI_DATABASE_URL=f"sqlite:///{tmp_path}")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ")


def test_operator(invoke: Invoke) -> None:
    """The line for the file of operators is made of a password that is asked for twice."""
    made = invoke("operators", "hash", "olga", input="correct horse\ncorrect horse\n")
    assert made.exit_code == 0
    assert read_accounts(made.output.splitlines()[-1].encode())["olga"].matches(b"correct horse")
    assert "correct horse" not in made.output


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [("olga", "short", "8 to 1024 characters"), ("ol:ga", "correct horse", "without a colon")],
)
def test_bad_operator(invoke: Invoke, name: str, password: str, words: str) -> None:
    """A password that is too short, or a name with a colon, is refused in words."""
    refused = invoke("operators", "hash", name, input=f"{password}\n{password}\n")
    assert refused.exit_code == 1
    assert words in refused.output
