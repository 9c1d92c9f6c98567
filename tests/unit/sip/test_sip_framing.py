"""Messages out of a stream: limits, keep-alives, and what is done after nonsense."""

from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.messages import Message, Request, Response

BYE = Request("BYE", "sip:a@b", Headers([("Call-ID", "7")]))
OK = Response(200, "OK", Headers([("Call-ID", "7")]), b"v=0\r\n\r\ns=-\r\n")


def heard(reader: MessageReader, data: bytes) -> tuple[list[Message], bool]:
    """The messages, and whether the reader broke behind them."""
    messages: list[Message] = []
    try:
        for message in reader.receive(data):
            messages.append(message)  # noqa: PERF402 - an error must not lose those before it
    except SipSyntaxError:
        return messages, True
    return messages, False


def test_messages_come_out_as_they_are_whole() -> None:
    """Two in one segment, one in two, with an empty line in a body."""
    reader = MessageReader()
    stream = BYE.serialize() + OK.serialize() + BYE.serialize()
    assert list(reader.receive(stream[:-3])) == [BYE, OK]
    assert list(reader.receive(b"")) == []
    assert list(reader.receive(stream[-3:] + OK.serialize())) == [BYE, OK]


def test_every_byte_may_come_by_itself() -> None:
    """The finest cut of all."""
    reader = MessageReader()
    stream = b"\r\n\r\n" + OK.serialize() + b"\r\n" + BYE.serialize()
    assert [m for byte in stream for m in reader.receive(bytes([byte]))] == [OK, BYE]


def test_keep_alives_are_dropped_without_being_kept() -> None:
    """However many, and cut within a line end."""
    reader = MessageReader()
    assert list(reader.receive(b"\r\n\r\n" * 100_000 + b"\r")) == []
    assert list(reader.receive(b"\n\r\n" + BYE.serialize() + b"\r\n\r\n")) == [BYE]


def test_messages_before_nonsense_are_told() -> None:
    """Then the same error for ever: where the next message begins cannot be known."""
    reader = MessageReader()
    assert heard(reader, BYE.serialize() + b"nonsense\r\n\r\n" + OK.serialize()) == ([BYE], True)
    assert heard(reader, OK.serialize()) == ([], True)
    assert heard(reader, b"") == ([], True)


def test_a_head_without_end_is_cut_off_at_the_limit() -> None:
    """A head of exactly the limit passes, in any number of pieces; one byte more does not."""
    head = BYE.serialize()[:-4]
    for size in (1, 7, 1000):
        data = head + b"\r\n\r\n"
        for limit, passes in ((len(head), True), (len(head) - 1, False)):
            reader = MessageReader(max_head=limit)
            messages: list[Message] = []
            broken = False
            for place in range(0, len(data), size):
                told, broken = heard(reader, data[place : place + size])
                messages += told
            assert (messages, broken) == ([BYE] if passes else [], not passes)


def test_an_endless_head_is_refused() -> None:
    """32 KB and a few bytes are all that is kept for a peer that never ends its head."""
    reader = MessageReader()
    assert heard(reader, b"X" * 32_771) == ([], False)
    assert heard(reader, b"X") == ([], True)


def test_a_body_too_large_is_refused_before_it_comes() -> None:
    """By its announced length; 256 KB are allowed."""
    head = b"BYE sip:a SIP/2.0\r\nContent-Length: %d\r\n\r\n"
    assert heard(MessageReader(), head % 262_145) == ([], True)
    reader = MessageReader()
    assert heard(reader, head % 262_144) == ([], False)
    messages, broken = heard(reader, b"x" * 262_144)
    assert ([len(message.body) for message in messages], broken) == ([262_144], False)
    assert heard(MessageReader(max_body=3), head % 4) == ([], True)


def test_a_broken_message_is_refused_when_it_is_whole() -> None:
    """A start line of another protocol with a good head around it."""
    reader = MessageReader()
    assert heard(reader, b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nx") == ([], False)
    assert heard(reader, b"x") == ([], True)


def test_an_iterator_that_is_not_read_loses_nothing() -> None:
    """What came is kept until somebody reads."""
    reader = MessageReader()
    reader.receive(BYE.serialize())
    assert list(reader.receive(b"")) == [BYE]
