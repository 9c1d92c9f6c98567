"""A response is the same response however the network cuts it."""

import asyncio
from dataclasses import dataclass, field

import httpx
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.origin.connection import Answer, Connection


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False

    def write(self, data: object) -> None:
        """Take a request."""

    def abort(self) -> None:
        """Be dropped."""
        self.gone = True


@dataclass(frozen=True)
class Response:
    """A response as a server may send it, and what it says."""

    status: int
    body: bytes
    framing: str
    chunks: list[int]
    interim: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])

    def on_the_wire(self) -> bytes:
        """The bytes; an unframed one ends with the connection."""
        lines = [b"HTTP/1.1 %d Whatever" % self.status]
        lines += [name + b": " + value for name, value in self.headers]
        body = self.body
        if self.framing == "length":
            lines.append(b"Content-Length: %d" % len(self.body))
        elif self.framing == "chunked":
            lines.append(b"Transfer-Encoding: chunked")
            body = self._chunked()
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        return b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * self.interim + head + body

    def _chunked(self) -> bytes:
        rest, pieces = self.body, b""
        for size in self.chunks:
            piece, rest = rest[:size], rest[size:]
            if piece:
                pieces += b"%x\r\n%s\r\n" % (len(piece), piece)
        if rest:
            pieces += b"%x;last=1\r\n%s\r\n" % (len(rest), rest)
        return pieces + b"0\r\nX-Trailer: yes\r\n\r\n"


tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(
    lambda name: b"x-" + name.encode()
)
values = st.text("abc ,;=\t", max_size=20).map(lambda value: value.strip().encode())
responses = st.builds(
    Response,
    status=st.sampled_from([200, 201, 400, 401, 404, 422, 500, 503]),
    body=st.binary(max_size=300),
    framing=st.sampled_from(["length", "chunked", "close"]),
    chunks=st.lists(st.integers(1, 40), max_size=5),
    interim=st.integers(0, 2),
    headers=st.lists(st.tuples(tokens, values), max_size=5),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, cut at the places that lie within it."""
    places = sorted({cut for cut in cuts if 0 < cut < len(data)})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]


async def received(segments: list[bytes]) -> Answer | type[Exception]:
    """What an exchange makes of these segments and the end of the connection."""
    connection = Connection(lambda _: None, max_response_bytes=200)
    wire = Wire()
    connection.connection_made(wire)
    answer = connection.exchange(b"GET / HTTP/1.1\r\n\r\n")
    for segment in segments:
        if not wire.gone:
            connection.data_received(segment)
    connection.connection_lost(None)
    try:
        return await answer
    except httpx.TransportError as error:
        return type(error)


@given(response=responses, cuts=st.lists(st.integers(0, 700), max_size=12))
def test_cuts_do_not_matter(response: Response, cuts: list[int]) -> None:
    """Whole or byte by byte, the same response comes out, or the same refusal."""
    data = response.on_the_wire()
    whole = asyncio.run(received([data]))
    assert asyncio.run(received(pieces(data, cuts))) == whole
    assert asyncio.run(received(pieces(data, list(range(len(data)))))) == whole
    if len(response.body) <= 200:
        assert isinstance(whole, Answer)
        assert (whole.status, whole.body) == (response.status, response.body)
        assert whole.headers[: len(response.headers)] == response.headers
    else:
        assert not isinstance(whole, Answer)


@given(
    response=responses,
    cuts=st.lists(st.integers(0, 700), max_size=6),
    surplus=st.binary(max_size=40),
)
def test_what_follows_a_response_does_not_change_it(
    response: Response, cuts: list[int], surplus: bytes
) -> None:
    """Bytes after the end of a framed response are not part of it."""
    if response.framing == "close":
        return
    data = response.on_the_wire()
    whole = asyncio.run(received([data]))
    assert asyncio.run(received(pieces(data + surplus, cuts))) == whole


@given(
    response=responses,
    cuts=st.lists(st.integers(0, 700), max_size=6),
    place=st.integers(0, 400),
    byte=st.integers(0, 255),
)
def test_damaged_bytes_give_the_same_however_cut(
    response: Response, cuts: list[int], place: int, byte: int
) -> None:
    """One wrong byte may change what comes out, but the cuts still do not."""
    data = bytearray(response.on_the_wire())
    data[place % len(data)] = byte
    whole = asyncio.run(received([bytes(data)]))
    assert asyncio.run(received(pieces(bytes(data), cuts))) == whole


@given(response=responses, length=st.integers(0, 600))
def test_truncated_response_is_never_taken_for_a_whole_one(response: Response, length: int) -> None:
    """A framed response that was cut off is an error, whatever has arrived of it."""
    data = response.on_the_wire()
    if response.framing == "close" or length >= len(data):
        return
    outcome = asyncio.run(received([data[:length]] if length else []))
    assert not isinstance(outcome, Answer)
