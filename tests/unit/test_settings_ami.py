"""Settings of the link to Asterisk's manager interface."""

from pathlib import Path
from typing import Any

import pytest

from fastagi_server import settings as settings_module
from fastagi_server.settings import Settings, SettingsError, load_settings

GIVEN: dict[str, Any] = {"asterisk_ami_host": "127.0.0.1", "asterisk_ami_secret": "s3cret"}


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with an environment with nothing of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("FASTAGI_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings_module, "DEFAULT_CONFIG_FILE", tmp_path / "no-such.toml")
    monkeypatch.chdir(tmp_path)


def test_without_a_host_there_is_no_ami() -> None:
    """The program supervises nothing; the rest is as in the sample of manager.conf."""
    settings = load_settings()
    assert settings.asterisk_ami_host == ""
    assert settings.asterisk_ami_port == 5038
    assert settings.asterisk_ami_username == "sky-genesis"
    assert settings.asterisk_ami_tls is False


def test_the_variables_work_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and values as the documents have them."""
    monkeypatch.setenv("ASTERISK_AMI_HOST", "pbx.example.org")
    monkeypatch.setenv("ASTERISK_AMI_PORT", "5039")
    monkeypatch.setenv("ASTERISK_AMI_USERNAME", "watcher")
    monkeypatch.setenv("ASTERISK_AMI_SECRET", "s3cret")
    monkeypatch.setenv("ASTERISK_AMI_TLS", "yes")
    monkeypatch.setenv("ASTERISK_AMI_CA_FILE", "/etc/ca.pem")
    settings = load_settings()
    assert (settings.asterisk_ami_host, settings.asterisk_ami_port) == ("pbx.example.org", 5039)
    assert (settings.asterisk_ami_username, settings.ami_secret) == ("watcher", "s3cret")
    assert settings.asterisk_ami_tls is True
    assert settings.asterisk_ami_ca_file == Path("/etc/ca.pem")


def test_the_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """Without the line's end."""
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    settings = load_settings(asterisk_ami_host="127.0.0.1", asterisk_ami_secret_file=file)
    assert settings.ami_secret == "s3cret"


def test_a_secret_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By the name of the setting."""
    settings = load_settings(asterisk_ami_secret_file=tmp_path / "missing")
    with pytest.raises(SettingsError, match=r"ASTERISK_AMI_SECRET_FILE: .*missing"):
        _ = settings.ami_secret


def test_the_secret_is_not_shown() -> None:
    """Wherever the settings are printed."""
    assert "s3cret" not in repr(load_settings(**GIVEN))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({**GIVEN, "asterisk_ami_secret_file": "/run/secret"}, "not both"),
        ({"asterisk_ami_host": "127.0.0.1"}, "needs ASTERISK_AMI_SECRET"),
        ({**GIVEN, "asterisk_ami_port": 0}, "ASTERISK_AMI_PORT"),
        ({**GIVEN, "asterisk_ami_port": 65536}, "ASTERISK_AMI_PORT"),
        ({**GIVEN, "asterisk_ami_username": ""}, "ASTERISK_AMI_USERNAME"),
        ({**GIVEN, "asterisk_ami_username": "a\r\nAction: Command"}, "ASTERISK_AMI_USERNAME"),
        ({**GIVEN, "asterisk_ami_ca_file": "/etc/ca.pem"}, "needs ASTERISK_AMI_TLS"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(given: dict[str, Any], fault: str) -> None:
    """In words that name the setting."""
    with pytest.raises(SettingsError, match=fault):
        load_settings(**given)
