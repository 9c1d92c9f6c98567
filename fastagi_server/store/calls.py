"""The records of calls in the database: the two halves of calls.ports.CallRecords."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from fastagi_server.calls.errors import CallNotFoundError, KeyReusedError
from fastagi_server.calls.models import (
    Call,
    CallEvent,
    CallStatus,
    CallType,
    ChannelName,
    EventKind,
)
from fastagi_server.calls.ports import Decision, IdempotencyKey
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database
from fastagi_server.store.errors import StoreError

_TYPES = {str(call_type): call_type for call_type in CallType}
_STATUSES = {str(status): status for status in CallStatus}

KEY_LIFETIME = timedelta(days=7)
"""How long a repetition is recognised; longer than anybody keeps trying to deliver one."""

MAX_EVENTS = 1000
"""Events of one call that are read; no call of this state machine comes near it."""

_calls = schema.calls.c
_parties = schema.call_parties.c
_events = schema.call_events.c
_keys = schema.idempotency_keys.c

# In the order in which `_to_call` takes them.
_COLUMNS = (
    _calls.id,
    _calls.caller_id,
    _calls.participants,
    _calls.call_type,
    _calls.status,
    _calls.start_time,
    _calls.answered_at,
    _calls.end_time,
    _calls.room_id,
    _calls.metadata,
    _calls.updated_at,
    _calls.hangup_cause,
    _calls.dial_status,
    _calls.ring_ms,
    _calls.answered_ms,
    _calls.asterisk_system,
    _calls.asterisk_unique_id,
)
_GET = select(*_COLUMNS).where(_calls.id == bindparam("call_id"))
_GET_FOR_CHANGE = _GET.with_for_update()
_BY_CHANNEL = select(*_COLUMNS).where(
    _calls.asterisk_unique_id == bindparam("unique_id"),
    _calls.asterisk_system == bindparam("system"),
)
ALL_ACTIVE = (
    select(*_COLUMNS)
    .where(_calls.is_active)
    .order_by(_calls.start_time.desc(), _calls.id.desc())
    .limit(bindparam("limit"))
)
ACTIVE_OF_PARTY = (
    select(*_COLUMNS)
    .join(schema.call_parties, _parties.call_id == _calls.id)
    .where(_parties.party == bindparam("party"), _parties.is_active)
    .order_by(_parties.start_time.desc(), _parties.call_id.desc())
    .limit(bindparam("limit"))
)
_LOG = (
    select(_events.kind, _events.at, _events.actor, _events.facts)
    .where(_events.call_id == bindparam("of_call"))
    .order_by(_events.id)
    .limit(MAX_EVENTS)
)
_BY_KEY = select(_keys.call_id, _keys.fingerprint).where(
    _keys.identity == bindparam("identity"), _keys.key == bindparam("key")
)
_ADD_CALL = insert(schema.calls)
_ADD_PARTIES = insert(schema.call_parties)
_ADD_EVENT = insert(schema.call_events)
_ADD_KEY = insert(schema.idempotency_keys)
_FORGET_KEYS = delete(schema.idempotency_keys).where(_keys.created_at < bindparam("horizon"))
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


class StoredCalls:
    """The records of calls in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call_id: str) -> Call | None:
        """The call with this id, if there is one."""
        return await self._database.read(lambda connection: _get(connection, call_id))

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; of one party, or of all."""
        return await self._database.read(lambda connection: _active(connection, party, limit))

    async def events(self, call_id: str) -> Sequence[CallEvent]:
        """The log of a call, oldest first."""
        return await self._database.read(lambda connection: _log(connection, call_id))

    async def create(
        self, call: Call, event: CallEvent, key: IdempotencyKey | None
    ) -> tuple[Call, bool]:
        """Record a new call, or find the one that this repeats. Raises KeyReusedError."""
        return await self._database.write(lambda connection: _create(connection, call, event, key))

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        """Apply a decision to the present state and log it. Raises CallNotFoundError."""
        return await self._database.write(lambda connection: _change(connection, call_id, decide))

    async def discard(self, call_id: str) -> None:
        """Forget a call with its log and its key."""
        await self._database.write(lambda connection: _discard(connection, call_id))


def _get(connection: Connection, call_id: str) -> Call | None:
    row = connection.row(_GET, {"call_id": call_id})
    return None if row is None else _to_call(row)


def _active(connection: Connection, party: str | None, limit: int) -> Sequence[Call]:
    if party is None:
        rows = connection.rows(ALL_ACTIVE, {"limit": limit})
    else:
        rows = connection.rows(ACTIVE_OF_PARTY, {"party": party, "limit": limit})
    return [_to_call(row) for row in rows]


def _log(connection: Connection, call_id: str) -> Sequence[CallEvent]:
    rows = connection.rows(_LOG, {"of_call": call_id})
    return [CallEvent(EventKind(kind), at, actor, facts) for kind, at, actor, facts in rows]


def _create(
    connection: Connection, call: Call, event: CallEvent, key: IdempotencyKey | None
) -> tuple[Call, bool]:
    known = _find_by_key(connection, key)
    if known is not None:
        return known, False
    known = _find_by_channel(connection, call.channel)
    if known is None:
        _add(connection, call, event)
    recorded = known or call
    if key is not None:
        _add_key(connection, key, recorded.id, event)
    return recorded, known is None


def _find_by_key(connection: Connection, key: IdempotencyKey | None) -> Call | None:
    if key is None:
        return None
    row = connection.row(_BY_KEY, {"identity": key.identity, "key": key.key})
    if row is None:
        return None
    call_id, fingerprint = row
    if fingerprint != key.fingerprint:
        raise KeyReusedError
    return _get(connection, call_id)


def _find_by_channel(connection: Connection, channel: ChannelName | None) -> Call | None:
    if channel is None:
        return None
    values = {"unique_id": channel.unique_id, "system": channel.system}
    row = connection.row(_BY_CHANNEL, values)
    return None if row is None else _to_call(row)


def _add(connection: Connection, call: Call, event: CallEvent) -> None:
    connection.run(_ADD_CALL, _to_row(call))
    parties = dict.fromkeys((call.caller_id, *call.participants))
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


def _add_key(connection: Connection, key: IdempotencyKey, call_id: str, event: CallEvent) -> None:
    connection.run(_FORGET_KEYS, {"horizon": event.at - KEY_LIFETIME})
    connection.run(
        _ADD_KEY,
        {
            "identity": key.identity,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "call_id": call_id,
            "created_at": event.at,
        },
    )


def _change(
    connection: Connection, call_id: str, decide: Decision
) -> tuple[Call, CallEvent | None]:
    row = connection.row(_GET_FOR_CHANGE, {"call_id": call_id})
    if row is None:
        raise CallNotFoundError
    seen = _to_call(row)
    decision = decide(seen)
    if decision is None:
        return seen, None
    changed, event = decision
    _save(connection, seen.status, changed)
    _add_event(connection, call_id, event)
    return changed, event


def _save(connection: Connection, seen: CallStatus, call: Call) -> None:
    values = _changing(call) | {"of_call": call.id, "seen": seen}
    if connection.run(_CHANGE, values) != 1:
        raise StoreError("the call changed while it was being changed")
    if not call.is_active:
        connection.run(_RELEASE_PARTIES, {"of_call": call.id})


def _discard(connection: Connection, call_id: str) -> None:
    connection.run(_DISCARD, {"call_id": call_id})


def _to_row(call: Call) -> dict[str, Any]:
    channel = call.channel
    return _changing(call) | {
        "id": call.id,
        "caller_id": call.caller_id,
        "participants": call.participants,
        "call_type": call.call_type,
        "start_time": call.start_time,
        "room_id": call.room_id,
        "metadata": call.metadata,
        "asterisk_system": None if channel is None else channel.system,
        "asterisk_unique_id": None if channel is None else channel.unique_id,
    }


def _changing(call: Call) -> dict[str, Any]:
    return {
        "status": call.status,
        "is_active": call.is_active,
        "answered_at": call.answered_at,
        "end_time": call.end_time,
        "updated_at": call.updated_at,
        "hangup_cause": call.hangup_cause,
        "dial_status": call.dial_status,
        "ring_ms": call.ring_ms,
        "answered_ms": call.answered_ms,
    }


def _to_call(stored: list[Any]) -> Call:
    # By position and through tables: this runs for every row of a list, on the event loop.
    unique_id = stored.pop()
    system = stored.pop()
    stored[2] = tuple(stored[2])
    stored[3] = _TYPES[stored[3]]
    stored[4] = _STATUSES[stored[4]]
    stored.append(None if unique_id is None else ChannelName(system, unique_id))
    return Call(*stored)
