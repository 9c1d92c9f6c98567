"""The records of rooms in the database: the parts of rooms.ports.RoomRecords."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, func, insert, select, update

from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.rooms.errors import NumberTakenError, RoomLimitError, RoomNotFoundError
from fastagi_server.rooms.models import Room, RoomEvent, RoomEventKind
from fastagi_server.rooms.ports import RoomDecision
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database
from fastagi_server.store.errors import StoreError
from fastagi_server.store.event_log import add_discard
from fastagi_server.store.idempotency import IdempotencyTable
from fastagi_server.store.log_rows import ROOM
from fastagi_server.store.room_rows import COLUMNS, changing, to_room, to_row

MAX_EVENTS = 1000
"""Events of one room that are read: the newest ones."""

MAX_NUMBERS = 10_000
"""More than there are numbers that a telephone can dial."""

_rooms = schema.rooms.c
_users = schema.room_users.c
_events = schema.room_events.c
_keys = IdempotencyTable(schema.room_keys, "room_id")

_GET = select(*COLUMNS).where(_rooms.id == bindparam("room_id"))
_GET_FOR_CHANGE = (
    select(*COLUMNS, _rooms.version).where(_rooms.id == bindparam("room_id")).with_for_update()
)
_BY_NUMBER = select(*COLUMNS).where(_rooms.active_number == bindparam("number"))
_NEWEST_FIRST = (_rooms.created_at.desc(), _rooms.id.desc())
ALL_ACTIVE = (
    select(*COLUMNS).where(_rooms.is_active).order_by(*_NEWEST_FIRST).limit(bindparam("limit"))
)
ACTIVE_OF_USER = (
    select(*COLUMNS)
    .join(schema.room_users, _users.room_id == _rooms.id)
    .where(_users.user_id == bindparam("user"))
    .order_by(_users.created_at.desc(), _users.room_id.desc())
    .limit(bindparam("limit"))
)
_OWNED_BY = (
    select(_users.room_id)
    .where(_users.user_id == bindparam("owner"), _users.is_owner)
    .limit(bindparam("limit"))
)
_LOG = (
    select(_events.kind, _events.at, _events.actor, _events.facts)
    .where(_events.room_id == bindparam("of_room"))
    .order_by(_events.id.desc())
    .limit(MAX_EVENTS)
)
_NUMBERS = select(_rooms.active_number).where(_rooms.active_number.is_not(None)).limit(MAX_NUMBERS)
TO_CLOSE = (
    select(_rooms.closes_at, _rooms.id)
    .where(_rooms.is_active, _rooms.closes_at <= bindparam("horizon"))
    .order_by(_rooms.closes_at)
    .limit(bindparam("limit"))
)
IDLE = (
    select(_rooms.updated_at, _rooms.id)
    .where(_rooms.is_active, _rooms.updated_at <= bindparam("horizon"))
    .order_by(_rooms.updated_at)
    .limit(bindparam("limit"))
)
_NEXT_CLOSE = select(func.min(_rooms.closes_at)).where(_rooms.is_active)

_ADD_ROOM = insert(schema.rooms)
_ADD_USERS = insert(schema.room_users)
_ADD_EVENT = insert(schema.room_events)
# Every change counts: one that was decided on an older room cannot be written.
_CHANGE = update(schema.rooms).where(
    _rooms.id == bindparam("of_room"), _rooms.version == bindparam("seen")
)
_REMOVE_USER = delete(schema.room_users).where(
    _users.room_id == bindparam("of_room"), _users.user_id == bindparam("user")
)
_DISCARD = delete(schema.rooms).where(_rooms.id == bindparam("room_id"))
_FORGET = delete(schema.rooms).where(
    _rooms.id.in_(
        select(_rooms.id).where(_rooms.closed_at < bindparam("horizon")).limit(bindparam("limit"))
    )
)


class StoredRooms:
    """The records of rooms in a database; rooms.ports.RoomRecords says what each method does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, room_id: str) -> Room | None:
        """The room with this id, active or closed, if there is one."""
        return await self._database.read(lambda connection: _get(connection, room_id))

    async def by_number(self, number: str) -> Room | None:
        """The active room with this number, if there is one."""
        return await self._database.read(lambda connection: _by_number(connection, number))

    async def active(self, user: str | None, limit: int) -> Sequence[Room]:
        """At most `limit` active rooms, newest first; those of a user, or all."""
        return await self._database.read(lambda connection: _active(connection, user, limit))

    async def events(self, room_id: str) -> Sequence[RoomEvent]:
        """The log of a room, oldest first; of a longer one the last 1,000 events."""
        return await self._database.read(lambda connection: _log(connection, room_id))

    async def create(
        self, room: Room, event: RoomEvent, key: IdempotencyKey | None, limit: int | None
    ) -> tuple[Room, bool]:
        """Record a new room, or find the one that this repeats.

        Raises KeyReusedError, NumberTakenError and RoomLimitError.
        """
        return await self._database.write(
            lambda connection: _create(connection, room, event, key, limit)
        )

    async def change(self, room_id: str, decide: RoomDecision) -> tuple[Room, RoomEvent | None]:
        """Apply a decision to the present state and log it. Raises RoomNotFoundError."""
        return await self._database.write(lambda connection: _change(connection, room_id, decide))

    async def discard(self, room_id: str) -> None:
        """Forget a room that never was, with its log and its key."""
        await self._database.write(lambda connection: _discard(connection, room_id))

    async def numbers(self) -> Collection[str]:
        """The numbers of all active rooms."""
        rows = await self._database.read(lambda connection: connection.rows(_NUMBERS, {}))
        return [number for (number,) in rows]

    async def overdue(self, now: datetime, idle_since: datetime, limit: int) -> Sequence[str]:
        """Ids of active rooms to close or to look at, the longest overdue first."""
        return await self._database.read(
            lambda connection: _overdue(connection, now, idle_since, limit)
        )

    async def next_close(self) -> datetime | None:
        """The earliest `closes_at` of an active room; None when no active room has one."""
        ((moment,),) = await self._database.read(
            lambda connection: connection.rows(_NEXT_CLOSE, {})
        )
        found: datetime | None = moment
        return found

    async def forget(self, closed_before: datetime, limit: int) -> int:
        """Delete at most `limit` rooms closed before this, with all of theirs; how many."""
        values = {"horizon": closed_before, "limit": limit}
        return await self._database.write(lambda connection: connection.run(_FORGET, values))


def _get(connection: Connection, room_id: str) -> Room | None:
    row = connection.row(_GET, {"room_id": room_id})
    return None if row is None else to_room(row)


def _by_number(connection: Connection, number: str) -> Room | None:
    row = connection.row(_BY_NUMBER, {"number": number})
    return None if row is None else to_room(row)


def _active(connection: Connection, user: str | None, limit: int) -> Sequence[Room]:
    if user is None:
        rows = connection.rows(ALL_ACTIVE, {"limit": limit})
    else:
        rows = connection.rows(ACTIVE_OF_USER, {"user": user, "limit": limit})
    return [to_room(row) for row in rows]


def _log(connection: Connection, room_id: str) -> Sequence[RoomEvent]:
    rows = connection.rows(_LOG, {"of_room": room_id})
    return [
        RoomEvent(RoomEventKind(kind), at, actor, facts) for kind, at, actor, facts in rows[::-1]
    ]


def _overdue(
    connection: Connection, now: datetime, idle_since: datetime, limit: int
) -> Sequence[str]:
    late = {
        room_id: now - closes_at
        for closes_at, room_id in connection.rows(TO_CLOSE, {"horizon": now, "limit": limit})
    }
    for updated_at, room_id in connection.rows(IDLE, {"horizon": idle_since, "limit": limit}):
        late[room_id] = max(idle_since - updated_at, late.get(room_id, timedelta()))
    return sorted(late, key=lambda room_id: late[room_id], reverse=True)[:limit]


def _discard(connection: Connection, room_id: str) -> None:
    if connection.run(_DISCARD, {"room_id": room_id}):
        add_discard(connection, ROOM, room_id, datetime.now(UTC))


def _create(
    connection: Connection,
    room: Room,
    event: RoomEvent,
    key: IdempotencyKey | None,
    limit: int | None,
) -> tuple[Room, bool]:
    known_id = _keys.find(connection, key)
    known = None if known_id is None else _get(connection, known_id)
    if known is not None:
        return known, False
    if limit is not None:
        _require_place(connection, room.owner_id, limit)
    if room.number is not None and _by_number(connection, room.number) is not None:
        raise NumberTakenError
    connection.run(_ADD_ROOM, to_row(room) | {"version": 0})
    _follow_users(connection, frozenset(), room)
    _add_event(connection, room.id, event)
    _keys.add(connection, key, room.id, event.at)
    return room, True


def _require_place(connection: Connection, owner: str, limit: int) -> None:
    connection.hold(f"rooms of {owner}")
    if len(connection.rows(_OWNED_BY, {"owner": owner, "limit": limit})) >= limit:
        raise RoomLimitError


def _change(
    connection: Connection, room_id: str, decide: RoomDecision
) -> tuple[Room, RoomEvent | None]:
    row = connection.row(_GET_FOR_CHANGE, {"room_id": room_id})
    if row is None:
        raise RoomNotFoundError
    *columns, version = row
    seen = to_room(columns)
    decision = decide(seen)
    if decision is None:
        return seen, None
    room, event = decision
    values = changing(room) | {"of_room": room.id, "seen": version, "version": version + 1}
    if connection.run(_CHANGE, values) != 1:
        raise StoreError("the room changed while it was being changed")
    _follow_users(connection, _users_of(seen), room)
    _add_event(connection, room_id, event)
    return room, event


def _follow_users(connection: Connection, before: frozenset[str], room: Room) -> None:
    after = _users_of(room)
    gone = [{"of_room": room.id, "user": user} for user in sorted(before - after)]
    come = [
        {
            "room_id": room.id,
            "user_id": user,
            "is_owner": user == room.owner_id,
            "created_at": room.created_at,
        }
        for user in sorted(after - before)
    ]
    if gone:
        connection.run(_REMOVE_USER, *gone)
    if come:
        connection.run(_ADD_USERS, *come)


def _users_of(room: Room) -> frozenset[str]:
    if not room.is_active:
        return frozenset()
    seated = {member.user for member in room.members if member.user is not None}
    return room.moderators | seated


def _add_event(connection: Connection, room_id: str, event: RoomEvent) -> None:
    values = {"kind": event.kind, "at": event.at, "actor": event.actor, "facts": event.facts}
    connection.run(_ADD_EVENT, values | {"room_id": room_id})
