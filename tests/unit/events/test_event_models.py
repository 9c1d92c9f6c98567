"""What events are called and how they are written."""

from datetime import UTC, datetime

import pytest

from fastagi_server.calls.models import EventKind
from fastagi_server.events.filters import TypeFilter
from fastagi_server.events.models import CALL_TYPES, ROOM_TYPES, TYPES, Event, encode
from fastagi_server.rooms.models import RoomEventKind


def test_every_kind_has_a_documented_type() -> None:
    """Whatever a log may say has a type, and every type has a meaning."""
    assert set(CALL_TYPES) == set(EventKind)
    assert set(ROOM_TYPES) == set(RoomEventKind)
    assert {*CALL_TYPES.values(), *ROOM_TYPES.values()} <= set(TYPES)
    assert CALL_TYPES[EventKind.ACCEPTED] == "call.connected"
    assert CALL_TYPES[EventKind.HELD] == "call.on_hold"


def test_an_event_is_one_line_of_json() -> None:
    """All fields are there, whether known or not; times are in UTC."""
    at = datetime(2026, 11, 23, 9, 14, 3, 250000, tzinfo=UTC)
    event = Event("call.ended", at, call="c-1", data={"hangup_cause": 16, "reason": "a\nb"})
    assert encode(event, "boot-17") == (
        b'{"id":"boot-17","type":"call.ended","at":"2026-11-23T09:14:03.250000Z","call":"c-1",'
        b'"room":null,"channel":null,"data":{"hangup_cause":16,"reason":"a\\nb"}}'
    )


@pytest.mark.parametrize(
    ("patterns", "wanted", "unwanted"),
    [
        ((), ("call.ended", "link.up"), ()),
        (("*",), ("call.ended", "link.up"), ()),
        (("call.*",), ("call.ended",), ("callx.ended", "room.closed", "link.up")),
        (("call.ended", "room.*"), ("call.ended", "room.closed"), ("call.created",)),
    ],
)
def test_types_are_filtered(
    patterns: tuple[str, ...], wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    """A type is wanted by its name, by its family or with all the others."""
    types = TypeFilter(patterns)
    assert [types.wants(each) for each in wanted] == [True] * len(wanted)
    assert [types.wants(each) for each in unwanted] == [False] * len(unwanted)


@pytest.mark.parametrize("pattern", ["", "call", "call.", ".*", "call.*.x", "CALL.*", "call.e*"])
def test_a_pattern_must_be_one(pattern: str) -> None:
    """What is no type and no family is refused in words."""
    with pytest.raises(ValueError, match="is not a type of events"):
        TypeFilter((pattern,))
