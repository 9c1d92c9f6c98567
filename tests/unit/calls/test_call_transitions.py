"""The state machine of a call, exhaustively."""

from datetime import timedelta

import pytest
from call_samples import NOON, a_call

from fastagi_server.calls import transitions
from fastagi_server.calls.errors import CallEndedError
from fastagi_server.calls.models import CallStatus, EndFacts
from fastagi_server.calls.transitions import TABLE, Trigger

LATER = NOON + timedelta(seconds=65)

LAW = {
    "initiating": {"ring": "ringing", "accept": "connected", "end": "ended"},
    "ringing": {"ring": "ringing", "accept": "connected", "end": "ended"},
    "connected": {
        "accept": "connected",
        "hold": "on_hold",
        "resume": "connected",
        "end": "ended",
    },
    "on_hold": {"accept": "on_hold", "hold": "on_hold", "resume": "connected", "end": "ended"},
    "ended": {"end": "ended"},
}


@pytest.mark.parametrize("status", CallStatus)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_pair_of_status_and_trigger(status: CallStatus, trigger: Trigger) -> None:
    """Each trigger leads where the law says, or is refused where the law is silent."""
    assert TABLE.get((status, trigger)) == LAW[status].get(trigger)


@pytest.mark.parametrize("status", [CallStatus.INITIATING, CallStatus.RINGING])
def test_accept_connects(status: CallStatus) -> None:
    """A call that was not answered yet becomes connected at the moment it was answered."""
    call = transitions.accept(a_call(status), answered_at=NOON, now=LATER)
    assert (call.status, call.answered_at, call.updated_at) == ("connected", NOON, LATER)


@pytest.mark.parametrize("status", [CallStatus.CONNECTED, CallStatus.ON_HOLD])
def test_accept_again_changes_nothing(status: CallStatus) -> None:
    """A call that was answered before is the same object afterwards."""
    call = a_call(status, answered_at=NOON)
    assert transitions.accept(call, answered_at=LATER, now=LATER) is call


def test_accept_of_an_ended_call_is_refused() -> None:
    """An ended call never comes back."""
    with pytest.raises(CallEndedError, match="Call has already ended"):
        transitions.accept(a_call(CallStatus.ENDED), answered_at=NOON, now=LATER)


@pytest.mark.parametrize("status", list(CallStatus)[:4])
def test_end_keeps_what_the_pbx_measured(status: CallStatus) -> None:
    """Whatever the call was doing, it ends with the facts it was ended with."""
    facts = EndFacts(17, "BUSY", 3000, 0, NOON + timedelta(seconds=3))
    call = transitions.end(a_call(status), facts, now=LATER)
    assert call.status == "ended"
    assert call.end_time == NOON + timedelta(seconds=3)
    assert call.updated_at == LATER
    assert (call.hangup_cause, call.dial_status, call.ring_ms, call.answered_ms) == (
        17,
        "BUSY",
        3000,
        0,
    )


def test_end_without_facts_ends_now() -> None:
    """Where nobody says when the call ended, it is the moment of the request."""
    call = transitions.end(a_call(), EndFacts(), now=LATER)
    assert (call.end_time, call.hangup_cause) == (LATER, None)


def test_second_end_changes_nothing() -> None:
    """An ended call is the same object afterwards, whatever the second request says of it."""
    call = transitions.end(a_call(), EndFacts(17, "BUSY", 3000, 0, NOON), now=NOON)
    other = EndFacts(16, "ANSWER", 1, 60_000, LATER, reason="lost")
    assert transitions.end(call, other, now=LATER) is call
    assert transitions.end(call, EndFacts(), now=LATER) is call


def test_second_end_fills_in_what_was_not_known() -> None:
    """Whoever tells it; what was measured first stays, and so does the end's moment."""
    call = transitions.end(a_call(), EndFacts(hangup_cause=16, ended_at=NOON), now=NOON)
    told = EndFacts(17, "ANSWER", 3000, 60_000, LATER)
    call = transitions.end(call, told, now=LATER)
    assert (call.hangup_cause, call.dial_status, call.ring_ms, call.answered_ms) == (
        16,
        "ANSWER",
        3000,
        60_000,
    )
    assert (call.end_time, call.updated_at) == (NOON, LATER)
    assert call.answered_at == NOON - timedelta(seconds=60)


def test_an_end_that_was_found_out_gives_way_to_one_that_was_seen() -> None:
    """Without a cause the moment was a guess; with one it is not."""
    lost = transitions.end(a_call(), EndFacts(ended_at=LATER, reason="lost"), now=LATER)
    seen = transitions.end(lost, EndFacts(hangup_cause=16, ended_at=NOON), now=LATER)
    assert (seen.end_time, seen.hangup_cause) == (NOON, 16)
    again = transitions.end(seen, EndFacts(hangup_cause=19, ended_at=LATER), now=LATER)
    assert again is seen


def test_duration_stands_in_for_a_lost_accept() -> None:
    """A call whose accept never arrived was answered so long before its end as it lasted."""
    call = transitions.end(a_call(), EndFacts(answered_ms=60_000), now=LATER)
    assert call.answered_at == NOON + timedelta(seconds=5)


def test_known_answer_is_not_replaced() -> None:
    """The time of the accept stays, whatever the duration would make of it."""
    answered = a_call(CallStatus.CONNECTED, answered_at=NOON)
    call = transitions.end(answered, EndFacts(answered_ms=60_000), now=LATER)
    assert call.answered_at == NOON


def test_unanswered_call_has_no_answer() -> None:
    """A duration of zero means that nobody answered."""
    assert transitions.end(a_call(), EndFacts(answered_ms=0), now=LATER).answered_at is None
