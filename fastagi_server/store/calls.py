"""The records of calls in the database: the two halves of calls.ports.CallRecords."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, insert, select, update

from fastagi_server.calls.errors import (
    CallNotFoundError,
    ConcurrencyExceededError,
)
from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent, CallStatus, ChannelName, EventKind
from fastagi_server.calls.ports import Decision, IdempotencyKey
from fastagi_server.store import call_lists, schema
from fastagi_server.store.call_rows import COLUMNS, changing, to_call, to_row
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database
from fastagi_server.store.errors import StoreError
from fastagi_server.store.event_log import add_discard
from fastagi_server.store.idempotency import IdempotencyTable
from fastagi_server.store.log_rows import CALL

MAX_EVENTS = 1000
"""Events of one call that are read: the newest ones."""

_calls = schema.calls.c
_parties = schema.call_parties.c
_events = schema.call_events.c
_keys = IdempotencyTable(schema.idempotency_keys, "call_id")

_GET = select(*COLUMNS).where(_calls.id == bindparam("call_id"))
_GET_FOR_CHANGE = _GET.with_for_update()
_BY_CHANNEL = select(*COLUMNS).where(
    _calls.asterisk_unique_id == bindparam("unique_id"),
    _calls.asterisk_system == bindparam("system"),
)
ALL_ACTIVE = (
    select(*COLUMNS)
    .where(_calls.is_active)
    .order_by(_calls.start_time.desc(), _calls.id.desc())
    .limit(bindparam("limit"))
)
ACTIVE_OF_PARTY = (
    select(*COLUMNS)
    .join(schema.call_parties, _parties.call_id == _calls.id)
    .where(_parties.party == bindparam("party"), _parties.is_active)
    .order_by(_parties.start_time.desc(), _parties.call_id.desc())
    .limit(bindparam("limit"))
)
_CREATED_BY = (
    select(_calls.id)
    .join(schema.call_parties, _parties.call_id == _calls.id)
    .where(
        _parties.party == bindparam("caller"),
        _parties.is_active,
        _calls.caller_id == _parties.party,
    )
    .limit(bindparam("limit"))
)
_LOG = (
    select(_events.kind, _events.at, _events.actor, _events.facts)
    .where(_events.call_id == bindparam("of_call"))
    .order_by(_events.id.desc())
    .limit(MAX_EVENTS)
)
_ADD_CALL = insert(schema.calls)
_ADD_PARTIES = insert(schema.call_parties)
_ADD_EVENT = insert(schema.call_events)
# The state that the decision saw is part of the condition: a lost update cannot happen unseen.
_CHANGE = update(schema.calls).where(
    _calls.id == bindparam("of_call"), _calls.status == bindparam("seen")
)
_RELEASE_PARTIES = (
    update(schema.call_parties)
    .where(_parties.call_id == bindparam("of_call"))
    .values(is_active=False)
)
_DISCARD = delete(schema.calls).where(_calls.id == bindparam("call_id"))
# By the index on activity and start. Of the few calls that are older than the horizon and have
# ended after it, none may keep the others: all but those are taken.
LONG_ENDED = (
    select(_calls.id)
    .where(
        ~_calls.is_active,
        _calls.start_time < bindparam("horizon"),
        _calls.updated_at < bindparam("horizon"),
    )
    .order_by(_calls.start_time)
    .limit(bindparam("limit"))
)


class StoredCalls:
    """The records of calls in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call_id: str) -> Call | None:
        """The call with this id, if there is one."""
        return await self._database.read(lambda connection: _get(connection, call_id))

    async def of_channels(self, channels: Sequence[ChannelName]) -> Sequence[Call]:
        """The calls that these channels are registered as, ended ones included."""
        found = await self._database.read(
            lambda connection: [_find_by_channel(connection, channel) for channel in channels]
        )
        return [call for call in found if call is not None]

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; of one party, or of all."""
        return await self._database.read(lambda connection: _active(connection, party, limit))

    async def page(self, query: CallQuery, after: Cursor | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls of a list, newest first, from behind `after` on."""
        look = self._database.read if call_lists.is_bounded(query) else self._database.search
        return await look(lambda connection: call_lists.page(connection, query, after, limit))

    async def events(self, call_id: str) -> Sequence[CallEvent]:
        """The log of a call, oldest first; of a longer one the last 1,000 events."""
        return await self._database.read(lambda connection: _log(connection, call_id))

    async def create(
        self,
        call: Call,
        event: CallEvent,
        key: IdempotencyKey | None,
        limit: int | None = None,
        aliases: Collection[str] = (),
    ) -> tuple[Call, bool]:
        """Record a new call, or find the one that this repeats.

        Raises KeyReusedError and ConcurrencyExceededError.
        """
        return await self._database.write(
            lambda connection: _create(connection, call, event, key, limit, aliases)
        )

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        """Apply a decision to the present state and log it. Raises CallNotFoundError."""
        return await self._database.write(lambda connection: _change(connection, call_id, decide))

    async def discard(self, call_id: str) -> None:
        """Forget a call with its log and its key."""
        await self._database.write(lambda connection: _discard(connection, call_id))

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Delete at most `limit` calls that ended before this moment, with all of theirs.

        Returns how many there were. A call counts from when its end was recorded.
        """
        return await self._database.write(lambda connection: _forget(connection, horizon, limit))


def _get(connection: Connection, call_id: str) -> Call | None:
    row = connection.row(_GET, {"call_id": call_id})
    return None if row is None else to_call(row)


def _active(connection: Connection, party: str | None, limit: int) -> Sequence[Call]:
    if party is None:
        return connection.objects(ALL_ACTIVE, {"limit": limit}, to_call)
    return connection.objects(ACTIVE_OF_PARTY, {"party": party, "limit": limit}, to_call)


def _log(connection: Connection, call_id: str) -> Sequence[CallEvent]:
    rows = connection.rows(_LOG, {"of_call": call_id})
    return [CallEvent(EventKind(kind), at, actor, facts) for kind, at, actor, facts in rows[::-1]]


def _create(
    connection: Connection,
    call: Call,
    event: CallEvent,
    key: IdempotencyKey | None,
    limit: int | None,
    aliases: Collection[str],
) -> tuple[Call, bool]:
    known_id = _keys.find(connection, key)
    known = None if known_id is None else _get(connection, known_id)
    if known is not None:
        return known, False
    known = _find_by_channel(connection, call.channel)
    if known is None:
        if limit is not None:
            _require_room(connection, call.caller_id, limit)
        _add(connection, call, event, aliases)
    recorded = known or call
    _keys.add(connection, key, recorded.id, event.at)
    return recorded, known is None


def _find_by_channel(connection: Connection, channel: ChannelName | None) -> Call | None:
    if channel is None:
        return None
    values = {"unique_id": channel.unique_id, "system": channel.system}
    row = connection.row(_BY_CHANNEL, values)
    return None if row is None else to_call(row)


def _require_room(connection: Connection, caller: str, limit: int) -> None:
    connection.hold(f"calls of {caller}")
    if len(connection.rows(_CREATED_BY, {"caller": caller, "limit": limit})) >= limit:
        raise ConcurrencyExceededError


def _add(connection: Connection, call: Call, event: CallEvent, aliases: Collection[str]) -> None:
    connection.run(_ADD_CALL, to_row(call))
    parties = dict.fromkeys((call.caller_id, *call.participants, *aliases))
    connection.run(
        _ADD_PARTIES,
        *(
            {"party": party, "call_id": call.id, "is_active": True, "start_time": call.start_time}
            for party in parties
        ),
    )
    _add_event(connection, call.id, event)


def _add_event(connection: Connection, call_id: str, event: CallEvent) -> None:
    connection.run(
        _ADD_EVENT,
        {
            "call_id": call_id,
            "kind": event.kind,
            "at": event.at,
            "actor": event.actor,
            "facts": event.facts,
        },
    )


def _change(
    connection: Connection, call_id: str, decide: Decision
) -> tuple[Call, CallEvent | None]:
    row = connection.row(_GET_FOR_CHANGE, {"call_id": call_id})
    if row is None:
        raise CallNotFoundError
    seen = to_call(row)
    decision = decide(seen)
    if decision is None:
        return seen, None
    changed, event = decision
    _save(connection, seen.status, changed)
    _add_event(connection, call_id, event)
    return changed, event


def _save(connection: Connection, seen: CallStatus, call: Call) -> None:
    values = changing(call) | {"of_call": call.id, "seen": seen}
    if connection.run(_CHANGE, values) != 1:
        raise StoreError("the call changed while it was being changed")
    if not call.is_active:
        connection.run(_RELEASE_PARTIES, {"of_call": call.id})


def _discard(connection: Connection, call_id: str) -> None:
    if connection.run(_DISCARD, {"call_id": call_id}):
        add_discard(connection, CALL, call_id, datetime.now(UTC))


def _forget(connection: Connection, horizon: datetime, limit: int) -> int:
    old = connection.rows(LONG_ENDED, {"horizon": horizon, "limit": limit})
    return connection.run(_DISCARD, *({"call_id": call_id} for (call_id,) in old))
