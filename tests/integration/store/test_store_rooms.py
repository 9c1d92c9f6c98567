"""The records of rooms in a real database: what rooms.ports promises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from fastagi_server.calls.errors import KeyReusedError
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.rooms.errors import NumberTakenError, RoomLimitError, RoomNotFoundError
from fastagi_server.rooms.models import (
    BridgeType,
    Member,
    MemberState,
    Room,
    RoomEvent,
    RoomEventKind,
    RoomSettings,
)
from fastagi_server.store import schema
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
TABLES = ("rooms", "room_users", "room_events", "room_keys")


def a_room(number: int = 1, *, owner: str = "alice") -> Room:
    """A room that was made `number` seconds after noon and has the number 00<number>."""
    moment = NOON + timedelta(seconds=number)
    return Room(
        id=f"room-{number}",
        name="Zoë's 📞 room",
        owner_id=owner,
        max_participants=3,
        settings=RoomSettings(
            allow_recording=True,
            require_moderator=True,
            bridge_type=BridgeType.DTMF_EVENTS,
            moderator_id="mallory",
            password_hash="scrypt$abc",
            time_limit_minutes=30,
        ),
        created_at=moment,
        updated_at=moment,
        number=f"{number:03}",
        members=(Member(owner, MemberState.INVITED, moment, owner),),
        closes_at=moment + timedelta(minutes=30),
    )


def created(at: datetime = NOON) -> RoomEvent:
    """The first event of a room."""
    return RoomEvent(RoomEventKind.CREATED, at, "alice", {})


def a_key(key: str = "k", fingerprint: bytes = b"f" * 32) -> IdempotencyKey:
    """A key of alice."""
    return IdempotencyKey("alice", key, fingerprint)


def joined(room: Room) -> tuple[Room, RoomEvent]:
    """The decision that bob and a telephone come in."""
    bob = Member(
        "bob",
        MemberState.RINGING,
        NOON + timedelta(microseconds=1),
        "bob",
        number="+49 30 1",
        channel="sge-room-room-1-0",
        is_muted=True,
        shares_screen=True,
        before=MemberState.JOINED,
    )
    phone = Member("17.4", MemberState.PRESENT, NOON, channel="17.4")
    after = replace(
        room,
        members=(*room.members, bob, phone),
        is_locked=True,
        recording="sge-room-1-x",
        legs=1,
        updated_at=NOON + timedelta(minutes=1),
    )
    return after, RoomEvent(RoomEventKind.JOINED, NOON, "bob", {"channel": "17.4", "seat": 2})


def closed(room: Room, at: datetime = NOON) -> tuple[Room, RoomEvent]:
    """The decision to close a room."""
    after = replace(room, members=(), closed_at=at, updated_at=at)
    return after, RoomEvent(RoomEventKind.CLOSED, at, "alice", {})


async def count(store: Store, table: str) -> int:
    """The number of rows of a table."""
    query = select(func.count()).select_from(schema.tables.tables[table])
    rows = await store.database.read(lambda connection: connection.rows(query, {}))
    number: int = rows[0][0]
    return number


async def test_room_comes_back_as_it_was(store: Store) -> None:
    """Every field of a room survives the database, to the microsecond and in any script."""
    room = a_room()
    assert await store.rooms.create(room, created(), None, None) == (room, True)
    assert await store.rooms.get(room.id) == room
    assert await store.rooms.by_number("001") == room
    assert await store.rooms.events(room.id) == [created()]


async def test_room_without_anything(store: Store) -> None:
    """What a room need not have stays away."""
    room = replace(a_room(), number=None, members=(), closes_at=None, settings=RoomSettings())
    await store.rooms.create(room, created(), None, None)
    await store.rooms.create(replace(room, id="room-2"), created(), None, None)
    assert await store.rooms.get(room.id) == room
    assert await store.rooms.numbers() == []
    assert await store.rooms.next_close() is None


async def test_unknown_room(store: Store) -> None:
    """What was never created is not there, has no log, and cannot be changed."""
    assert await store.rooms.get("x") is None
    assert await store.rooms.by_number("009") is None
    assert await store.rooms.events("x") == []
    with pytest.raises(RoomNotFoundError):
        await store.rooms.change("x", joined)


async def test_change_is_recorded_and_logged(store: Store) -> None:
    """A decision replaces the room, members included, and adds its event to the log."""
    room = a_room()
    await store.rooms.create(room, created(), None, None)
    changed, event = await store.rooms.change(room.id, joined)
    assert (changed, event) == joined(room)
    assert await store.rooms.get(room.id) == changed
    assert await store.rooms.events(room.id) == [created(), event]


async def test_decision_to_leave_it(store: Store) -> None:
    """A decision of None changes and logs nothing; one that raises neither."""
    room = a_room()
    await store.rooms.create(room, created(), None, None)
    assert await store.rooms.change(room.id, lambda _room: None) == (room, None)

    def refuse(_room: Room) -> None:
        raise NumberTakenError

    with pytest.raises(NumberTakenError):
        await store.rooms.change(room.id, refuse)
    assert await store.rooms.get(room.id) == room
    assert await store.rooms.events(room.id) == [created()]


async def test_changes_at_the_same_moment(store: Store) -> None:
    """Of changes that come at once each sees the one before: no seat is lost."""
    await store.rooms.create(replace(a_room(), members=()), created(), None, None)

    async def come(name: str) -> None:
        def decide(room: Room) -> tuple[Room, RoomEvent]:
            seat = Member(name, MemberState.JOINED, NOON, name)
            return replace(room, members=(*room.members, seat)), created()

        await store.rooms.change("room-1", decide)

    await asyncio.gather(*(come(f"user-{number}") for number in range(20)))
    room = await store.rooms.get("room-1")
    assert room is not None
    assert sorted(member.id for member in room.members) == sorted(f"user-{n}" for n in range(20))
    assert len(await store.rooms.active("user-7", 10)) == 1


async def test_lost_update_is_impossible(store: Store) -> None:
    """A change that would write over one it did not see fails as a whole."""
    await store.rooms.create(a_room(), created(), None, None)

    def race(room: Room) -> tuple[Room, RoomEvent]:
        return joined(replace(room, id="room-that-went-away"))

    with pytest.raises(StoreError, match="changed while it was being changed"):
        await store.rooms.change("room-1", race)
    assert await store.rooms.get("room-1") == a_room()


async def test_repeated_key(store: Store) -> None:
    """A key that comes again gives the room as it is now; with another meaning it is refused."""
    await store.rooms.create(a_room(), created(), a_key(), None)
    changed, _ = await store.rooms.change("room-1", joined)
    again = await store.rooms.create(a_room(2), created(), a_key(), 1)
    assert again == (changed, False)
    with pytest.raises(KeyReusedError):
        await store.rooms.create(a_room(2), created(), a_key(fingerprint=b"g" * 32), None)
    assert await count(store, "rooms") == 1


async def test_number_of_an_active_room(store: Store) -> None:
    """A number is given once as long as its room is active, and again afterwards."""
    await store.rooms.create(a_room(), created(), None, None)
    second = replace(a_room(2), number="001")
    with pytest.raises(NumberTakenError):
        await store.rooms.create(second, created(), None, None)
    await store.rooms.change("room-1", closed)
    assert await store.rooms.by_number("001") is None
    assert await store.rooms.create(second, created(), None, None) == (second, True)
    assert await store.rooms.numbers() == ["001"]


async def test_one_number_at_the_same_moment(store: Store) -> None:
    """Of rooms that ask for one number at once, one gets it."""
    rooms = [replace(a_room(number), number="007") for number in range(1, 9)]
    outcomes = await asyncio.gather(
        *(store.rooms.create(room, created(), None, None) for room in rooms),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, NumberTakenError)]
    assert len(refused) == 7
    assert await count(store, "rooms") == 1


async def test_limit_of_an_owner(store: Store) -> None:
    """An owner has as many active rooms as he may have; those of others do not count."""
    for number in (1, 2):
        await store.rooms.create(a_room(number), created(), None, 2)
    await store.rooms.change("room-2", joined)
    await store.rooms.create(a_room(3, owner="bob"), created(), None, 1)
    with pytest.raises(RoomLimitError):
        await store.rooms.create(a_room(4), created(), None, 2)
    await store.rooms.change("room-1", closed)
    await store.rooms.create(a_room(4), created(), None, 2)


async def test_limit_at_the_same_moment(store: Store) -> None:
    """Rooms that are made at once do not slip past the limit."""
    outcomes = await asyncio.gather(
        *(store.rooms.create(a_room(n), created(), None, 3) for n in range(1, 13)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, RoomLimitError) for outcome in outcomes) == 9
    assert await count(store, "rooms") == 3


async def test_active_rooms(store: Store) -> None:
    """Rooms are listed newest first, all or those a user owns, moderates or sits in."""
    rooms = [a_room(1), a_room(2, owner="bob"), a_room(3)]
    for room in rooms:
        await store.rooms.create(room, created(), None, None)
    joined_room, _ = await store.rooms.change("room-1", joined)
    assert await store.rooms.active(None, 10) == [rooms[2], rooms[1], joined_room]
    assert await store.rooms.active(None, 1) == [rooms[2]]
    assert await store.rooms.active("alice", 10) == [rooms[2], joined_room]
    assert await store.rooms.active("mallory", 2) == [rooms[2], rooms[1]]
    assert await store.rooms.active("bob", 10) == [rooms[1], joined_room]
    await store.rooms.change("room-1", closed)
    assert await store.rooms.active("bob", 10) == [rooms[1]]
    assert await store.rooms.active(None, 10) == [rooms[2], rooms[1]]


async def test_who_leaves_is_not_found(store: Store) -> None:
    """A user who has left a room does not find it any more."""
    await store.rooms.create(a_room(), created(), None, None)
    await store.rooms.change("room-1", joined)
    await store.rooms.change("room-1", lambda room: (replace(room, members=()), created()))
    assert await store.rooms.active("bob", 10) == []
    assert len(await store.rooms.active("alice", 10)) == 1


async def test_overdue_rooms(store: Store) -> None:
    """Rooms past their time and rooms without change are found, the longest overdue first."""
    for number in (1, 2, 3, 4):
        await store.rooms.create(a_room(number), created(), None, None)
    await store.rooms.change("room-4", closed)
    past = NOON + timedelta(minutes=30, seconds=2)
    assert await store.rooms.overdue(past, NOON, 10) == ["room-1", "room-2"]
    assert await store.rooms.overdue(past, NOON, 1) == ["room-1"]
    idle = NOON + timedelta(seconds=3)
    assert await store.rooms.overdue(NOON, idle, 10) == ["room-1", "room-2", "room-3"]
    assert await store.rooms.overdue(NOON, NOON, 10) == []
    assert await store.rooms.next_close() == NOON + timedelta(minutes=30, seconds=1)


async def test_old_rooms_are_forgotten(store: Store) -> None:
    """Rooms that were closed long ago go with all of theirs, a limited number at a time."""
    for number in (1, 2, 3, 4):
        await store.rooms.create(a_room(number), created(), a_key(str(number)), None)
        if number < 4:
            await store.rooms.change(f"room-{number}", closed)
    assert await store.rooms.forget(NOON, 10) == 0
    later = NOON + timedelta(seconds=1)
    assert await store.rooms.forget(later, 2) == 2
    assert await store.rooms.forget(later, 2) == 1
    assert [await count(store, table) for table in TABLES] == [1, 2, 1, 1]


async def test_discard_leaves_nothing(store: Store) -> None:
    """A discarded room takes its log, its users and its key along."""
    await store.rooms.create(a_room(), created(), a_key(), None)
    await store.rooms.discard("room-1")
    assert [await count(store, table) for table in TABLES] == [0, 0, 0, 0]
    assert (await store.rooms.create(a_room(), created(), a_key(), None))[1]
