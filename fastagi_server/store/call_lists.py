"""Lists of calls: one statement for each combination of conditions that was asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, tuple_

from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallStatus
from fastagi_server.store import schema
from fastagi_server.store.call_rows import COLUMNS, to_call
from fastagi_server.store.connection import Connection, Query

MAX_KEPT = 128
"""Statements that are kept composed."""

_calls = schema.calls.c
_parties = schema.call_parties.c

_ENDED = frozenset({CallStatus.ENDED})
_TIMES = frozenset({"since", "until", "after"})

# By these a page is found in an index, in its order; all else has to be looked at row by row.
_BY_INDEX = (frozenset({"is_active", "party"}) | _TIMES, frozenset({"room_id"}) | _TIMES)

_STATUS_NAMES = tuple(f"status_{number}" for number in range(len(CallStatus)))

_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "is_active": _calls.is_active == bindparam("is_active"),
    "statuses": _calls.status.in_([bindparam(name) for name in _STATUS_NAMES]),
    "caller": _calls.caller_id == bindparam("caller"),
    "call_type": _calls.call_type == bindparam("call_type"),
    "room_id": _calls.room_id == bindparam("room_id"),
    "hangup_cause": _calls.hangup_cause == bindparam("hangup_cause"),
}


@dataclass(frozen=True, slots=True)
class _Key:
    """The columns that a list is ordered by and read along, and what else an index begins with."""

    start_time: ColumnElement[Any]
    call_id: ColumnElement[Any]
    conditions: dict[str, ColumnElement[bool]]

    def bounds(self) -> dict[str, ColumnElement[bool]]:
        after = tuple_(
            bindparam("after_time", type_=schema.Moment()),
            bindparam("after_id", type_=self.call_id.type),
        )
        return {
            "since": self.start_time >= bindparam("since"),
            "until": self.start_time < bindparam("until"),
            "after": tuple_(self.start_time, self.call_id) < after,
        }


_OF_ALL = _Key(_calls.start_time, _calls.id, {})
_OF_PARTY = _Key(
    _parties.start_time,
    _parties.call_id,
    {
        "party": _parties.party == bindparam("party"),
        "is_active": _parties.is_active == bindparam("is_active"),
    },
)


def is_bounded(query: CallQuery) -> bool:
    """Whether no more rows are read than are given back."""
    names = frozenset(_wanted(_normal(query)))
    return any(names <= index for index in _BY_INDEX)


def page(
    connection: Connection, query: CallQuery, after: Cursor | None, limit: int
) -> Sequence[Call]:
    """At most `limit` calls of the list, newest first, from behind `after` on."""
    wanted = _wanted(_normal(query))
    names = frozenset(wanted) if after is None else frozenset({*wanted, "after"})
    values = {**wanted, "limit": limit}
    if after is not None:
        values |= {"after_time": after.start_time, "after_id": after.call_id}
    statuses: Sequence[CallStatus] = values.pop("statuses", ())
    if statuses:
        # The statement has a place for every status; those left over repeat the first.
        values |= zip(_STATUS_NAMES, chain(statuses, repeat(statuses[0])), strict=False)
    return connection.objects(_statement(names), values, to_call)


def _normal(query: CallQuery) -> CallQuery:
    """The same list, asked for by `is_active` where that finds it."""
    if not query.statuses or query.is_active is not None:
        return query
    if query.statuses == _ENDED:
        return replace(query, statuses=frozenset(), is_active=False)
    return query if CallStatus.ENDED in query.statuses else replace(query, is_active=True)


def _wanted(query: CallQuery) -> dict[str, Any]:
    wanted = {
        "is_active": query.is_active,
        "statuses": tuple(sorted(query.statuses)) or None,
        "party": query.party,
        "caller": query.caller,
        "call_type": query.call_type,
        "room_id": query.room_id,
        "hangup_cause": query.hangup_cause,
        "since": query.since,
        "until": query.until,
    }
    return {name: value for name, value in wanted.items() if value is not None}


@lru_cache(maxsize=MAX_KEPT)
def _statement(names: frozenset[str]) -> Query:
    key = _OF_PARTY if "party" in names else _OF_ALL
    statement = select(*COLUMNS)
    if "party" in names:
        statement = statement.join(schema.call_parties, _parties.call_id == _calls.id)
    return (
        statement.where(*_conditions(names, key))
        .order_by(key.start_time.desc(), key.call_id.desc())
        .limit(bindparam("limit"))
    )


def _conditions(names: frozenset[str], key: _Key) -> Iterator[ColumnElement[bool]]:
    conditions = {**_CONDITIONS, **key.bounds(), **key.conditions}
    return (conditions[name] for name in sorted(names))
