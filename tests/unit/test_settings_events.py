"""The settings of the event stream and of webhooks."""

from pathlib import Path

import pytest

from fastagi_server.settings import SettingsError, load_settings
from fastagi_server.streaming import webhook_targets


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.chdir(tmp_path)


def test_there_is_no_webhook_by_default() -> None:
    """Nobody is told of calls unless somebody says so."""
    settings = load_settings()
    assert settings.webhooks == {}
    assert settings.sge_event_streams == 20


def test_one_target_is_named_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """One target needs no table, and its secret is masked wherever it would be seen."""
    monkeypatch.setenv("SGE_WEBHOOK_URL", "https://crm.example/hook")
    monkeypatch.setenv("SGE_WEBHOOK_SECRET", "swordfish")
    monkeypatch.setenv("SGE_WEBHOOK_TYPES", "call.ended, room.*")
    settings = load_settings()
    (target,) = webhook_targets(settings)
    assert (target.name, target.url, target.secret) == (
        "default",
        "https://crm.example/hook",
        b"swordfish",
    )
    wanted = ("call.ended", "call.created", "room.closed")
    assert list(map(target.types.wants, wanted)) == [True, False, True]
    assert "swordfish" in settings.secret_values
    assert "swordfish" not in repr(target)


def test_several_targets_are_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each table of the settings file is a target, with a secret in a file of its own."""
    (tmp_path / "secret").write_text("swordfish\n")
    (tmp_path / "config.toml").write_text(f"""
        [sge_webhooks.billing]
        url = "http://127.0.0.1:9000/calls"
        types = ["call.ended"]
        secret_file = "{tmp_path / "secret"}"

        [sge_webhooks.crm]
        url = "http://127.0.0.1:9001/"
    """)
    monkeypatch.setenv("FASTAGI_CONFIG", str(tmp_path / "config.toml"))
    settings = load_settings()
    billing, crm = webhook_targets(settings)
    assert (billing.name, billing.secret) == ("billing", b"swordfish")
    assert (crm.name, crm.secret, crm.types.wants("room.closed")) == ("crm", b"", True)
    assert "swordfish" in settings.secret_values


def test_a_secret_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """A file that is not there is named."""
    settings = load_settings(
        sge_webhook_url="http://127.0.0.1/", sge_webhook_secret_file=tmp_path / "none"
    )
    with pytest.raises(SettingsError, match="webhook default"):
        webhook_targets(settings)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"sge_webhook_url": "ftp://host/"}, "http://host/path"),
        ({"sge_webhook_url": "https:///path"}, "http://host/path"),
        ({"sge_webhook_url": "http://host/", "sge_webhook_types": "link.up"}, "call"),
        ({"sge_webhooks": {"default": {"url": "http://host/"}}}, "cannot be the name"),
        ({"sge_webhooks": {"A B": {"url": "http://host/"}}}, "cannot be the name"),
        ({"sge_webhooks": {"a": {"url": ""}}}, "at least 1 item"),
        ({"sge_webhooks": {"a": {"url": "http://host/", "secret": "x"}}}, "not permitted"),
        ({"sge_event_streams": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, object], fault: str) -> None:
    """Wrong settings are named before the start."""
    with pytest.raises(SettingsError, match=fault):
        load_settings(**given)
