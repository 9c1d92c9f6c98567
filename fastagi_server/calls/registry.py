"""The register of calls: creates, adopts, finds and changes them, after asking who wants it.

Nothing has an effect before the identity was found to be allowed it. Rights are checked inside
the transaction that makes the change, so that they hold for the state that is changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from fastagi_server.calls import transitions
from fastagi_server.calls.commands import LOGGED, Command, Transfer, logged_facts
from fastagi_server.calls.errors import (
    CallEndedError,
    CallForbiddenError,
    CallNotFoundError,
    CallStateError,
    PbxError,
    PbxUnreachableError,
)
from fastagi_server.calls.journal import utc_now
from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent, EndFacts, EventKind
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.calls.ports import CallControl, CallRecords, Decision, IdempotencyKey
from fastagi_server.identities.extensions import Directory, ExtensionTable
from fastagi_server.identities.identity import Identity
from fastagi_server.telemetry.measures import Measures

NOBODY_TOLD = EndFacts()
NO_DIRECTORY = ExtensionTable({})


class CallRegistry:
    """All that may be asked about calls.

    `control` is None where no PBX can be asked to ring anybody; calls that exist in the PBX
    already, and calls between users, work without it. Every method raises CallForbiddenError when
    the identity may not do it, and CallNotFoundError for an id that no call has. `directory` knows
    whose a participant's telephone is; a user may have `max_calls` of his own at once, None for
    no limit. `outbound` says what a user may have rung beyond a trunk.
    """

    def __init__(
        self,
        *,
        records: CallRecords,
        control: CallControl | None,
        measures: Measures,
        directory: Directory = NO_DIRECTORY,
        max_calls: int | None = None,
        outbound: OutboundPolicy = NO_CALLS_OUT,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._records = records
        self._directory = directory
        self.max_calls = max_calls
        self._outbound = outbound
        self._control = control
        self._measures = measures
        self._now = now

    async def create(self, order: CallOrder, by: Identity, key: str | None) -> tuple[Call, bool]:
        """Create the ordered call, or adopt the channel it names.

        Returns the call and whether it is new: a repeated `key`, or a channel that was adopted
        before, gives the call of the first time. Raises KeyReusedError, ConcurrencyExceededError
        and PbxError; after an error nothing is left behind.
        """
        _require_calling(by)
        if order.channel is not None and not by.is_trusted:
            raise CallForbiddenError("Not authorized to adopt a channel")
        self._require_ringable(order.participants, by)
        if order.needs_pbx and self._control is None:
            raise PbxUnreachableError("No PBX is connected that could ring a dial string")
        call = order.draft(by.name, self._now())
        kind = EventKind.CREATED if order.channel is None else EventKind.ADOPTED
        event = CallEvent(kind, call.start_time, by.name, {})
        repeatable = None if key is None else IdempotencyKey(by.name, key, order.fingerprint)
        limit = None if by.is_trusted else self.max_calls
        aliases = self._users(order.participants)
        recording = asyncio.create_task(
            self._records.create(call, event, repeatable, limit, aliases), name="call-record"
        )
        try:
            if order.needs_pbx and self._control is not None:
                is_certain = repeatable is None and limit is None
                # Where the record may be refused, or found, the PBX hears of nothing before it is.
                if is_certain or (await recording)[1]:
                    await asyncio.sleep(0)  # the record is on its way before the PBX is asked
                    await self._place(call, recording, self._control)
            recorded, is_new = await recording
        finally:
            recording.cancel()
        if is_new:
            self._measures.calls.add(kind)
        return recorded, is_new

    async def get(self, call_id: str, by: Identity) -> Call:
        """The call with this id."""
        _require_calling(by)
        return await self._find(call_id, by, "User not authorized for this call")

    async def active(self, by: Identity, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; all of them if trusted."""
        _require_calling(by)
        return await self._records.active(None if by.is_trusted else by.name, limit)

    async def page(
        self, query: CallQuery, by: Identity, after: Cursor | None, limit: int
    ) -> Sequence[Call]:
        """At most `limit` calls of a list, newest first; a user finds those he is a party of."""
        _require_calling(by)
        if not by.is_trusted:
            if query.party not in {None, by.name}:
                raise CallForbiddenError("Not authorized to list the calls of others")
            query = replace(query, party=by.name)
        return await self._records.page(query, after, limit)

    async def events(self, call_id: str, by: Identity) -> Sequence[CallEvent]:
        """What happened to the call, oldest first."""
        await self.get(call_id, by)
        return await self._records.events(call_id)

    async def accept(self, call_id: str, by: Identity, answered_at: datetime | None) -> Call:
        """Answer the call, or note when the PBX says it was.

        Raises CallEndedError, PbxError, and CallStateError for a call that rings in his own page.
        """
        call = await self.get(call_id, by)
        if (
            self._control is not None
            and answered_at is None
            and call.is_active
            and await self._control.accept(call, by.name)
        ):
            return await self.get(call_id, by)
        now = self._now()

        def decide(call: Call) -> tuple[Call, CallEvent] | None:
            self._require_party(call, by, "User not authorized for this call")
            accepted = transitions.accept(call, answered_at=answered_at or now, now=now)
            if accepted is call:
                return None
            return accepted, CallEvent(EventKind.ACCEPTED, now, by.name, {})

        return await self._change(call_id, decide)

    async def end(self, call_id: str, by: Identity, facts: EndFacts) -> Call:
        """End the call; an ended call gets the facts that it lacks. Raises PbxError.

        With facts it is the PBX that says so, and there is nothing left to hang up.
        """
        _require_calling(by)
        refusal = "User not authorized to end this call"
        if self._control is not None and facts == NOBODY_TOLD:
            call = await self._find(call_id, by, refusal)
            if call.is_active and await self._control.hang_up(call, by.name):
                return await self._find(call_id, by, refusal)
        now = self._now()

        def decide(call: Call) -> tuple[Call, CallEvent] | None:
            self._require_party(call, by, refusal)
            if not call.is_active and not by.is_trusted:
                return None
            ended = transitions.end(call, facts, now=now)
            if ended is call:
                return None
            kind = EventKind.ENDED if call.is_active else EventKind.MEASURED
            return ended, CallEvent(kind, now, by.name, facts.known())

        return await self._change(call_id, decide)

    async def command(self, call_id: str, by: Identity, command: Command) -> Call:
        """Do something with a call under way. Raises CallEndedError, CallStateError, PbxError."""
        call = await self.get(call_id, by)
        if isinstance(command, Transfer):
            self._require_ringable((command.to,), by)
        if not call.is_active:
            raise CallEndedError
        if self._control is None:
            raise CallStateError("No PBX leads this call")
        own = (each for each in call.participants if by.name in self._users((each,)))
        await self._control.perform(call, command, by.name, frozenset(own))
        kind = LOGGED.get(type(command))
        if kind is None:
            return await self.get(call_id, by)
        event = CallEvent(kind, self._now(), by.name, logged_facts(command))
        return await self._change(call_id, lambda call: (call, event))

    async def _find(self, call_id: str, by: Identity, refusal: str) -> Call:
        call = await self._records.get(call_id)
        if call is None:
            raise CallNotFoundError
        self._require_party(call, by, refusal)
        return call

    def _require_party(self, call: Call, by: Identity, refusal: str) -> None:
        if by.is_trusted or by.name == call.caller_id or by.name in self._users(call.participants):
            return
        raise CallForbiddenError(refusal)

    def _require_ringable(self, participants: Sequence[str], by: Identity) -> None:
        if not by.is_trusted and any(map(self._outbound.user_refusal, participants)):
            raise CallForbiddenError("Not authorized to ring beyond a trunk")

    def _users(self, participants: Sequence[str]) -> frozenset[str]:
        return frozenset[str]().union(*map(self._directory.identities_of, participants))

    async def _change(self, call_id: str, decide: Decision) -> Call:
        call, event = await self._records.change(call_id, decide)
        if event is not None:
            self._measures.calls.add(event.kind)
        return call

    async def _place(self, call: Call, recording: Awaitable[object], control: CallControl) -> None:
        try:
            await control.originate(call, recording)
        except PbxError:
            await recording
            await self._records.discard(call.id)
            raise


def _require_calling(by: Identity) -> None:
    if not by.may_call:
        raise CallForbiddenError("The credential has no scope for calls")
