"""One connection and the one exchange on it, without a network."""

import asyncio

import httpx
import pytest

from fastagi_server.origin.connection import Connection, StaleConnectionError


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.gone = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is sent."""
        self.written += data

    def abort(self) -> None:
        """Be dropped."""
        self.gone = True


def connected() -> tuple[Connection, Wire, list[Connection]]:
    """A connection, its wire, and the list of those that were lost."""
    lost: list[Connection] = []
    connection, wire = Connection(lost.append, max_response_bytes=1000), Wire()
    connection.connection_made(wire)
    return connection, wire, lost


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_exchange_sends_and_receives() -> None:
    """A request goes out in one piece, the response comes back, the connection may go on."""
    connection, wire, _ = connected()
    answer = connection.exchange(b"GET / HTTP/1.1\r\n\r\n")
    reusable_meanwhile = connection.reusable
    connection.data_received(OK)
    assert ((await answer).status, (await answer).body) == (200, b"{}")
    assert (reusable_meanwhile, connection.reusable) == (False, True)
    assert wire.written == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        OK + OK,
        OK + b"garbage",
    ],
)
async def test_connection_that_will_close_is_not_reusable(data: bytes) -> None:
    """The answer is good, the connection is not: it closes, or the server says too much."""
    connection, _, _ = connected()
    answer = connection.exchange(b"")
    connection.data_received(data)
    assert (await answer).body == b"{}"
    assert not connection.reusable


async def test_bytes_without_a_request_drop_the_connection() -> None:
    """Nothing was asked, so nothing can be an answer."""
    connection, wire, _ = connected()
    connection.data_received(OK)
    assert wire.gone
    assert not connection.reusable


async def test_end_of_the_connection_ends_an_unframed_response() -> None:
    """Without a length the response lasts until the server closes."""
    connection, _, lost = connected()
    answer = connection.exchange(b"")
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nabc")
    connection.data_received(b"def")
    assert not answer.done()
    connection.connection_lost(None)
    assert (await answer).body == b"abcdef"
    assert lost == [connection]


async def test_reset_does_not_end_an_unframed_response() -> None:
    """A connection that broke did not end properly."""
    connection, _, _ = connected()
    answer = connection.exchange(b"")
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nabc")
    connection.connection_lost(ConnectionResetError())
    with pytest.raises(httpx.RemoteProtocolError, match="within the response"):
        await answer


async def test_request_on_a_lost_connection_fails_as_stale() -> None:
    """A connection lost between choosing it and using it may be replaced by another."""
    connection, _, _ = connected()
    first = connection.exchange(b"")
    connection.data_received(OK)
    await first
    connection.connection_lost(None)
    with pytest.raises(StaleConnectionError):
        await connection.exchange(b"GET / HTTP/1.1\r\n\r\n")


async def test_expired_exchange_drops_the_connection() -> None:
    """What comes after the deadline belongs to nobody."""
    connection, wire, _ = connected()
    answer = connection.exchange(b"")
    connection.expire()
    with pytest.raises(httpx.ReadTimeout):
        await answer
    assert wire.gone
    connection.data_received(OK)
    assert not connection.reusable


async def test_abandoned_exchange_is_not_settled() -> None:
    """A cancelled waiter is left in peace when the answer arrives after all."""
    connection, _, _ = connected()
    answer = connection.exchange(b"")
    answer.cancel()
    connection.data_received(OK)
    assert answer.cancelled()
