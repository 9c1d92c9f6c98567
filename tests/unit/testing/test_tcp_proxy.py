"""The TCP proxy: passes bytes on, and cuts, stalls, delays, trickles and loses them when told."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from fastagi_server.testing.proxy import Direction, TcpProxy

SECONDS = 5.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that sends back what comes, and ends its side when the client does."""

    def __init__(self) -> None:
        self.heard = b""
        self.errors: list[str] = []
        self.finished = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
        except OSError as error:
            self.errors.append(type(error).__name__)
        finally:
            writer.close()
            self.finished.set()


@asynccontextmanager
async def echoing() -> AsyncGenerator[tuple[Echo, TcpProxy]]:
    """Run a proxy in front of an echoing server."""
    echo = Echo()
    async with (
        asyncio.timeout(SECONDS),
        await asyncio.start_server(echo.handle, "127.0.0.1", 0) as server,
        TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
    ):
        yield echo, proxy


@asynccontextmanager
async def connected(proxy: TcpProxy) -> AsyncGenerator[Streams]:
    """Connect a client to the proxy."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_passes_bytes_both_ways() -> None:
    """Left alone, the proxy passes everything on and counts it."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""
        assert echo.heard == b"hello"
        assert proxy.connections == 1
        assert proxy.carried("to server") == 5
        assert proxy.carried("to client") == 5


async def test_half_close_is_passed_on() -> None:
    """The end of one direction leaves the other open."""
    async with echoing() as (_, proxy), connected(proxy) as (reader, writer):
        writer.write(b"x" * 200_000)
        writer.write_eof()
        assert await reader.read() == b"x" * 200_000


@pytest.mark.parametrize("direction", ["to server", "to client", None])
async def test_stall_and_resume(direction: Direction | None) -> None:
    """Stalled bytes come when the direction is resumed, and none is lost."""
    async with echoing() as (_, proxy), connected(proxy) as (reader, writer):
        proxy.stall(direction)
        writer.write(b"hello")
        pending = asyncio.create_task(reader.readexactly(5))
        done, _ = await asyncio.wait([pending], timeout=0.05)
        assert not done
        assert proxy.received("to server") == 5
        proxy.resume()
        assert await pending == b"hello"


async def test_stall_holds_the_end_back_too() -> None:
    """A stalled direction does not show that its sender has gone."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.stall("to server")
        writer.write_eof()
        await asyncio.wait([waiting := asyncio.create_task(echo.finished.wait())], timeout=0.05)
        assert not waiting.done()
        proxy.resume("to server")
        assert await waiting


async def test_cut_by_fin() -> None:
    """A cut closes both connections in the ordinary way."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.cut()
        assert await reader.read() == b""
        await echo.finished.wait()
        assert echo.errors == []


async def test_cut_by_reset() -> None:
    """A cut by RST is an error at both ends."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await echo.finished.wait()
        assert echo.errors == ["ConnectionResetError"]


async def test_cut_after_bytes() -> None:
    """The connection is cut in the middle of an answer, once; the next one is whole."""
    async with echoing() as (_, proxy):
        proxy.cut_after(3, "to client")
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            assert await reader.read() == b"hel"
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"


async def test_trickle() -> None:
    """Bytes pass in pieces of a given size."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        proxy.trickle(1)
        proxy.delay(0.002, "to server")
        writer.write(b"abc")
        assert await reader.readexactly(3) == b"abc"
        assert echo.heard == b"abc"


async def test_delay() -> None:
    """A delayed chunk is not there before its time."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        proxy.delay(0.01)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.delay(3600.0, "to client")
        writer.write(b"b")
        done, _ = await asyncio.wait(
            [pending := asyncio.create_task(reader.readexactly(1))], timeout=0.05
        )
        assert not done
        assert echo.heard == b"ab"
        pending.cancel()


async def test_lossy_direction() -> None:
    """What is lost never comes, and nobody is told of the end."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        proxy.lose("to client")
        writer.write(b"a")
        writer.write_eof()
        await echo.finished.wait()
        done, _ = await asyncio.wait([pending := asyncio.create_task(reader.read())], timeout=0.05)
        assert not done
        assert echo.heard == b"a"
        pending.cancel()


async def test_refuse_and_accept() -> None:
    """A proxy that refuses looks like a server that is down; it comes back on the same port."""
    async with echoing() as (_, proxy):
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(proxy.host, proxy.port)
        await proxy.accept()
        assert proxy.port == port
        async with connected(proxy) as (reader, writer):
            writer.write(b"a")
            assert await reader.readexactly(1) == b"a"


async def test_server_that_is_down() -> None:
    """When the server cannot be reached, the client sees its connection closed."""
    async with await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    async with TcpProxy("127.0.0.1", port) as proxy, connected(proxy) as (reader, _):
        assert await reader.read() == b""
        assert proxy.failures == 1


async def test_leaving_closes_what_is_open() -> None:
    """At its end the proxy leaves no connection behind, stalled ones included."""
    async with echoing() as (echo, proxy):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.stall()
        writer.write(b"b")
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    await echo.finished.wait()
    assert echo.heard == b"a"


async def test_death_of_one_end_is_shown_to_the_other() -> None:
    """When one end resets its connection, the other sees its own end."""
    async with echoing() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        peer = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await echo.finished.wait()
        assert echo.heard == b"a"
