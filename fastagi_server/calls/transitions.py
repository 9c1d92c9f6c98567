"""What may happen to a call, as a table, and the functions that make it happen.

Laws:
1. A trigger missing from the table for a status is refused.
2. A trigger that leads to the status the call already has changes nothing: accept, hold, resume
   and end may all be repeated.
3. Nothing leaves `ended`.
4. What the PBX measured is never overwritten, and `answered_at` is never lost. What nobody had
   measured yet when a call ended is filled in when somebody tells it later.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from fastagi_server.calls.errors import CallEndedError
from fastagi_server.calls.models import Call, CallStatus, EndFacts


class Trigger(StrEnum):
    """What moves a call: a request of a party or an event of the PBX."""

    RING = "ring"
    ACCEPT = "accept"
    HOLD = "hold"
    RESUME = "resume"
    END = "end"


Fact = TypeVar("Fact", int, str)

_S, _T = CallStatus, Trigger

TABLE: Mapping[tuple[CallStatus, Trigger], CallStatus] = MappingProxyType(
    {
        (_S.INITIATING, _T.RING): _S.RINGING,
        (_S.INITIATING, _T.ACCEPT): _S.CONNECTED,
        (_S.INITIATING, _T.END): _S.ENDED,
        (_S.RINGING, _T.RING): _S.RINGING,
        (_S.RINGING, _T.ACCEPT): _S.CONNECTED,
        (_S.RINGING, _T.END): _S.ENDED,
        (_S.CONNECTED, _T.ACCEPT): _S.CONNECTED,
        (_S.CONNECTED, _T.HOLD): _S.ON_HOLD,
        (_S.CONNECTED, _T.RESUME): _S.CONNECTED,
        (_S.CONNECTED, _T.END): _S.ENDED,
        (_S.ON_HOLD, _T.ACCEPT): _S.ON_HOLD,
        (_S.ON_HOLD, _T.HOLD): _S.ON_HOLD,
        (_S.ON_HOLD, _T.RESUME): _S.CONNECTED,
        (_S.ON_HOLD, _T.END): _S.ENDED,
        (_S.ENDED, _T.END): _S.ENDED,
    }
)


def accept(call: Call, *, answered_at: datetime, now: datetime) -> Call:
    """The call answered; the same object when it was already. Raises CallEndedError."""
    status = TABLE.get((call.status, Trigger.ACCEPT))
    if status is None:
        raise CallEndedError
    if status is call.status:
        return call
    return replace(call, status=status, answered_at=answered_at, updated_at=now)


def move(call: Call, trigger: Trigger, *, now: datetime) -> Call:
    """The call after ring, hold or resume; the same object where that changes nothing.

    What the PBX reports may come late: a trigger that its status does not know is ignored.
    """
    status = TABLE.get((call.status, trigger), call.status)
    return call if status is call.status else replace(call, status=status, updated_at=now)


def end(call: Call, facts: EndFacts, *, now: datetime) -> Call:
    """The call ended with these facts; one that had ended with what was not known of it yet.

    The same object where that changes nothing.
    """
    if call.status is CallStatus.ENDED:
        return _completed(call, facts, now)
    end_time = facts.ended_at or now
    return replace(
        call,
        status=TABLE[call.status, Trigger.END],
        end_time=end_time,
        answered_at=call.answered_at or _answered_before(end_time, facts.answered_ms),
        hangup_cause=facts.hangup_cause,
        dial_status=facts.dial_status,
        ring_ms=facts.ring_ms,
        answered_ms=facts.answered_ms,
        quality=facts.quality,
        updated_at=now,
    )


def _completed(call: Call, facts: EndFacts, now: datetime) -> Call:
    completed = replace(
        call,
        end_time=_measured_end(call, facts),
        hangup_cause=_first(call.hangup_cause, facts.hangup_cause),
        dial_status=_first(call.dial_status, facts.dial_status),
        ring_ms=_first(call.ring_ms, facts.ring_ms),
        answered_ms=_first(call.answered_ms, facts.answered_ms),
        quality=facts.quality if call.quality is None else call.quality,
    )
    if completed.answered_at is None and completed.end_time is not None:
        completed.answered_at = _answered_before(completed.end_time, completed.answered_ms)
    if completed == call:
        return call
    completed.updated_at = now
    return completed


def _measured_end(call: Call, facts: EndFacts) -> datetime | None:
    # Without a cause nobody had seen the end: the time is when it was found out, or asked for.
    is_guess = call.hangup_cause is None and facts.hangup_cause is not None
    return facts.ended_at or call.end_time if is_guess else call.end_time


def _first(known: Fact | None, told: Fact | None) -> Fact | None:
    return told if known is None else known


def _answered_before(end_time: datetime, answered_ms: int | None) -> datetime | None:
    # The message that the call was answered may have been lost; its duration says so all the same.
    if not answered_ms:
        return None
    return end_time - timedelta(milliseconds=answered_ms)
