"""What the fuzzer does with its bytes: one stream of SIP, heard twice, cut differently.

One reader hears the bytes at once, its twin in pieces whose size the first byte says: both must
tell the same messages and break or not alike. What was told is written and read back, and every
field of it is taken apart.
"""

from collections.abc import Callable
from contextlib import suppress

from fastagi_server.sip.addresses import NameAddress, Uri
from fastagi_server.sip.digest import Challenge, best_challenge
from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.messages import Message, Request, parse_message

MAX_HEAD = 600
MAX_BODY = 100

FIELDS: dict[str, Callable[[str], object]] = {
    "Via": Via.parse,
    "Contact": NameAddress.parse,
    "Record-Route": NameAddress.parse,
    "From": NameAddress.parse,
    "To": NameAddress.parse,
    "CSeq": CSeq.parse,
    "WWW-Authenticate": Challenge.parse,
}


def hear(pieces: list[bytes]) -> tuple[list[Message], bool]:
    """The messages, and whether the reader broke behind them."""
    reader = MessageReader(max_head=MAX_HEAD, max_body=MAX_BODY)
    messages: list[Message] = []
    broken = False
    for piece in pieces:
        try:
            for message in reader.receive(piece):
                assert not broken
                messages.append(message)
        except SipSyntaxError:
            broken = True
    return messages, broken


def take_apart(message: Message) -> None:
    """Read every field; what is no value must be a `SipSyntaxError`, what is one comes back."""
    if isinstance(message, Request):
        _read_back(Uri.parse, message.uri)
    for name, parse in FIELDS.items():
        for value in message.headers.get_all(name):
            if parse == Challenge.parse:
                best_challenge([value])
            else:
                _read_back(parse, value)
        with suppress(SipSyntaxError):
            for element in message.headers.elements(name):
                _read_back(parse, element)


def _read_back(parse: Callable[[str], object], text: str) -> None:
    with suppress(SipSyntaxError):
        value = parse(text)
        if not isinstance(value, Challenge):
            assert parse(str(value)) == value, (text, value)


def run_stream(data: bytes) -> None:
    """Hear the stream that these bytes are; an assertion or any error is a finding."""
    size, stream = 1 + (data[0] if data else 0) % 64, data[1:]
    pieces = [stream[place : place + size] for place in range(0, len(stream), size)]
    messages, broken = hear([stream])
    assert hear(pieces) == (messages, broken)
    for message in messages:
        assert parse_message(message.serialize()) == message
        take_apart(message)
