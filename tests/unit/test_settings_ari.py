"""Settings of the link to Asterisk's REST interface."""

from pathlib import Path
from typing import Any

import pytest

from fastagi_server import settings as settings_module
from fastagi_server.settings import Settings, SettingsError, load_settings

GIVEN: dict[str, Any] = {
    "asterisk_ari_url": "http://localhost:8088/ari",
    "asterisk_ari_password": "s3cret",
}


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with an environment with nothing of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("FASTAGI_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings_module, "DEFAULT_CONFIG_FILE", tmp_path / "no-such.toml")
    monkeypatch.chdir(tmp_path)


def test_without_an_address_there_is_no_ari() -> None:
    """The program registers calls, and does not control them."""
    settings = load_settings()
    assert settings.asterisk_ari_url == ""
    assert settings.asterisk_ari_listen == ""
    assert settings.asterisk_ari_username == "sky-genesis"
    assert settings.asterisk_ari_timeout_seconds == 5.0


def test_the_documented_variables_work_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and values as the documents have them."""
    monkeypatch.setenv("ASTERISK_ARI_URL", "http://localhost:8088/ari")
    monkeypatch.setenv("ASTERISK_ARI_USERNAME", "sky-genesis")
    monkeypatch.setenv("ASTERISK_ARI_PASSWORD", "s3cret")
    monkeypatch.setenv("ASTERISK_ARI_APP", "sky-genesis-voip")
    settings = load_settings()
    assert settings.asterisk_ari_url == "http://localhost:8088/ari"
    assert settings.ari_password == "s3cret"
    assert settings.ari_applications == (
        "sky-genesis-voip",
        "sky-genesis-conference",
        "sky-genesis-outbound",
    )


def test_the_password_may_be_in_a_file(tmp_path: Path) -> None:
    """Without the line's end."""
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    settings = load_settings(
        asterisk_ari_url="http://localhost:8088", asterisk_ari_password_file=file
    )
    assert settings.ari_password == "s3cret"


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By the name of the setting."""
    settings = load_settings(asterisk_ari_password_file=tmp_path / "missing")
    with pytest.raises(SettingsError, match=r"ASTERISK_ARI_PASSWORD_FILE: .*missing"):
        _ = settings.ari_password


def test_the_password_is_not_shown() -> None:
    """Wherever the settings are printed."""
    assert "s3cret" not in repr(load_settings(**GIVEN))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({**GIVEN, "asterisk_ari_password_file": "/run/password"}, "not both"),
        ({"asterisk_ari_url": "http://localhost:8088"}, "needs ASTERISK_ARI_PASSWORD"),
        ({"asterisk_ari_listen": "127.0.0.1:8765"}, "needs ASTERISK_ARI_URL"),
        ({**GIVEN, "asterisk_ari_listen": "8765"}, "is not host:port"),
        ({**GIVEN, "asterisk_ari_app": "a,b"}, "ASTERISK_ARI_APP"),
        ({**GIVEN, "asterisk_ari_app": ""}, "ASTERISK_ARI_APP"),
        ({**GIVEN, "asterisk_ari_app": "sky-genesis-conference"}, "three names"),
        ({**GIVEN, "asterisk_ari_timeout_seconds": 0}, "ASTERISK_ARI_TIMEOUT_SECONDS"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(given: dict[str, Any], fault: str) -> None:
    """In words that name the setting."""
    with pytest.raises(SettingsError, match=fault):
        load_settings(**given)


def test_a_node_has_names_of_its_own() -> None:
    """Two nodes of one application would replace each other."""
    settings = load_settings(
        **GIVEN, asterisk_ari_app="voip-2", asterisk_ari_conference_app="conference-2"
    )
    assert settings.ari_applications == ("voip-2", "conference-2", "sky-genesis-outbound")
