"""What the owner of a room, its moderator and trusted identities may do with it."""

from collections.abc import Callable

from fastagi_server.calls.errors import PbxUnreachableError
from fastagi_server.identities.identity import Identity
from fastagi_server.rooms import transitions
from fastagi_server.rooms.changes import RoomChanges
from fastagi_server.rooms.errors import RoomForbiddenError
from fastagi_server.rooms.models import Room, RoomEventKind
from fastagi_server.rooms.registry import require_calling


class Moderation:
    """Closes, locks and records rooms, and sends members away or mutes them.

    Every method raises RoomForbiddenError when the identity does not moderate the room,
    RoomNotFoundError for an id that no room has, RoomClosedError for a room that was closed,
    RoomBusyError, and PbxError when the PBX did not do it; then nothing has changed.
    """

    def __init__(self, changes: RoomChanges) -> None:
        self._changes = changes

    async def close(self, room_id: str, by: Identity) -> Room:
        """Send everybody away and close the room; a closed room stays as it is."""
        now = self._changes.now()
        return await self._moderate(
            room_id, RoomEventKind.CLOSED, by, lambda room: transitions.close(room, now=now)
        )

    async def lock(self, room_id: str, by: Identity, *, is_locked: bool) -> Room:
        """Let nobody else in, or everybody again."""
        now = self._changes.now()
        return await self._moderate(
            room_id,
            RoomEventKind.LOCKED if is_locked else RoomEventKind.UNLOCKED,
            by,
            lambda room: transitions.lock(room, is_locked=is_locked, now=now),
        )

    async def kick(self, room_id: str, member_id: str, by: Identity) -> Room:
        """Send a member away. Only a trusted identity may send the owner away."""
        now = self._changes.now()

        def kick(room: Room) -> Room:
            if member_id == room.owner_id and by.name != member_id and not by.is_trusted:
                raise RoomForbiddenError("The owner cannot be sent away")
            return transitions.kick(room, member_id, now=now)

        return await self._moderate(room_id, RoomEventKind.KICKED, by, kick, member=member_id)

    async def mute(self, room_id: str, member_id: str, by: Identity, *, is_muted: bool) -> Room:
        """Make a member unheard, or heard again."""
        now = self._changes.now()
        return await self._moderate(
            room_id,
            RoomEventKind.MUTED if is_muted else RoomEventKind.UNMUTED,
            by,
            lambda room: transitions.mute(room, member_id, is_muted=is_muted, now=now),
            member=member_id,
        )

    async def start_recording(self, room_id: str, by: Identity) -> Room:
        """Record what is heard in the room; a recording that runs goes on."""
        require_calling(by)
        now = self._changes.now()
        async with self._changes.turn(room_id) as room:
            name = f"{room.bridge_id}-{now:%Y%m%dT%H%M%S%f}"

            def record(room: Room) -> Room:
                _require_moderator(room, by)
                if not room.settings.allow_recording:
                    raise RoomForbiddenError("Recording is not allowed in this room")
                return transitions.record(room, name, now=now)

            if record(room) is not room:
                if self._changes.control is None:
                    raise PbxUnreachableError("No PBX is connected that could record")
                await self._changes.control.start_recording(room, name)
            facts = {"recording": name}
            kind = RoomEventKind.RECORDING_STARTED
            return await self._changes.write(room_id, kind, by.name, record, facts)

    async def stop_recording(self, room_id: str, by: Identity) -> Room:
        """Stop and keep the recording, if one runs."""
        require_calling(by)
        now = self._changes.now()

        def stop(room: Room) -> Room:
            _require_moderator(room, by)
            return transitions.record(room, None, now=now)

        async with self._changes.turn(room_id) as room:
            name = room.recording
            if stop(room) is not room and name is not None and self._changes.control is not None:
                await self._changes.control.stop_recording(room, name)
            facts = {"recording": name or ""}
            kind = RoomEventKind.RECORDING_STOPPED
            return await self._changes.write(room_id, kind, by.name, stop, facts)

    async def _moderate(
        self,
        room_id: str,
        kind: RoomEventKind,
        by: Identity,
        transition: Callable[[Room], Room],
        **facts: str,
    ) -> Room:
        require_calling(by)

        def allowed(room: Room) -> Room:
            _require_moderator(room, by)
            return transition(room)

        return await self._changes.apply(room_id, kind, by.name, allowed, facts)


def _require_moderator(room: Room, by: Identity) -> None:
    if not by.is_trusted and by.name not in room.moderators:
        raise RoomForbiddenError("Only moderators of the room may do this")
