"""Records of rooms in memory, a PBX that obeys, and rooms to start tests from."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastagi_server.calls.errors import KeyReusedError, PbxError
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.rooms.attendance import Attendance
from fastagi_server.rooms.changes import RoomChanges
from fastagi_server.rooms.errors import NumberTakenError, RoomLimitError, RoomNotFoundError
from fastagi_server.rooms.models import Member, MemberState, Room, RoomEvent, RoomSettings
from fastagi_server.rooms.moderation import Moderation
from fastagi_server.rooms.orders import RoomOrder
from fastagi_server.rooms.passwords import Hasher
from fastagi_server.rooms.ports import RoomControl, RoomDecision
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
ROOM_ID = "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11"

SERVICE = Identity("service", frozenset({Scope.SERVICE}))
ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOB = Identity("bob", frozenset({Scope.CALLS}))
EVE = Identity("eve", frozenset({Scope.CALLS}))
NOBODY = Identity("nobody", frozenset())


def a_room(*members: Member, seats: int = 3, **settings: Any) -> Room:
    """A room of alice for three, with the members given, or with her invited."""
    return Room(
        id=ROOM_ID,
        name="Standup",
        owner_id="alice",
        max_participants=seats,
        settings=RoomSettings(**settings),
        created_at=NOON,
        updated_at=NOON,
        number="123",
        members=members or (Member("alice", MemberState.INVITED, NOON, "alice"),),
    )


def an_order(seats: int = 3, *, password: str = "", **settings: Any) -> RoomOrder:
    """An order of a room called Standup."""
    rules = RoomSettings(**settings)
    return RoomOrder("Standup", seats, rules, password=password)


class MemoryRooms:
    """Records of rooms in a dictionary, for one test."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.log: dict[str, list[RoomEvent]] = {}
        self.keys: dict[tuple[str, str], tuple[bytes, str]] = {}

    async def get(self, room_id: str) -> Room | None:
        """See RoomReader."""
        return self.rooms.get(room_id)

    async def by_number(self, number: str) -> Room | None:
        """See RoomReader."""
        return next((room for room in self._active() if room.number == number), None)

    async def active(self, user: str | None, limit: int) -> Sequence[Room]:
        """See RoomReader."""
        rooms = [
            room
            for room in self._active()
            if user is None or user in room.moderators or room.by_user(user)
        ]
        return sorted(rooms, key=lambda room: room.created_at, reverse=True)[:limit]

    async def events(self, room_id: str) -> Sequence[RoomEvent]:
        """See RoomReader."""
        return self.log.get(room_id, [])

    async def create(
        self, room: Room, event: RoomEvent, key: IdempotencyKey | None, limit: int | None
    ) -> tuple[Room, bool]:
        """See RoomWriter."""
        if key is not None and (key.identity, key.key) in self.keys:
            fingerprint, room_id = self.keys[key.identity, key.key]
            if fingerprint != key.fingerprint:
                raise KeyReusedError
            return self.rooms[room_id], False
        owned = [each for each in self._active() if each.owner_id == room.owner_id]
        if limit is not None and len(owned) >= limit:
            raise RoomLimitError
        if room.number is not None and await self.by_number(room.number) is not None:
            raise NumberTakenError
        self.rooms[room.id], self.log[room.id] = room, [event]
        if key is not None:
            self.keys[key.identity, key.key] = key.fingerprint, room.id
        return room, True

    async def change(self, room_id: str, decide: RoomDecision) -> tuple[Room, RoomEvent | None]:
        """See RoomWriter."""
        if room_id not in self.rooms:
            raise RoomNotFoundError
        decision = decide(self.rooms[room_id])
        if decision is None:
            return self.rooms[room_id], None
        self.rooms[room_id], event = decision
        self.log[room_id].append(event)
        return decision

    async def discard(self, room_id: str) -> None:
        """See RoomWriter."""
        del self.rooms[room_id], self.log[room_id]
        self.keys = {key: value for key, value in self.keys.items() if value[1] != room_id}

    async def numbers(self) -> Collection[str]:
        """See RoomUpkeep."""
        return {room.number for room in self._active() if room.number is not None}

    async def overdue(self, now: datetime, idle_since: datetime, limit: int) -> Sequence[str]:
        """See RoomUpkeep."""
        return [
            room.id
            for room in self._active()
            if room.updated_at <= idle_since or (room.closes_at and room.closes_at <= now)
        ][:limit]

    async def next_close(self) -> datetime | None:
        """See RoomUpkeep."""
        return min((room.closes_at for room in self._active() if room.closes_at), default=None)

    async def forget(self, closed_before: datetime, limit: int) -> int:
        """See RoomUpkeep."""
        old = [
            room.id
            for room in self.rooms.values()
            if room.closed_at is not None and room.closed_at < closed_before
        ][:limit]
        for room_id in old:
            await self.discard(room_id)
        return len(old)

    def kinds(self, room_id: str) -> list[str]:
        """What the log of a room says happened."""
        return [event.kind.value for event in self.log[room_id]]

    def _active(self) -> list[Room]:
        return [room for room in self.rooms.values() if room.is_active]


class MemoryPbx:
    """A PBX that notes in words what it is told, and refuses what a test says it does."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.refusals: dict[str, PbxError] = {}

    async def open(self, room: Room) -> None:
        """See BridgeControl."""
        self._obey(f"open {room.settings.bridge_type.of_asterisk}")

    async def close(self, room: Room) -> None:
        """See BridgeControl."""
        self._obey("close")

    async def start_recording(self, room: Room, name: str) -> None:
        """See BridgeControl."""
        self._obey(f"record {name.removeprefix(room.bridge_id)}")

    async def stop_recording(self, room: Room, name: str) -> None:
        """See BridgeControl."""
        self._obey(f"stop {name.removeprefix(room.bridge_id)}")

    async def ring(self, room: Room, member: Member, endpoint: str) -> None:
        """See LegControl."""
        self._obey(f"ring {endpoint} {_tail(room, member.channel)}")

    async def hang_up(self, channel: str, cause: int) -> None:
        """See LegControl."""
        self._obey(f"hang up {channel.removeprefix(f'sge-room-{ROOM_ID}')} {cause}")

    async def admit(self, room: Room, member: Member) -> None:
        """See FloorControl."""
        muted = " muted" if member.is_muted else ""
        self._obey(f"admit {_tail(room, member.channel)}{muted}")

    async def set_aside(self, room: Room, member: Member) -> None:
        """See FloorControl."""
        self._obey(f"set aside {_tail(room, member.channel)}")

    async def mute(self, room: Room, member: Member) -> None:
        """See FloorControl."""
        self._obey(f"{'mute' if member.is_muted else 'unmute'} {_tail(room, member.channel)}")

    def _obey(self, order: str) -> None:
        for words, refusal in self.refusals.items():
            if order.startswith(words):
                raise refusal
        self.orders.append(order)


def _tail(room: Room, channel: str | None) -> str:
    assert channel is not None
    return channel.removeprefix(room.bridge_id)


class Desk:
    """All of the topic on records in memory, at noon."""

    def __init__(
        self,
        pbx: RoomControl | None = None,
        *,
        max_rooms: int = 0,
        outbound: OutboundPolicy = NO_CALLS_OUT,
    ) -> None:
        self.now = NOON
        self.records = MemoryRooms()
        self.measures = Measures()
        self.changes = RoomChanges(
            records=self.records, control=pbx, measures=self.measures, now=lambda: self.now
        )
        self.rooms = RoomRegistry(
            self.changes,
            max_participants=50,
            max_rooms=max_rooms,
            hasher=Hasher(),
            outbound=outbound,
        )
        self.moderation = Moderation(self.changes)
        self.attendance = Attendance(self.changes)

    def put(self, room: Room) -> Room:
        """Record a room as if it had been there before."""
        self.records.rooms[room.id], self.records.log[room.id] = room, []
        return room

    @property
    def room(self) -> Room:
        """The room that was put there, as it is now."""
        return self.records.rooms[ROOM_ID]

    @property
    def states(self) -> dict[str, str]:
        """The members of that room and where they stand."""
        return {member.id: member.state.value for member in self.room.members}
