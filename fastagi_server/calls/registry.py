"""The register of calls: creates, adopts, finds and changes them, after asking who wants it.

Nothing has an effect before the identity was found to be allowed it. Rights are checked inside
the transaction that makes the change, so that they hold for the state that is changed.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from fastagi_server.calls import transitions
from fastagi_server.calls.errors import (
    CallForbiddenError,
    CallNotFoundError,
    PbxError,
    PbxUnreachableError,
)
from fastagi_server.calls.identity import Identity
from fastagi_server.calls.models import Call, CallEvent, CallStatus, EndFacts, EventKind
from fastagi_server.calls.orders import CHANNEL_ID, OURS, CallOrder
from fastagi_server.calls.ports import CallControl, CallRecords, Decision, IdempotencyKey
from fastagi_server.telemetry.measures import Measures


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class CallRegistry:
    """All that may be asked about calls.

    `control` is None where no PBX can be asked to ring anybody; calls that exist in the PBX
    already, and calls between users, work without it. Every method raises CallForbiddenError when
    the identity may not do it, and CallNotFoundError for an id that no call has.
    """

    def __init__(
        self,
        *,
        records: CallRecords,
        control: CallControl | None,
        measures: Measures,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._records = records
        self._control = control
        self._measures = measures
        self._now = now

    async def create(self, order: CallOrder, by: Identity, key: str | None) -> tuple[Call, bool]:
        """Create the ordered call, or adopt the channel it names.

        Returns the call and whether it is new: a repeated `key`, or a channel that was adopted
        before, gives the call of the first time. Raises KeyReusedError and PbxError; after a
        PbxError nothing is left behind.
        """
        _require_calling(by)
        if order.channel is not None and not by.is_trusted:
            raise CallForbiddenError("Not authorized to adopt a channel")
        if order.needs_pbx and self._control is None:
            raise PbxUnreachableError("No PBX is connected that could ring a dial string")
        call = self._draft(order, by)
        kind = EventKind.CREATED if order.channel is None else EventKind.ADOPTED
        event = CallEvent(kind, call.start_time, by.name, {})
        repeatable = None if key is None else IdempotencyKey(by.name, key, order.fingerprint)
        recorded, is_new = await self._records.create(call, event, repeatable)
        if is_new:
            if order.needs_pbx and self._control is not None:
                await self._place(recorded, self._control)
            self._measures.calls.add(kind)
        return recorded, is_new

    async def get(self, call_id: str, by: Identity) -> Call:
        """The call with this id."""
        _require_calling(by)
        call = await self._records.get(call_id)
        if call is None:
            raise CallNotFoundError
        _require_party(call, by, "User not authorized for this call")
        return call

    async def active(self, by: Identity, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; all of them if trusted."""
        _require_calling(by)
        return await self._records.active(None if by.is_trusted else by.name, limit)

    async def events(self, call_id: str, by: Identity) -> Sequence[CallEvent]:
        """What happened to the call, oldest first."""
        await self.get(call_id, by)
        return await self._records.events(call_id)

    async def accept(self, call_id: str, by: Identity, answered_at: datetime | None) -> Call:
        """Note that the call was answered, now or when the PBX says. Raises CallEndedError."""
        _require_calling(by)
        now = self._now()

        def decide(call: Call) -> tuple[Call, CallEvent] | None:
            _require_party(call, by, "User not authorized for this call")
            accepted = transitions.accept(call, answered_at=answered_at or now, now=now)
            if accepted is call:
                return None
            return accepted, CallEvent(EventKind.ACCEPTED, now, by.name, {})

        return await self._change(call_id, decide)

    async def end(self, call_id: str, by: Identity, facts: EndFacts) -> Call:
        """End the call with what the PBX knew; an ended call stays as it is."""
        _require_calling(by)
        now = self._now()

        def decide(call: Call) -> tuple[Call, CallEvent] | None:
            _require_party(call, by, "User not authorized to end this call")
            ended = transitions.end(call, facts, now=now)
            if ended is call:
                return None
            return ended, CallEvent(EventKind.ENDED, now, by.name, _known(facts))

        return await self._change(call_id, decide)

    async def _change(self, call_id: str, decide: Decision) -> Call:
        call, event = await self._records.change(call_id, decide)
        if event is not None:
            self._measures.calls.add(event.kind)
        return call

    async def _place(self, call: Call, control: CallControl) -> None:
        try:
            await control.originate(call)
        except PbxError:
            await self._records.discard(call.id)
            raise

    def _draft(self, order: CallOrder, by: Identity) -> Call:
        call_id = str(uuid.uuid4())
        now = self._now()
        metadata = {key: value for key, value in order.metadata.items() if key not in OURS}
        if order.channel is not None:
            metadata[CHANNEL_ID] = order.channel.unique_id
        elif order.needs_pbx:
            metadata[CHANNEL_ID] = call_id
        return Call(
            id=call_id,
            caller_id=by.name,
            participants=order.participants,
            call_type=order.call_type,
            status=CallStatus.INITIATING,
            start_time=now,
            answered_at=None,
            end_time=None,
            room_id=None,
            metadata=metadata,
            updated_at=now,
            channel=order.channel,
        )


def _require_calling(by: Identity) -> None:
    if not by.may_call:
        raise CallForbiddenError("The credential has no scope for calls")


def _require_party(call: Call, by: Identity, refusal: str) -> None:
    if by.is_trusted or by.name == call.caller_id or by.name in call.participants:
        return
    raise CallForbiddenError(refusal)


def _known(facts: EndFacts) -> dict[str, str | int]:
    told = {
        "hangup_cause": facts.hangup_cause,
        "dial_status": facts.dial_status,
        "ring_ms": facts.ring_ms,
        "answered_ms": facts.answered_ms,
    }
    return {name: fact for name, fact in told.items() if fact is not None}
