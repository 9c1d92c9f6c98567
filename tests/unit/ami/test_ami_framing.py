"""Bytes cut into messages."""

import pytest

from fastagi_server.ami.errors import AmiMessageError
from fastagi_server.ami.framing import MessageSplitter

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
STREAM = (
    GREETING + b"Response: Success\r\nActionID: 1\r\n\r\nEvent: Hangup\r\nName: \xc3\xa9\r\n\r\n"
)
MESSAGES = [b"Response: Success\r\nActionID: 1", b"Event: Hangup\r\nName: \xc3\xa9"]


def greeted(limit: int = 262_144) -> MessageSplitter:
    """A splitter that has read its greeting."""
    splitter = MessageSplitter(limit)
    assert splitter.feed(GREETING) == []
    return splitter


def test_a_stream_at_once() -> None:
    """The greeting is no message, and its version is kept."""
    splitter = MessageSplitter()
    assert splitter.feed(STREAM) == MESSAGES
    assert splitter.version == "11.0.0"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 31])
def test_a_stream_in_pieces(size: int) -> None:
    """It does not matter where they end."""
    splitter = MessageSplitter()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [message for piece in pieces for message in splitter.feed(piece)] == MESSAGES


def test_what_is_not_complete_waits() -> None:
    """For as long as it takes."""
    splitter = greeted()
    assert splitter.feed(b"Event: Hangup\r\n") == []
    assert splitter.feed(b"\r") == []
    assert splitter.feed(b"") == []
    assert splitter.feed(b"\nEvent") == [b"Event: Hangup"]


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1", b"\r\n", b"Asterisk\r\n", b"asterisk call manager/1\r\n", b"\x00"]
)
def test_who_is_no_manager_interface_is_turned_away(said: bytes) -> None:
    """As soon as it is clear."""
    with pytest.raises(AmiMessageError, match="does not speak as"):
        MessageSplitter().feed(said)


def test_a_greeting_has_an_end() -> None:
    """Within 256 bytes."""
    splitter = MessageSplitter()
    assert splitter.feed(b"Asterisk Call Manager/" + b"1" * 234) == []
    with pytest.raises(AmiMessageError, match="does not speak as"):
        splitter.feed(b"1")


def test_a_greeting_without_a_version_is_one() -> None:
    """And is read once."""
    splitter = MessageSplitter()
    assert splitter.feed(b"Asterisk Call Manager/\r\nEvent: a\r\n\r\n") == [b"Event: a"]
    assert splitter.feed(b"Event: b\r\n\r\n") == [b"Event: b"]


def test_a_message_may_be_as_long_as_the_limit() -> None:
    """And no longer, whether its end is seen or not."""
    assert greeted(10).feed(b"0123456789\r\n\r\n") == [b"0123456789"]
    assert greeted(10).feed(b"01\r\n\r\n0123456789") == [b"01"]
    for harm in (b"01234567890\r\n\r\n", b"01234567890", b"a\r\n\r\n01234567890"):
        with pytest.raises(AmiMessageError, match="more than 10 bytes"):
            greeted(10).feed(harm)


def test_a_long_message_in_small_pieces_costs_no_more_than_its_length() -> None:
    """A quarter of a megabyte, byte by byte: each is looked at once."""
    splitter = greeted()
    for _ in range(262_000):
        assert splitter.feed(b"x") == []
    assert splitter.feed(b"\r\n\r\n") == [b"x" * 262_000]
