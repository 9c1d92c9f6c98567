"""What a call says about itself."""

from datetime import timedelta
from typing import Any

import pytest
from call_samples import NOON, a_call

from fastagi_server.calls.models import CallStatus, CallType


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("audio", "audio"),
        ("Audio", "audio"),
        ("VIDEO", "video"),
        ("screen", "screen"),
        ("ScreenShare", "screen"),
        ("screen_share", "screen"),
        ("Conference", "conference"),
    ],
)
def test_call_type_aliases(written: str, meant: str) -> None:
    """A call type is read in any case and by the names of Decision 1."""
    assert CallType(written) == meant


@pytest.mark.parametrize("written", ["", "fax", " audio", 1, None])
def test_unknown_call_type(written: Any) -> None:
    """What is no call type is a ValueError."""
    with pytest.raises(ValueError, match="is not a valid CallType"):
        CallType(written)


@pytest.mark.parametrize(
    ("status", "is_active"),
    [
        (CallStatus.INITIATING, True),
        (CallStatus.RINGING, True),
        (CallStatus.CONNECTED, True),
        (CallStatus.ON_HOLD, True),
        (CallStatus.ENDED, False),
    ],
)
def test_active_until_ended(status: CallStatus, is_active: bool) -> None:  # noqa: FBT001
    """Every status but one is active."""
    assert a_call(status).is_active is is_active


def test_no_duration_before_the_end() -> None:
    """A call that goes on has no duration yet."""
    assert a_call(CallStatus.CONNECTED, answered_at=NOON).duration_ms is None


def test_duration_of_an_unanswered_call() -> None:
    """A call that nobody answered lasted 0 ms."""
    assert a_call(CallStatus.ENDED, end_time=NOON + timedelta(seconds=20)).duration_ms == 0


def test_duration_from_answer_to_end() -> None:
    """Without a measurement the duration is that between the two requests."""
    end_time = NOON + timedelta(seconds=1, milliseconds=500)
    call = a_call(CallStatus.ENDED, answered_at=NOON, end_time=end_time)
    assert call.duration_ms == 1500


def test_measured_duration_goes_first() -> None:
    """What the PBX measured is believed before the difference of two clocks."""
    call = a_call(CallStatus.ENDED, answered_at=NOON, end_time=NOON, answered_ms=1234)
    assert call.duration_ms == 1234


def test_duration_is_never_negative() -> None:
    """An end before the answer, by two clocks that differ, counts as 0 ms."""
    end_time = NOON - timedelta(seconds=2)
    call = a_call(CallStatus.ENDED, answered_at=NOON, end_time=end_time)
    assert call.duration_ms == 0
