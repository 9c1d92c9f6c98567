"""What a reader of the logs asks for, and what each row means as an event."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from fastagi_server.events.models import (
    CALL_DISCARDED,
    CALL_TYPES,
    ROOM_DISCARDED,
    ROOM_TYPES,
    Event,
)
from fastagi_server.store import schema

CALL = "call"
ROOM = "room"
DISCARD = "discard"

_calls = schema.calls.c
_rooms = schema.rooms.c
_call_events = schema.call_events.c
_room_events = schema.room_events.c
_discards = schema.discards.c

Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Log:
    """How a log is read: the rows behind a number, its newest number, and what a row means."""

    name: str
    behind: Query
    newest: Query
    to_event: Callable[[list[Any]], Event]


def _call_event(row: list[Any]) -> Event:
    _, call_id, kind, at, actor, facts, caller_id, participants, call_type, room_id, channel = row
    about = {"caller_id": caller_id, "participants": participants, "call_type": call_type}
    return Event(
        # A later version may write kinds that this one does not know.
        CALL_TYPES.get(kind, f"call.{kind}"),
        at,
        call=call_id,
        room=room_id,
        channel=channel,
        data={"actor": actor, **about, **facts},
    )


def _room_event(row: list[Any]) -> Event:
    _, room_id, kind, at, actor, facts, name, number = row
    data = {"actor": actor, "name": name, "number": number, **facts}
    return Event(ROOM_TYPES.get(kind, f"room.{kind}"), at, room=room_id, data=data)


def _discard(row: list[Any]) -> Event:
    _, kind, subject, at = row
    if kind == CALL:
        return Event(CALL_DISCARDED, at, call=subject)
    return Event(ROOM_DISCARDED, at, room=subject)


def _behind(query: Query, number: Any) -> Query:
    return query.where(number > bindparam("number")).order_by(number).limit(bindparam("limit"))


LOGS = (
    Log(
        CALL,
        _behind(
            select(
                _call_events.id,
                _call_events.call_id,
                _call_events.kind,
                _call_events.at,
                _call_events.actor,
                _call_events.facts,
                _calls.caller_id,
                _calls.participants,
                _calls.call_type,
                _calls.room_id,
                _calls.asterisk_unique_id,
            ).join(schema.calls, _calls.id == _call_events.call_id),
            _call_events.id,
        ),
        select(func.max(_call_events.id)),
        _call_event,
    ),
    Log(
        ROOM,
        _behind(
            select(
                _room_events.id,
                _room_events.room_id,
                _room_events.kind,
                _room_events.at,
                _room_events.actor,
                _room_events.facts,
                _rooms.name,
                _rooms.number,
            ).join(schema.rooms, _rooms.id == _room_events.room_id),
            _room_events.id,
        ),
        select(func.max(_room_events.id)),
        _room_event,
    ),
    Log(
        DISCARD,
        _behind(
            select(_discards.id, _discards.kind, _discards.subject, _discards.at), _discards.id
        ),
        select(func.max(_discards.id)),
        _discard,
    ),
)
