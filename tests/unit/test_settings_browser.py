"""The settings of calls from browsers: how they reach the media."""

from pathlib import Path

import pytest

from fastagi_server.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.chdir(tmp_path)


def test_no_servers_by_default() -> None:
    """Browsers are told of no servers unless somebody says so; nobody else's are built in."""
    settings = load_settings()
    assert (settings.sge_stun_urls, settings.sge_turn_urls) == ((), ())
    assert (settings.turn_secret, settings.sge_turn_seconds) == ("", 3600)


def test_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several servers have commas between."""
    monkeypatch.setenv("SGE_STUN_URLS", "stun:stun.example, stuns:[2001:db8::1]:5349")
    monkeypatch.setenv("SGE_TURN_URLS", "turn:t.example:3478,turns:t.example:5349?transport=tcp")
    monkeypatch.setenv("SGE_TURN_SECRET", "swordfish")
    settings = load_settings()
    assert settings.sge_stun_urls == ("stun:stun.example", "stuns:[2001:db8::1]:5349")
    assert settings.sge_turn_urls == ("turn:t.example:3478", "turns:t.example:5349?transport=tcp")
    assert settings.turn_secret == "swordfish"
    assert "swordfish" in settings.secret_values


def test_secret_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared secret may be in a file, which is masked in lines as well."""
    (tmp_path / "secret").write_text("swordfish\n")
    monkeypatch.setenv("SGE_TURN_SECRET_FILE", str(tmp_path / "secret"))
    settings = load_settings(sge_turn_urls=("turn:t.example",))
    assert settings.turn_secret == "swordfish"
    assert "swordfish" in settings.secret_values


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"sge_stun_urls": ("turn:t.example",)}, "'turn:t.example' is not stun:host:port"),
        ({"sge_stun_urls": ("stun.example",)}, "'stun.example' is not stun:host:port"),
        ({"sge_turn_urls": ("turn:t.example",)}, "SGE_TURN_URLS needs SGE_TURN_SECRET"),
        (
            {"sge_turn_urls": ("turn://t.example",), "sge_turn_secret": "x"},
            "'turn://t.example' is not turn:host:port",
        ),
        (
            {"sge_turn_urls": ("turn:t?transport=sctp",), "sge_turn_secret": "x"},
            "'turn:t\\?transport=sctp' is not turn:host:port",
        ),
        (
            {"sge_turn_secret": "x", "sge_turn_secret_file": "/dev/null"},
            "give SGE_TURN_SECRET or SGE_TURN_SECRET_FILE, not both",
        ),
        ({"sge_turn_seconds": 59}, "SGE_TURN_SECONDS"),
    ],
)
def test_faults(given: dict[str, object], fault: str) -> None:
    """What cannot be meant is refused with the setting and the form it has."""
    with pytest.raises(SettingsError, match=fault):
        load_settings(**given)
