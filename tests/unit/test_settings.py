"""Settings: where each comes from, which source wins, and what is said about mistakes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fastagi_server import settings as settings_module
from fastagi_server.settings import (
    Settings,
    SettingsError,
    config_file,
    load_settings,
    split_address,
)

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, and an environment with nothing of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("FASTAGI_CONFIG", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings_module, "DEFAULT_CONFIG_FILE", tmp_path / "no-such.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below the folder the program runs in."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def use_toml(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Name a TOML file."""
    monkeypatch.setenv("FASTAGI_CONFIG", str(path))


def use_credentials(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Name a folder of credentials, as systemd does."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))


def test_defaults() -> None:
    """Without any setting the server is its own API, on loopback."""
    settings = load_settings()
    assert settings.embedded
    assert settings.listen_addresses == [("127.0.0.1", 4573)]
    assert (settings.fastagi_api_host, settings.port) == ("127.0.0.1", 8080)
    assert settings.sge_deadline_seconds == 2.0
    assert settings.fastagi_workers == 1
    assert settings.credential == ("api_key", None, None)
    assert settings.fastagi_system_name


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented names."""
    monkeypatch.setenv("SGE_API_URL", "https://api.example/api/v1/voip")
    monkeypatch.setenv("SGE_JWT_TOKEN", "t0ken")
    monkeypatch.setenv("PORT", "9090")
    monkeypatch.setenv("FASTAGI_LISTEN", "127.0.0.1:4573, [::1]:4574,")
    monkeypatch.setenv("FASTAGI_ALLOW", "10.0.0.0/8,2001:db8::/32")
    monkeypatch.setenv("FASTAGI_ON_ERROR", '{"register": "goto:a,b,1"}')
    settings = load_settings()
    assert not settings.embedded
    assert settings.credential == ("bearer", "t0ken", None)
    assert settings.port == 9090
    assert settings.listen_addresses == [("127.0.0.1", 4573), ("::1", 4574)]
    assert settings.fastagi_allow == ("10.0.0.0/8", "2001:db8::/32")
    assert settings.fastagi_on_error == {"register": "goto:a,b,1"}


def test_toml(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """The same names in small letters, lists and tables as TOML has them."""
    path = write(
        "config.toml",
        'sge_api_url = "http://api.example"\n'
        'fastagi_listen = ["127.0.0.1:1", "[::1]:2"]\n'
        "fastagi_workers = 2\n"
        '[fastagi_on_error]\nregister = "failure"\n',
    )
    use_toml(monkeypatch, path)
    settings = load_settings()
    assert settings.sge_api_url == "http://api.example"
    assert settings.listen_addresses == [("127.0.0.1", 1), ("::1", 2)]
    assert settings.fastagi_workers == 2
    assert settings.fastagi_on_error == {"register": "failure"}


def test_default_toml(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """The file at the usual place is used when there is one."""
    assert config_file() is None
    path = write("usual.toml", "port = 1\n")
    monkeypatch.setattr(settings_module, "DEFAULT_CONFIG_FILE", path)
    assert config_file() == path
    assert load_settings().port == 1


def test_dot_env(write: Write) -> None:
    """A `.env` file in the folder the program is started in."""
    write(".env", "SGE_API_KEY=k3y\nPORT=7\nUNRELATED=1\n")
    settings = load_settings()
    assert settings.credential == ("api_key", "k3y", None)
    assert settings.port == 7


def test_credentials(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """Systemd's credentials: those that may change are used as files, the others as values."""
    token = write("credentials/sge_jwt_token", "t0ken\n")
    write("credentials/fastagi_secret", "s3cret\n")
    write("credentials/unrelated", "x")
    use_credentials(monkeypatch, token.parent)
    settings = load_settings()
    assert settings.credential == ("bearer", None, token)
    assert settings.fastagi_secret.get_secret_value() == "s3cret"


def test_credentials_folder_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder that systemd did not make holds no credentials."""
    use_credentials(monkeypatch, tmp_path / "nothing")
    assert load_settings().credential == ("api_key", None, None)


def test_precedence(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """Environment before `.env`, that before credentials, that before the TOML file."""
    use_toml(monkeypatch, write("config.toml", "port = 1\nfastagi_workers = 1\n"))
    assert load_settings().port == 1
    use_credentials(monkeypatch, write("credentials/port", "2").parent)
    assert load_settings().port == 2
    write(".env", "PORT=3\n")
    assert load_settings().port == 3
    monkeypatch.setenv("PORT", "4")
    assert load_settings().port == 4
    assert load_settings(port=5).port == 5


def test_environment_wins_over_a_watched_credential(
    monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    """A file that the environment names is used instead of systemd's."""
    use_credentials(monkeypatch, write("credentials/sge_api_key", "theirs").parent)
    mine = write("mine", "k3y")
    monkeypatch.setenv("SGE_API_KEY_FILE", str(mine))
    assert load_settings().credential == ("api_key", None, mine)


@pytest.mark.parametrize(
    ("given", "credential"),
    [
        ({"sge_jwt_token": "t"}, ("bearer", "t", None)),
        ({"sge_jwt_token_file": Path("/t")}, ("bearer", None, Path("/t"))),
        ({"sge_api_key": "k"}, ("api_key", "k", None)),
        ({"sge_api_key_file": Path("/k")}, ("api_key", None, Path("/k"))),
    ],
)
def test_one_credential(
    given: dict[str, object], credential: tuple[str, str | None, Path | None]
) -> None:
    """Token or key, as value or file."""
    assert load_settings(**given).credential == credential


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("sge_jwt_token", "sge_api_key"), "SGE_JWT_TOKEN, SGE_API_KEY"),
        (("sge_api_key", "sge_api_key_file"), "SGE_API_KEY, SGE_API_KEY_FILE"),
    ],
)
def test_two_credentials(names: tuple[str, ...], words: str) -> None:
    """Which of two would be used is not guessed; their values are not told."""
    with pytest.raises(SettingsError) as caught:
        load_settings(**dict.fromkeys(names, "s3cret"))
    assert f"give one credential for SGE, not {words}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FASTAGI_WORKERS", "many", "FASTAGI_WORKERS: Input should be a valid integer"),
        ("FASTAGI_WORKERS", "0", "FASTAGI_WORKERS: Input should be greater than or equal to 1"),
        ("SGE_DEADLINE_SECONDS", "-1", "SGE_DEADLINE_SECONDS: Input should be greater than 0"),
        ("SGE_DEADLINE_SECONDS", "nan", "SGE_DEADLINE_SECONDS: "),
        ("PORT", "70000", "PORT: Input should be less than or equal to 65535"),
        ("FASTAGI_LISTEN", "4573", "FASTAGI_LISTEN: Value error, '4573' is not host:port"),
        ("FASTAGI_LISTEN", "::1:4573", "an IPv6 address needs brackets"),
        ("FASTAGI_ALLOW", "10.0.0.1/8", "FASTAGI_ALLOW: Value error, 10.0.0.1/8 has host bits set"),
        ("FASTAGI_ALLOW", "pbx", "FASTAGI_ALLOW: Value error, 'pbx' does not appear to be"),
        ("FASTAGI_LOOP", "trio", "FASTAGI_LOOP: Input should be 'auto', 'uvloop' or 'asyncio'"),
        ("FASTAGI_LOG_LEVEL", "loud", "FASTAGI_LOG_LEVEL: Input should be 'debug', 'info'"),
        ("FASTAGI_ON_ERROR", "failure", 'error parsing value for field "fastagi_on_error"'),
        ("FASTAGI_TECHNOLOGY", "PJSIP/x", "FASTAGI_TECHNOLOGY: String should match pattern"),
        ("FASTAGI_SYSTEM_NAME", "", "FASTAGI_SYSTEM_NAME: String should have at least 1"),
        ("FASTAGI_UNPROTECTED", "perhaps", "FASTAGI_UNPROTECTED: Input should be a valid boolean"),
    ],
)
def test_mistakes(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    """Each mistake is named by its setting, in words."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert words in str(caught.value)


def test_all_mistakes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a mistake, so that nobody has to start five times."""
    monkeypatch.setenv("PORT", "-1")
    monkeypatch.setenv("FASTAGI_WORKERS", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "FASTAGI_WORKERS",
        "PORT",
    ]


def test_toml_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was named and is missing is a mistake, not a default."""
    monkeypatch.setenv("FASTAGI_CONFIG", "/nonexistent.toml")
    with pytest.raises(SettingsError, match=r"FASTAGI_CONFIG: there is no file /nonexistent\.toml"):
        load_settings()


def test_toml_that_is_none(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """A syntax error is told with file and line."""
    path = write("config.toml", "port = 1\nport = = 2\n")
    use_toml(monkeypatch, path)
    with pytest.raises(SettingsError, match=r"config\.toml: .*line 2"):
        load_settings()


def test_secrets_are_not_shown() -> None:
    """Neither the settings nor their parts show a secret when they are printed."""
    settings = load_settings(sge_jwt_token="t0ken", fastagi_secret="s3cret")
    assert "t0ken" not in repr(settings) + str(settings)
    assert "s3cret" not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4573", ("127.0.0.1", 4573)),
        ("[::1]:0", ("::1", 0)),
        ("pbx.example:65535", ("pbx.example", 65535)),
        (":4573", ("0.0.0.0", 4573)),
    ],
)
def test_split_address(text: str, address: tuple[str, int]) -> None:
    """Host and port; no host is every IPv4 address."""
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "4573", "h:", "h:x", "h:-1", "h:65536", "h:\u0663", "::1:1", "[::1:1", "::1]:1"]
)
def test_bad_address(text: str) -> None:
    """What is no address is refused."""
    with pytest.raises(ValueError, match=r"is not host:port|needs brackets"):
        split_address(text)


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/sge:/var/lib/other"}, "/var/lib/sge"),
        ({"XDG_STATE_HOME": "/x"}, "/x/fastagi-server"),
        ({"HOME": "/nobody"}, "/nobody/.local/state/fastagi-server"),
    ],
)
def test_state_folder(monkeypatch: pytest.MonkeyPatch, names: dict[str, str], folder: str) -> None:
    """Systemd's folder, else the user's."""
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert str(settings.fastagi_state_dir) == folder
    assert settings.database_url == f"sqlite:///{folder}/sge.sqlite3"


def test_database_url() -> None:
    """Another database than that in the state folder."""
    url = "sqlite:////srv/calls.db"
    assert load_settings(fastagi_database_url=url).database_url == url


def test_who_may_do_what(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """Limits have the documented values; tables are TOML or JSON in the environment."""
    settings = load_settings()
    assert settings.sge_rate_limit_per_minute == 100
    assert not settings.takes_tokens
    assert settings.fastagi_api_tls_client_auth == "none"
    use_toml(monkeypatch, write("a.toml", '[sge_extensions]\n1001 = "alice"\n'))
    monkeypatch.setenv("FASTAGI_API_CERTIFICATES", '{"cn:desk": "bob"}')
    monkeypatch.setenv("FASTAGI_API_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")
    settings = load_settings()
    assert settings.sge_extensions == {"1001": "alice"}
    assert settings.fastagi_api_certificates == {"cn:desk": "bob"}
    assert settings.fastagi_api_trusted_proxies == ("127.0.0.1", "10.0.0.0/8")


@pytest.mark.parametrize(
    "name",
    [
        "SGE_JWT_SECRET",
        "SGE_JWT_SECRET_FILE",
        "SGE_JWT_PUBLIC_KEY_FILE",
        "SGE_JWKS_FILE",
        "SGE_JWKS_URL",
    ],
)
def test_places_of_keys(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Any key that tokens can be checked with makes the API take tokens."""
    monkeypatch.setenv(name, "x")
    assert load_settings().takes_tokens


def test_secret_of_tokens_as_a_credential(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """The secret of tokens may come from systemd, and is not shown."""
    use_credentials(monkeypatch, write("credentials/sge_jwt_secret", "s3cret\n").parent)
    settings = load_settings()
    assert settings.sge_jwt_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"sge_jwt_secret": "x", "sge_jwt_secret_file": "y"},
            "SGE_JWT_SECRET or SGE_JWT_SECRET_FILE, not both",
        ),
        (
            {"fastagi_api_tls_cert_file": "x"},
            "FASTAGI_API_TLS_CERT_FILE and FASTAGI_API_TLS_KEY_FILE go together",
        ),
        ({"fastagi_api_tls_client_auth": "required"}, "FASTAGI_API_TLS_CLIENT_AUTH needs"),
        (
            {
                "fastagi_api_tls_client_auth": "optional",
                "fastagi_api_tls_cert_file": "x",
                "fastagi_api_tls_key_file": "y",
            },
            "FASTAGI_API_TLS_CLIENT_AUTH needs",
        ),
        (
            {"fastagi_api_tls_client_crl_file": "x"},
            "FASTAGI_API_TLS_CLIENT_CRL_FILE needs FASTAGI_API_TLS_CLIENT_AUTH",
        ),
        ({"fastagi_database_connections": "0"}, "FASTAGI_DATABASE_CONNECTIONS"),
        ({"sge_call_retention_days": "-1"}, "SGE_CALL_RETENTION_DAYS"),
        ({"fastagi_api_trusted_proxies": "everybody"}, "FASTAGI_API_TRUSTED_PROXIES"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, str], words: str) -> None:
    """Settings that only make sense together are refused apart."""
    with pytest.raises(SettingsError, match=words):
        load_settings(**given)
