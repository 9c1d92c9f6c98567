"""Laws of reading the manager interface, whatever bytes come."""

import asyncio
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.ami.decoding import DECODERS, read_event
from fastagi_server.ami.errors import AmiError, AmiMessageError
from fastagi_server.ami.events import Event
from fastagi_server.ami.framing import MessageSplitter
from fastagi_server.ami.protocol import Protocol
from fastagi_server.ami.reading import event_name, read_headers

RECEIVED = datetime(2030, 1, 2, tzinfo=UTC)
GREETING = b"Asterisk Call Manager/11.0.0\r\n"

NAMES = st.sampled_from(sorted(DECODERS)) | st.binary(max_size=12)
HEADERS = st.sampled_from(
    [
        "ActionID",
        "AOR",
        "BridgeUniqueid",
        "BridgeNumChannels",
        "Cause",
        "Channel",
        "DestUniqueid",
        "Device",
        "Linkedid",
        "Message",
        "Response",
        "SystemName",
        "Timestamp",
        "Uniqueid",
        "UserEvent",
    ]
)
VALUES = st.text(max_size=20) | st.from_regex(r"-?[0-9]{0,25}(\.[0-9]{0,8})?", fullmatch=True)
LINES = st.tuples(HEADERS, VALUES).map(lambda pair: f"{pair[0]}: {pair[1]}".encode())


def joined(name: bytes, lines: list[bytes]) -> bytes:
    """A message of an event's name and more lines."""
    return b"\r\n".join([b"Event: " + name, *lines])


MESSAGES = st.builds(joined, NAMES, st.lists(LINES | st.binary(max_size=20), max_size=12))


@given(MESSAGES | st.binary(max_size=200))
def test_a_message_is_an_event_or_none_or_refused(message: bytes) -> None:
    """There is no fourth."""
    try:
        event = read_event(message, RECEIVED)
    except AmiMessageError:
        return
    assert event is None or (isinstance(event, Event) and event.at.tzinfo is UTC)


@given(st.binary(max_size=300))
def test_headers_are_always_text(message: bytes) -> None:
    """That can be encoded, and that every database takes."""
    for name, value in read_headers(message).items():
        assert "\0" not in (name + value).encode().decode()


@given(
    st.lists(st.tuples(st.text("abcXYZ", min_size=1, max_size=5), st.text("xyz é:", max_size=8)))
)
def test_headers_are_read_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    """The first of a name."""
    written = "\r\n".join(f"{name}: {value}" for name, value in pairs).encode()
    expected: dict[str, str] = {}
    for name, value in pairs:
        expected.setdefault(name, value)
    assert read_headers(written) == expected


@given(st.lists(st.binary(max_size=40).filter(lambda text: b"\r\n" not in text)), st.data())
def test_a_stream_is_cut_alike_however_it_comes(texts: list[bytes], data: st.DataObject) -> None:
    """In one piece or in many."""
    messages = [text.strip(b"\r\n") for text in texts]
    stream = GREETING + b"".join(message + b"\r\n\r\n" for message in messages)
    whole = MessageSplitter().feed(stream)
    splitter = MessageSplitter()
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:size])
        stream = stream[size:]
    assert found == whole == messages


@given(st.lists(MESSAGES | st.binary(max_size=100), max_size=8), st.integers(1, 50))
async def test_a_connection_hands_on_or_ends_in_words(parts: list[bytes], size: int) -> None:
    """It never raises into the loop, and after its end nothing is handed on."""
    received: list[bytes] = []
    protocol = Protocol(lambda messages, _others: received.extend(messages))
    protocol.connection_made(Wire())
    stream = GREETING + b"\r\n\r\n".join(parts) + b"\r\n\r\n"
    for start in range(0, len(stream), size):
        protocol.data_received(stream[start : start + size])
        if protocol.lost.done():
            assert isinstance(protocol.lost.result(), AmiError)
            break
    assert all(event_name(message) in DECODERS for message in received)


class Wire(asyncio.Transport):
    """A connection that leads nowhere."""

    def abort(self) -> None:
        """Do nothing."""
