"""The settings of event sockets."""

import pytest

from fastagi_server.settings import SettingsError, load_settings


def test_the_published_names_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names and the defaults are those that were published."""
    settings = load_settings()
    assert (
        settings.ws_max_connections,
        settings.ws_message_timeout,
        settings.ws_heartbeat_interval,
        settings.ws_max_message_size,
    ) == (10_000, 30.0, 30.0, 65_536)
    monkeypatch.setenv("WS_MAX_CONNECTIONS", "5")
    monkeypatch.setenv("WS_HEARTBEAT_INTERVAL", "2.5")
    settings = load_settings()
    assert (settings.ws_max_connections, settings.ws_heartbeat_interval) == (5, 2.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WS_MAX_CONNECTIONS", "0"),
        ("WS_MESSAGE_TIMEOUT", "0"),
        ("WS_HEARTBEAT_INTERVAL", "-1"),
        ("WS_MAX_MESSAGE_SIZE", "10"),
        ("WS_MAX_MESSAGE_SIZE", "99999999"),
    ],
)
def test_values_of_no_sense(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value with which nothing could work is refused, and the setting named."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()
