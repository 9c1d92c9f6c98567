"""Who is in a room by telephone, as the PBX tells it.

The application that holds the rooms' channels calls these methods, in the order of the events of
each room. None of them raises for a room or a channel that is unknown: the PBX may always know
more than the record.
"""

from collections.abc import Awaitable, Collection, Sequence

import structlog

from fastagi_server.calls.errors import PbxError
from fastagi_server.rooms import transitions
from fastagi_server.rooms.changes import RoomChanges, Transition
from fastagi_server.rooms.errors import RoomNotFoundError
from fastagi_server.rooms.models import Member, MemberState, Room, RoomEventKind, Visitor
from fastagi_server.rooms.ports import RoomControl

CALL_REJECTED = 21
"""Q.850: why a channel that has no seat is hung up."""

MAX_ACTIVE = 10_000
"""Active rooms that a reconciliation looks at; ten times those that can be dialled."""

_log = structlog.get_logger("rooms")


class Attendance:
    """Keeps the roster equal to the bridge's members."""

    def __init__(self, changes: RoomChanges) -> None:
        self._changes = changes
        self._records = changes.records

    async def find(self, number: str) -> Room | None:
        """The active room that is reached by this number."""
        return await self._records.by_number(number)

    async def active(self) -> Sequence[Room]:
        """All active rooms, to reconcile them one by one."""
        return await self._records.active(None, MAX_ACTIVE)

    async def call_in(self, room_id: str, visitor: Visitor) -> Room:
        """Give a telephone that has called in a seat, and let it in or make it wait.

        The password was asked for before. Raises RoomFullError, RoomLockedError, RoomClosedError,
        RoomForbiddenError, RoomNotFoundError, RoomBusyError, and PbxError.
        """
        now = self._changes.now()
        return await self._changes.apply(
            room_id,
            RoomEventKind.ARRIVED,
            visitor.user or "asterisk",
            lambda room: transitions.call_in(room, visitor, now=now),
            {"channel": visitor.channel, "number": visitor.number},
        )

    def expect(self, room: Room, visitor: Visitor) -> None:
        """Raise what `call_in` would raise for want of a seat, before the telephone is answered."""
        transitions.call_in(room, visitor, now=self._changes.now())

    async def replaced(self, room_id: str, channel: str, visitor: Visitor) -> None:
        """Note that a telephone has handed its place over to another one (attended transfer)."""
        now = self._changes.now()
        await self._note(
            room_id,
            RoomEventKind.ARRIVED,
            lambda room: transitions.take_over(room, channel, visitor, now=now),
            {"channel": visitor.channel, "replaces": channel},
            gone=channel,
        )

    async def arrived(self, room_id: str, channel: str) -> None:
        """Note that a telephone that was rung has answered: it is let in or waits."""
        now = self._changes.now()
        room = await self._note(
            room_id,
            RoomEventKind.ARRIVED,
            lambda room: transitions.arrive(room, channel, now=now),
            {"channel": channel},
        )
        if room is None or room.by_channel(channel) is None:
            await self._send_away(channel)

    async def member_entered(self, room_id: str, channel: str) -> None:
        """Note that a channel is in the bridge.

        One that has no seat and gets none is hung up; one that has to wait is taken out again.
        """
        now = self._changes.now()
        room = await self._note(
            room_id,
            RoomEventKind.ENTERED,
            lambda room: transitions.enter(room, channel, now=now),
            {"channel": channel},
        )
        member = None if room is None else room.by_channel(channel)
        if room is None or member is None:
            await self._send_away(channel)
        elif member.state is MemberState.WAITING and self._changes.control is not None:
            await _quietly(self._changes.control.set_aside(room, member))

    async def member_left(self, room_id: str, channel: str) -> None:
        """Note that a channel is no longer in the bridge, whoever took it out."""
        now = self._changes.now()
        await self._note(
            room_id,
            RoomEventKind.LEFT,
            lambda room: transitions.leave_bridge(room, channel, now=now),
            {"channel": channel},
            gone=channel,
        )

    async def member_gone(self, room_id: str, channel: str, cause: int | None) -> None:
        """Note that a channel has left the application or was hung up, with its Q.850 cause."""
        now = self._changes.now()
        facts: dict[str, str | int] = {"channel": channel}
        if cause is not None:
            facts["hangup_cause"] = cause
        await self._note(
            room_id,
            RoomEventKind.LEFT,
            lambda room: transitions.go(room, channel, now=now),
            facts,
            gone=channel,
        )

    async def recording_over(self, room_id: str, name: str) -> None:
        """Note that this recording ended by itself, at its limit or for want of space."""
        now = self._changes.now()

        def stop(room: Room) -> Room:
            return transitions.record(room, None, now=now) if room.recording == name else room

        await self._note(room_id, RoomEventKind.RECORDING_STOPPED, stop, {"recording": name})

    async def bridge_lost(self, room_id: str) -> None:
        """Make the bridge of an active room anew; its channels were told one by one."""
        try:
            async with self._changes.turn(room_id) as room:
                if room.is_active and self._changes.control is not None:
                    await _quietly(self._changes.control.open(room))
        except RoomNotFoundError:
            return

    async def reconcile(
        self,
        room_id: str,
        *,
        seated: Collection[str],
        bridged: Collection[str],
        alive: Collection[str],
        answered: Collection[str],
        has_bridge: bool,
    ) -> None:
        """Make record and PBX agree after a time without events.

        `seated` had a seat when the PBX was asked; `bridged` are the channels in the room's bridge,
        which is made anew unless `has_bridge`; `alive` are all channels of the PBX, `answered`
        those of them that are up. Raises PbxError when the bridge cannot be had.
        """
        now = self._changes.now()

        def agree(room: Room) -> Room:
            return transitions.reconcile(
                room, seated=seated, bridged=bridged, alive=alive, answered=answered, now=now
            )

        async with self._changes.turn(room_id) as before:
            control = self._changes.control
            if control is None or not before.is_active:
                return
            if not has_bridge:
                await control.open(before)
            room = agree(before)
            if room is not before:
                await self._changes.follow(before, room, strict=False)
                kind = RoomEventKind.RECONCILED
                room = await self._changes.write(room_id, kind, "asterisk", agree)
            for member in room.members:
                await _quietly(_placed(control, room, member, bridged))
        for channel in bridged:
            if room.by_channel(channel) is None and channel not in seated:
                await self._send_away(channel)

    async def _note(
        self,
        room_id: str,
        kind: RoomEventKind,
        transition: Transition,
        facts: dict[str, str | int],
        *,
        gone: str | None = None,
    ) -> Room | None:
        try:
            return await self._changes.note(room_id, kind, transition, facts, gone=gone)
        except RoomNotFoundError:
            return None

    async def _send_away(self, channel: str) -> None:
        if self._changes.control is not None:
            await _quietly(self._changes.control.hang_up(channel, CALL_REJECTED))


async def _placed(
    control: RoomControl, room: Room, member: Member, bridged: Collection[str]
) -> None:
    """Do again what may have been lost: let in who is on the way, take out who has to wait."""
    if member.state is MemberState.CONNECTING:
        await control.admit(room, member)
    elif member.state is MemberState.WAITING and member.channel in bridged:
        await control.set_aside(room, member)


async def _quietly(step: Awaitable[None]) -> None:
    try:
        await step
    except PbxError as error:
        _log.warning("room_out_of_step", reason=str(error))
