"""What this topic needs from the outside; the store and the PBX's wire provide it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.rooms.models import Member, Room, RoomEvent

RoomDecision = Callable[[Room], tuple[Room, RoomEvent] | None]
"""Looks at a room as it is now and says what it becomes, with the event to log; None to leave it.
Refuses by raising. It may be run again on a newer state, so it must have no other effect."""


class RoomReader(Protocol):
    """Reads the records of rooms; a room comes with its members, in their order."""

    async def get(self, room_id: str) -> Room | None:
        """The room with this id, active or closed, if there is one."""
        ...

    async def by_number(self, number: str) -> Room | None:
        """The active room with this number, if there is one."""
        ...

    async def active(self, user: str | None, limit: int) -> Sequence[Room]:
        """At most `limit` active rooms, newest first.

        Those that this user owns, moderates (`settings.moderator_id`) or has a seat in
        (`Member.user`); all for None.
        """
        ...

    async def events(self, room_id: str) -> Sequence[RoomEvent]:
        """The log of a room, oldest first; empty when there is no such room."""
        ...


class RoomWriter(Protocol):
    """Changes the records of rooms; each method is one transaction."""

    async def create(
        self, room: Room, event: RoomEvent, key: IdempotencyKey | None, limit: int | None
    ) -> tuple[Room, bool]:
        """Record a new room, or find the one that this is a repetition of.

        Returns the recorded room and whether it is new; a repetition has the same key. Raises
        calls.errors.KeyReusedError for the key of another order, NumberTakenError when an active
        room has the number, RoomLimitError when the owner has `limit` active rooms already (None
        for no limit); each holds for creations at the same moment too.
        """
        ...

    async def change(self, room_id: str, decide: RoomDecision) -> tuple[Room, RoomEvent | None]:
        """Apply a decision to the present state and log it, if it changes anything.

        Returns the room as it is now and the event that was logged. Raises RoomNotFoundError.
        """
        ...

    async def discard(self, room_id: str) -> None:
        """Forget a room that never was, with its log and its key."""
        ...


class RoomUpkeep(Protocol):
    """What the passing of time asks of the records."""

    async def numbers(self) -> Collection[str]:
        """The numbers of all active rooms."""
        ...

    async def overdue(self, now: datetime, idle_since: datetime, limit: int) -> Sequence[str]:
        """Ids of at most `limit` active rooms to look at, the longest overdue first.

        `closes_at` is not after `now`, or `updated_at` is not after `idle_since`.
        """
        ...

    async def next_close(self) -> datetime | None:
        """The earliest `closes_at` of an active room; None when no active room has one."""
        ...

    async def forget(self, closed_before: datetime, limit: int) -> int:
        """Delete at most `limit` rooms closed before this, with members, log and keys; how many."""
        ...


class RoomRecords(RoomReader, RoomWriter, RoomUpkeep, Protocol):
    """All of the records."""


class BridgeControl(Protocol):
    """The PBX's side of a room; every method raises calls.errors.PbxError."""

    async def open(self, room: Room) -> None:
        """Make the room's bridge, of the room's type; one that is there already is taken over."""
        ...

    async def close(self, room: Room) -> None:
        """Destroy the room's bridge; one that is gone already is a success."""
        ...

    async def start_recording(self, room: Room, name: str) -> None:
        """Record what is heard in the bridge under this name."""
        ...

    async def stop_recording(self, room: Room, name: str) -> None:
        """Stop and keep the recording; one that is over already is a success."""
        ...


class LegControl(Protocol):
    """The telephones of a room; every method raises calls.errors.PbxError."""

    async def ring(self, room: Room, member: Member, endpoint: str) -> None:
        """Ring a checked dial string on the channel id `member.channel`.

        When it answers, `Attendance.arrived` is told; when it does not, `Attendance.gone`.
        """
        ...

    async def hang_up(self, channel: str, cause: int) -> None:
        """Hang the channel up with this Q.850 cause; one that is gone already is a success."""
        ...


class FloorControl(Protocol):
    """Who hears whom; every method raises calls.errors.PbxError.

    `member.channel` is set. That the channel is gone, or has left the application, is no error:
    its event comes by itself.
    """

    async def admit(self, room: Room, member: Member) -> None:
        """Stop the waiting music and put the channel into the bridge, muted if the member is."""
        ...

    async def set_aside(self, room: Room, member: Member) -> None:
        """Take the channel out of the bridge, if it is in it, and play it music."""
        ...

    async def mute(self, room: Room, member: Member) -> None:
        """Make what the channel says be unheard, or heard again, as `member.is_muted` says."""
        ...


class RoomControl(BridgeControl, LegControl, FloorControl, Protocol):
    """All that the PBX does for rooms."""
