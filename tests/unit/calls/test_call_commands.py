"""What may be asked of a call under way, and what is kept of it."""

import pytest

from fastagi_server.calls.commands import (
    Command,
    Hold,
    Mute,
    Play,
    SendDtmf,
    Transfer,
    Unmute,
    logged_facts,
)
from fastagi_server.calls.errors import InvalidCallError


@pytest.mark.parametrize("digits", ["", "12;", "x", "1 2", "1" * 65, "1\n"])
def test_keys_that_are_none(digits: str) -> None:
    """Only keys of a telephone, and not too many."""
    with pytest.raises(InvalidCallError, match="digits"):
        SendDtmf(digits)


@pytest.mark.parametrize(
    "sound", ["", "/etc/passwd", "../x", "a/../b", "a b", "a&b", "http://x", "a.gsm", "x" * 129]
)
def test_sounds_that_are_none(sound: str) -> None:
    """No way out of the folder of sounds, and no other kind of media."""
    with pytest.raises(InvalidCallError, match="sound"):
        Play(sound)


@pytest.mark.parametrize("to", ["alice", "Local/1@x", "SIP/1&SIP/2", ""])
def test_whom_nobody_may_ring(to: str) -> None:
    """A transfer goes to a dial string that may be rung."""
    with pytest.raises(InvalidCallError):
        Transfer(to)


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        (Hold(), {}),
        (Mute("SIP/1", "both"), {"direction": "both", "participant": "SIP/1"}),
        (Unmute(), {"direction": "in"}),
        (SendDtmf("123#*A"), {"digits": 6}),
        (Play("digits/1"), {"sound": "digits/1"}),
        (Transfer("SIP/2", "SIP/1"), {"to": "SIP/2", "participant": "SIP/1"}),
    ],
)
def test_what_the_log_keeps(command: Command, facts: dict[str, str | int]) -> None:
    """Everything but the keys themselves, which may be a secret."""
    assert logged_facts(command) == facts
