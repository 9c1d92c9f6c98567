"""Settings of the gateway for calls from browsers."""

from pathlib import Path

import pytest

from fastagi_server import settings as settings_module
from fastagi_server.settings import Settings, SettingsError, load_settings
from fastagi_server.telephony import browser_endpoint, outbound_policy


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with an environment with nothing of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("FASTAGI_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings_module, "DEFAULT_CONFIG_FILE", tmp_path / "no-such.toml")
    monkeypatch.chdir(tmp_path)


def test_without_an_address_there_is_no_gateway() -> None:
    """No dial string means a browser; the rest is as in the sample of pjsip.conf."""
    settings = load_settings()
    assert settings.sge_gateway_listen == ""
    assert settings.sge_gateway_sip == "127.0.0.1:5060"
    assert settings.sge_gateway_endpoint == "sge-gateway"
    assert browser_endpoint(settings).user_of("PJSIP/bob@sge-gateway") is None


def test_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its browsers are telephones of our own."""
    monkeypatch.setenv("SGE_GATEWAY_LISTEN", "127.0.0.1:5070")
    monkeypatch.setenv("SGE_GATEWAY_TOKEN", "s3cret")
    monkeypatch.setenv("SGE_GATEWAY_ENDPOINT", "browsers")
    settings = load_settings()
    assert settings.gateway_token == "s3cret"
    assert browser_endpoint(settings).user_of("PJSIP/bob@browsers") == "bob"
    assert outbound_policy(settings).user_refusal("PJSIP/bob@browsers") == ""


def test_a_token_in_a_file(tmp_path: Path) -> None:
    """It is read when it is needed, and is no part of any line."""
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    settings = load_settings(sge_gateway_listen="127.0.0.1:5070", sge_gateway_token_file=file)
    assert settings.gateway_token == "s3cret"
    assert "s3cret" in settings.secret_values


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"sge_gateway_listen": "127.0.0.1:5070"}, "needs SGE_GATEWAY_TOKEN"),
        ({"sge_gateway_listen": "5070"}, "is not host:port"),
        ({"sge_gateway_sip": "asterisk"}, "is not host:port"),
        ({"sge_gateway_endpoint": "a@b"}, "SGE_GATEWAY_ENDPOINT"),
        ({"sge_gateway_token": "s", "sge_gateway_token_file": "/f"}, "not both"),
    ],
)
def test_faults(given: dict[str, str], fault: str) -> None:
    """Each is told in words."""
    with pytest.raises(SettingsError, match=fault):
        load_settings(**given)
