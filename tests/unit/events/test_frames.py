"""Server-sent events, written and read."""

import pytest

from fastagi_server.events.frames import (
    MAX_LINE,
    FrameReader,
    StreamError,
    frames,
    heartbeat,
    opening,
)
from fastagi_server.events.hub import Streamed


def read(reader: FrameReader, text: bytes) -> list[str]:
    """The events in a piece of a stream."""
    found = (reader.receive(line) for line in text.decode().split("\n")[:-1])
    return [event for event in found if event is not None]


def test_what_is_written_can_be_read() -> None:
    """A client gets each event once, and knows the cursor behind whatever it has seen."""
    reader = FrameReader()
    assert read(reader, opening("b0-4")) == []
    assert reader.cursor == "b0-4"
    events = [Streamed("b0-5", b'{"a":1}'), Streamed("b0-9", b'{"b":2}')]
    assert read(reader, frames(events)) == ['{"a":1}', '{"b":2}']
    assert reader.cursor == "b0-9"
    assert read(reader, heartbeat("b0-12")) == []
    assert reader.cursor == "b0-12"


def test_half_an_event_moves_nothing() -> None:
    """A cursor counts once its event is complete."""
    reader = FrameReader("b0-1")
    assert reader.receive("id: b0-2") is None
    assert reader.receive('data: {"a":') is None
    assert reader.cursor == "b0-1"


def test_other_servers_streams_can_be_read() -> None:
    """Unknown fields and comments are ignored, and lines of data are put together."""
    reader = FrameReader()
    text = b":hello\nevent: x\ndata:1\ndata: 2\nnonsense\n\n"
    assert read(reader, text) == ["1\n2"]


def test_a_line_may_not_be_endless() -> None:
    """A line that is too long is no event of ours."""
    with pytest.raises(StreamError, match="too long"):
        FrameReader().receive("x" * (MAX_LINE + 1))
    with pytest.raises(StreamError, match="too long"):
        FrameReader().feed(b"x" * (MAX_LINE + 1))


def test_an_event_may_not_be_endless() -> None:
    """Nor one of many lines; events one after another may be as many as they like."""
    reader = FrameReader()
    for _ in range(3):
        assert len(reader.feed(b"data:" + b"x" * (MAX_LINE // 2) + b"\n\n")) == 1
    assert reader.feed(b"data:" + b"x" * (MAX_LINE // 2) + b"\n") == []
    with pytest.raises(StreamError, match="too long"):
        reader.feed(b"data:" + b"x" * (MAX_LINE // 2) + b"\n")


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_only_line_feeds_end_a_line(size: int) -> None:
    """However the bytes come, a name with a separator of lines and the like stays whole."""
    event = '{"caller_id":"a\u2028b\x85c\u2029dé"}'
    text = f"id: b0-2\r\ndata: {event}\r\n\r\nid: b0-3\n".encode()
    reader = FrameReader()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [found for piece in pieces for found in reader.feed(piece)] == [event]
    assert reader.cursor == "b0-2"
