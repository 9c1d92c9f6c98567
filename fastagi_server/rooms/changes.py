"""Changes of rooms, one at a time for each room: the PBX first, then the record.

A change is worked out on the record, the PBX is made to follow, and then the record is written. So
a request that the PBX refuses leaves no trace, and what the PBX did although the record could not
be written is told by its own events. One process owns a room's bridge, hence a lock in memory is
enough; the store checks the decision again all the same.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import structlog

from fastagi_server.calls.errors import PbxError
from fastagi_server.rooms.errors import RoomBusyError, RoomNotFoundError
from fastagi_server.rooms.models import Member, MemberState, Room, RoomEvent, RoomEventKind
from fastagi_server.rooms.ports import RoomControl, RoomRecords
from fastagi_server.telemetry.measures import Measures

TURN_SECONDS = 15.0
"""How long a change waits for those before it: three requests to the PBX that are not answered."""

NORMAL_CLEARING = 16

Transition = Callable[[Room], Room]
Facts = Mapping[str, str | int]
Step = Coroutine[Any, Any, None]

_log = structlog.get_logger("rooms")


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class RoomChanges:
    """Applies transitions to rooms and makes the PBX follow.

    `control` is None where there is no PBX: rooms of users without telephones work without it.
    """

    def __init__(
        self,
        *,
        records: RoomRecords,
        control: RoomControl | None,
        measures: Measures,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.records = records
        self.control = control
        self.now = now
        self._measures = measures
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def count(self, kind: RoomEventKind) -> None:
        """Count something that happened to a room."""
        self._measures.rooms.add(kind)

    @asynccontextmanager
    async def turn(self, room_id: str) -> AsyncGenerator[Room]:
        """Keep a room for oneself; gives it as it is now.

        Raises RoomNotFoundError, and RoomBusyError when the turn does not come within 15 seconds.
        """
        lock = self._turns.setdefault(room_id, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise RoomBusyError from None
        try:
            room = await self.records.get(room_id)
            if room is None:
                raise RoomNotFoundError
            yield room
        finally:
            lock.release()

    async def apply(
        self,
        room_id: str,
        kind: RoomEventKind,
        actor: str,
        transition: Transition,
        facts: Facts | None = None,
    ) -> Room:
        """What a request asks for: the PBX does it, or PbxError is raised and nothing changes."""
        async with self.turn(room_id) as before:
            after = transition(before)
            await self.follow(before, after)
            return await self.write(room_id, kind, actor, transition, facts)

    async def note(
        self,
        room_id: str,
        kind: RoomEventKind,
        transition: Transition,
        facts: Facts,
        *,
        gone: str | None = None,
    ) -> Room:
        """What the PBX told: the record says it, whatever the PBX makes of the consequences.

        `gone` is a channel that nothing more is to be done with.
        """
        async with self.turn(room_id) as before:
            after = transition(before)
            if after is not before:
                await self.follow(before, after, gone=gone, strict=False)
            return await self.write(room_id, kind, "asterisk", transition, facts)

    async def write(
        self,
        room_id: str,
        kind: RoomEventKind,
        actor: str,
        transition: Transition,
        facts: Facts | None = None,
    ) -> Room:
        """Write what a transition makes of the room, on one's turn; what closes it is `closed`."""
        now = self.now()

        def decide(room: Room) -> tuple[Room, RoomEvent] | None:
            after = transition(room)
            if after is room:
                return None
            closes = room.is_active and not after.is_active
            return after, RoomEvent(
                RoomEventKind.CLOSED if closes else kind, now, actor, facts or {}
            )

        room, event = await self.records.change(room_id, decide)
        if event is not None:
            self.count(event.kind)
        return room

    async def follow(
        self, before: Room, after: Room, *, gone: str | None = None, strict: bool = True
    ) -> None:
        """Make the PBX be as the room becomes.

        When `strict`, the first PbxError is raised, after everything was tried; else they are
        logged. Either way a later event or the next reconciliation puts the record right.
        """
        if self.control is None:
            return
        tasks = [
            asyncio.ensure_future(step) for step in _consequences(self.control, before, after, gone)
        ]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if before.is_active and not after.is_active:
            outcomes += await asyncio.gather(self._close(before), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, PbxError) and not strict:
                _log.warning("room_out_of_step", room=before.id, reason=str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _close(self, room: Room) -> None:
        if self.control is not None:
            if room.recording is not None:
                await self.control.stop_recording(room, room.recording)
            await self.control.close(room)


def _consequences(control: RoomControl, before: Room, after: Room, gone: str | None) -> list[Step]:
    """What the PBX has to do, each channel once."""
    was = {member.channel: member for member in before.members if member.channel is not None}
    becomes = {member.channel: member for member in after.members if member.channel is not None}
    steps: list[Step] = [
        control.hang_up(channel, NORMAL_CLEARING)
        for channel in was
        if channel not in becomes and channel != gone
    ]
    for channel, member in becomes.items():
        step = _step(control, after, was.get(channel), member)
        if step is not None:
            steps.append(step)
    return steps


def _step(control: RoomControl, room: Room, was: Member | None, member: Member) -> Step | None:
    if was is None or was.state is not member.state:
        if member.state is MemberState.CONNECTING:
            return control.admit(room, member)
        if member.state is MemberState.WAITING:
            return control.set_aside(room, member)
    elif was.is_muted is not member.is_muted and member.state is MemberState.PRESENT:
        return control.mute(room, member)
    return None
