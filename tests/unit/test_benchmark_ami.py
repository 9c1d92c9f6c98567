"""The recorded call that the reading of manager events is measured with, and its replay."""

from datetime import UTC, datetime

from benchmarks.peers.ami_replay import APART, answer, side_by_side
from benchmarks.peers.ami_supervised import caller
from benchmarks.recorded_call import messages, renamed, stamped, stream
from fastagi_server.ami import events
from fastagi_server.ami.decoding import read_event
from fastagi_server.ami.events import Event

RECEIVED = datetime(2030, 1, 2, tzinfo=UTC)


def read(call: bytes) -> list[Event]:
    """The events of a call that have a class."""
    found = (read_event(message, RECEIVED) for message in call.split(b"\r\n\r\n"))
    return [event for event in found if event is not None]


def ids(call: bytes) -> set[str]:
    """The unique ids of its channels."""
    return {
        event.channel.unique_id for event in read(call) if isinstance(event, events.ChannelEvent)
    }


def test_a_recorded_call_is_a_whole_one() -> None:
    """Two phones that begin, are joined, and end."""
    story = [type(event).__name__ for event in read(b"\r\n\r\n".join(messages(chosen=True)))]
    assert len(messages(chosen=True)) == len(story) == 20
    assert len(messages(chosen=False)) == 162
    for kind, times in (("Newchannel", 2), ("BridgeEnter", 2), ("DialEnd", 1), ("Hangup", 2)):
        assert story.count(kind) == times


def test_each_call_of_a_stream_has_ids_of_its_own() -> None:
    """And otherwise the same events."""
    first, second = stream(2, chosen=True)
    assert len(ids(first)) == 2
    assert ids(first) & ids(second) == set()
    assert [type(event) for event in read(first)] == [type(event) for event in read(second)]


def test_a_call_can_be_given_another_time() -> None:
    """All of it happens then."""
    (call,) = stream(1, chosen=True)
    times = {event.at for event in read(stamped(renamed(call, 7), 1_710_000_000.25))}
    assert times == {datetime.fromtimestamp(1_710_000_000.25, UTC)}


def test_calls_are_replayed_side_by_side() -> None:
    """One begins after the other, and all events of each come in its own order."""
    calls = APART + 1
    pieces = [read(piece) for piece in side_by_side(calls, chosen=True)]
    assert len(pieces) == calls + 19 * APART
    assert [len(piece) for piece in pieces[:APART]] == [1] * APART
    assert len(pieces[APART]) == 2
    everything = [event for piece in pieces for event in piece]
    assert len(everything) == 20 * calls
    (alone,) = stream(1, chosen=True)
    first = ids(alone)
    story = [
        type(event)
        for event in everything
        if isinstance(event, events.ChannelEvent) and event.channel.unique_id in first
    ]
    assert story == [type(event) for event in read(alone) if isinstance(event, events.ChannelEvent)]


def test_the_caller_of_a_replayed_call_is_known() -> None:
    """It is one of that call's channels, and of no other call's."""
    first, second = stream(2, chosen=True)
    assert caller(0) in ids(first)
    assert caller(1) in ids(second)
    assert caller(1) not in ids(first)


def test_the_replayed_pbx_has_nothing() -> None:
    """A list is answered by its beginning and its end; anything else by one message."""
    assert answer(b"bridgelist", b"7") == (
        b"EventList: start\r\n\r\n"
        b"Event: BridgeListComplete\r\nActionID: 7\r\nEventList: Complete\r\nListItems: 0\r\n"
    )
    assert answer(b"ping", b"7") == b"Ping: Pong\r\n"
