"""What the PBX reports of calls, written into their records.

Reports come late, twice and out of order; what the record's state does not allow is ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from fastagi_server.calls import transitions
from fastagi_server.calls.errors import CallEndedError, CallNotFoundError
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import Call, CallEvent, EventKind
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.ports import CallRecords
from fastagi_server.calls.transitions import Trigger
from fastagi_server.telemetry.measures import Measures

PBX = "asterisk"
"""The actor of everything that nobody asked for over the API."""

MAX_ACTIVE = 100_000
"""Calls that are read at once; more than one Asterisk carries."""

_KINDS = {
    Trigger.RING: EventKind.RINGING,
    Trigger.ACCEPT: EventKind.ACCEPTED,
    Trigger.HOLD: EventKind.HELD,
    Trigger.RESUME: EventKind.RESUMED,
    Trigger.END: EventKind.ENDED,
}


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class CallJournal:
    """Writes reports into the records of calls."""

    def __init__(
        self,
        *,
        records: CallRecords,
        measures: Measures,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._records = records
        self._measures = measures
        self._now = now

    async def note(self, call_id: str, note: Note) -> None:
        """Write one report; one about a call that was discarded is ignored.

        So is one about a call that has ended, except for what was not known yet at its end.
        """
        actor = note.actor or PBX

        def decide(call: Call) -> tuple[Call, CallEvent] | None:
            changed = _changed(call, note, self._now())
            if changed is call:
                return None
            kind = _KINDS[note.trigger] if call.is_active else EventKind.MEASURED
            return changed, CallEvent(kind, note.at, actor, note.facts.known())

        try:
            _, event = await self._records.change(call_id, decide)
        except CallNotFoundError:
            return
        if event is not None:
            self._measures.calls.add(event.kind)

    async def adopt(self, order: CallOrder) -> Call:
        """The call of the channel that the order names, recorded now unless it was before."""
        call = order.draft(PBX, self._now())
        event = CallEvent(EventKind.ADOPTED, call.start_time, PBX, {})
        recorded, is_new = await self._records.create(call, event, None)
        if is_new:
            self._measures.calls.add(EventKind.ADOPTED)
        return recorded

    async def adopt_again(self, order: CallOrder) -> Call:
        """A new call of a channel that was a call before and has come once more.

        The record is found by its own id only, so that the channel's first call stays the one
        that the dialplan registered.
        """
        call = replace(order.draft(PBX, self._now()), channel=None)
        event = CallEvent(EventKind.ADOPTED, call.start_time, PBX, {})
        recorded, _ = await self._records.create(call, event, None)
        self._measures.calls.add(EventKind.ADOPTED)
        return recorded

    async def register(self, order: CallOrder) -> Call:
        """A new call that the PBX has made by itself, without a channel that it is known by."""
        call = order.draft(PBX, self._now())
        event = CallEvent(EventKind.CREATED, call.start_time, PBX, {})
        recorded, _ = await self._records.create(call, event, None)
        self._measures.calls.add(EventKind.CREATED)
        return recorded

    async def log(
        self, call_id: str, kind: EventKind, actor: str, facts: Mapping[str, str | int]
    ) -> None:
        """Add a line to the log of a call whose state it does not change."""
        event = CallEvent(kind, self._now(), actor, facts)
        await self._records.change(call_id, lambda call: (call, event))
        self._measures.calls.add(kind)

    async def get(self, call_id: str) -> Call | None:
        """The record of a call."""
        return await self._records.get(call_id)

    async def active(self) -> Sequence[Call]:
        """The records of all calls that have not ended, newest first."""
        return await self._records.active(None, MAX_ACTIVE)


def _changed(call: Call, note: Note, now: datetime) -> Call:
    match note.trigger:
        case Trigger.END:
            return transitions.end(call, note.facts, now=now)
        case Trigger.ACCEPT:
            try:
                return transitions.accept(call, answered_at=note.at, now=now)
            except CallEndedError:
                return call
        case _:
            return transitions.move(call, note.trigger, now=now)
