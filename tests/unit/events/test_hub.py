"""The hub: a ring of events, and readers with a place in it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from fastagi_server.events.filters import TypeFilter
from fastagi_server.events.hub import EventHub, Reader, TooManyReadersError
from fastagi_server.events.models import Event
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL = TypeFilter()


@pytest.fixture
def measures() -> Measures:
    """The measures of the hub."""
    return Measures()


@pytest.fixture
def hub(measures: Measures) -> EventHub:
    """A hub that keeps four events and has two readers at most."""
    return EventHub(measures=measures, size=4, max_readers=2, boot="b0", now=lambda: NOON)


def publish(hub: EventHub, *types: str) -> None:
    """Publish events of these types."""
    for each in types:
        hub.publish(Event(each, NOON))


def taken(reader: Reader, limit: int = 100) -> list[Any]:
    """Ids and types of what a reader takes."""
    documents = [json.loads(each.document) for each in reader.take(limit)]
    return [(each["id"], each["type"], *each["data"].values()) for each in documents]


def test_a_reader_begins_now(hub: EventHub) -> None:
    """Without a cursor a reader gets what comes after it, each event once."""
    publish(hub, "call.created")
    reader = hub.open_reader(ALL)
    assert taken(reader) == []
    assert reader.cursor == "b0-1"
    publish(hub, "call.ringing", "call.ended")
    assert taken(reader, 1) == [("b0-2", "call.ringing")]
    assert taken(reader) == [("b0-3", "call.ended")]
    assert taken(reader) == []


def test_a_cursor_is_gone_on_from(hub: EventHub) -> None:
    """Behind a cursor everything that is still in the ring comes again."""
    publish(hub, "call.created", "call.ringing", "call.ended")
    assert taken(hub.open_reader(ALL, "b0-1")) == [
        ("b0-2", "call.ringing"),
        ("b0-3", "call.ended"),
    ]
    assert taken(hub.open_reader(ALL, "b0-3")) == []


@pytest.mark.parametrize("cursor", ["other-1", "b0-9", "b0-", "nonsense", "b0-²", "-1"])
def test_a_cursor_that_nobody_knows_is_a_gap(
    hub: EventHub, measures: Measures, cursor: str
) -> None:
    """After a restart nobody knows how much was lost; what is there comes behind the marker."""
    publish(hub, "call.created")
    reader = hub.open_reader(ALL, cursor)
    assert taken(reader) == [("b0-0", "stream.gap", None), ("b0-1", "call.created")]
    assert measures.drops.values == {}


def test_a_slow_reader_is_told_what_it_lost(hub: EventHub, measures: Measures) -> None:
    """Who reads slower than the ring goes round loses the oldest, and is told how many."""
    reader = hub.open_reader(TypeFilter(["call.*"]))
    publish(hub, *["call.ended"] * 7)
    assert taken(reader) == [
        ("b0-3", "stream.gap", 3),
        ("b0-4", "call.ended"),
        ("b0-5", "call.ended"),
        ("b0-6", "call.ended"),
        ("b0-7", "call.ended"),
    ]
    assert measures.drops.values == {("stream_event",): 3.0}


def test_who_comes_back_was_not_slow(hub: EventHub, measures: Measures) -> None:
    """What was lost before a reader came back with a cursor counts as no drop."""
    publish(hub, *["call.ended"] * 7)
    reader = hub.open_reader(ALL, "b0-1")
    assert taken(reader, 1) == [("b0-3", "stream.gap", 2)]
    assert measures.drops.values == {}
    publish(hub, *["call.ended"] * 5)
    assert taken(reader, 1) == [("b0-8", "stream.gap", 5)]
    assert measures.drops.values == {("stream_event",): 5.0}


def test_a_published_gap_is_for_everybody(hub: EventHub) -> None:
    """That the PBX was not heard for a while is told to those, too, who want few types."""
    reader = hub.open_reader(TypeFilter(["room.*"]))
    publish(hub, "call.created", "stream.gap", "call.ended")
    assert taken(reader) == [("b0-2", "stream.gap")]


def test_an_unwanted_event_moves_the_cursor(hub: EventHub) -> None:
    """Who wants little does not fall behind for it."""
    reader = hub.open_reader(TypeFilter(["room.*"]))
    publish(hub, "call.created", "room.closed", "call.ended")
    assert taken(reader) == [("b0-2", "room.closed")]
    assert reader.cursor == "b0-3"
    assert not reader.is_behind


def test_readers_are_limited(hub: EventHub, measures: Measures) -> None:
    """There are so many readers at a time and no more; one that is lost is none."""
    first = hub.open_reader(ALL)
    second = hub.open_reader(ALL)
    assert measures.event_streams.values == {(): 2.0}
    with pytest.raises(TooManyReadersError):
        hub.open_reader(ALL)
    first.close()
    first.close()
    del second
    assert hub.open_reader(ALL)
    assert measures.event_streams.values == {(): 1.0}


async def test_a_reader_is_woken(hub: EventHub) -> None:
    """What is wanted wakes a reader, what is not does not, and the end does."""
    reader = hub.open_reader(TypeFilter(["call.*"]))
    taken(reader)
    publish(hub, "room.closed")
    await reader.wait(0.001)
    assert taken(reader) == []
    publish(hub, "call.ended")
    await reader.wait(60)
    assert len(taken(reader)) == 1
    hub.close()
    await reader.wait(60)
    assert reader.is_over
    assert hub.is_closed


def test_an_event_is_written_once(hub: EventHub) -> None:
    """Readers share the text of an event."""
    first, second = hub.open_reader(ALL), hub.open_reader(ALL)
    publish(hub, "call.ended")
    assert first.take(1)[0] is second.take(1)[0]


def test_listeners_hear_at_once(hub: EventHub) -> None:
    """A part of the program that listens is told of each event from then on, in order."""
    heard: list[str] = []
    hub.publish(Event("call.created", NOON))
    hub.listen(lambda event: heard.append(event.type))
    hub.publish(Event("call.ringing", NOON))
    hub.publish(Event("call.ended", NOON))
    assert heard == ["call.ringing", "call.ended"]


def test_a_listener_that_fails(hub: EventHub) -> None:
    """Its mistake is logged, and the others hear all the same."""
    heard: list[str] = []

    def fail(_event: Event) -> None:
        raise RuntimeError("a mistake")

    hub.listen(fail)
    hub.listen(lambda event: heard.append(event.type))
    with capture_logs() as logs:
        publish(hub, "call.ended")
    assert heard == ["call.ended"]
    assert [(line["event"], line["type"]) for line in logs] == [
        ("event_listener_failed", "call.ended")
    ]
