"""The kinds of messages."""

import pytest

from fastagi_server.signaling.errors import SignalingError, UnknownKindError
from fastagi_server.signaling.models import SENT_KINDS, SignalKind


def test_words() -> None:
    """The words are the documented ones, and two that only Asterisk says."""
    assert {kind.value for kind in SENT_KINDS} == {
        "offer",
        "answer",
        "ice_candidate",
        "hangup",
        "mute",
        "unmute",
    }
    assert set(SignalKind) - SENT_KINDS == {SignalKind.RINGING, SignalKind.PROGRESS}


@pytest.mark.parametrize("text", ["offer", "OFFER", "Offer"])
def test_any_case(text: str) -> None:
    """A word is read in any case."""
    assert SignalKind.sent(text) is SignalKind.OFFER


@pytest.mark.parametrize("text", ["ringing", "Progress", "icecandidate", "offer ", "", "\0"])
def test_unknown(text: str) -> None:
    """What clients do not say is refused without being repeated."""
    with pytest.raises(UnknownKindError) as refused:
        SignalKind.sent(text)
    assert isinstance(refused.value, SignalingError)
    assert str(refused.value) == (
        "Unknown signaling type: it must be offer, answer, ice_candidate, hangup, mute or unmute"
    )
