"""What a client may do to the connection of its event socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from fastagi_server.http import HttpServer
from fastagi_server.http_sockets import SocketLimits
from fastagi_server.presence.frames import Frame
from fastagi_server.telemetry.measures import Measures
from tests.integration.sockets.conftest import (
    Open,
    Serve,
    address_of,
    end_of,
    next_frame,
    token_of,
    until,
)

PING = '{"type":"Ping"}'
HANDSHAKE = (
    "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def send_all(client: ClientConnection, text: str | list[str], times: int) -> None:
    """Send so many messages, or as many of them as the server takes."""
    try:
        for _ in range(times):
            await client.send(text)
    except ConnectionClosed:
        pass


async def dropped(measures: Measures, what: str) -> None:
    """Wait until something was counted as dropped."""
    await until(lambda: (what,) in measures.drops.values)


@asynccontextmanager
async def raw_socket(
    server: HttpServer,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that has shaken hands and can then do as it likes; it reads only when asked."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect(server.address)
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    try:
        writer.write(f"GET /ws/auth?token={token_of('alice')} HTTP/1.1\r\n{HANDSHAKE}".encode())
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def keep_little(server: HttpServer) -> None:
    """Have the kernel keep little of what is written to connections to come."""
    listener = server._socket  # pyright: ignore[reportPrivateUsage] - nobody else needs it
    assert listener is not None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


LARGE = Frame("Notification", {"message": "x" * 100_000})


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A masked frame of fewer than 126 bytes, with the mask zero."""
    return bytes((opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload


@pytest.mark.parametrize("size", [65_537, 10_000_000])
async def test_messages_have_a_largest_size(server: HttpServer, size: int) -> None:
    """A frame that is too large is answered with 1009, though its sender goes on sending."""
    async with raw_socket(server) as (reader, writer):
        writer.write(b"\x81\xff" + size.to_bytes(8) + b"\0\0\0\0" + b" " * size)
        async with asyncio.timeout(10):
            assert b"\x03\xf1frame with" in await reader.read()


async def test_messages_in_parts_have_the_same_size(opened: Open) -> None:
    """Nor may a message become too large part by part."""
    async with opened("alice") as client:
        await send_all(client, ["x" * 40_000, "x" * 40_000], 1)
        code, _ = await end_of(client)
    assert code == 1009


async def test_the_largest_message_is_read(opened: Open) -> None:
    """A message of 64 KiB is taken, and what is wrong with it is said."""
    async with opened("alice") as client:
        await client.send("x" * 65_536)
        assert (await next_frame(client))["type"] == "Error"


async def test_frames_that_come_too_fast(opened: Open, measures: Measures) -> None:
    """Whoever sends too many frames at once is told so and cut; the others are not."""
    async with opened("alice") as flooding, opened("bob") as other:
        await send_all(flooding, PING, 500)
        assert await end_of(flooding) == (1008, "too many frames")
        await other.send(PING)
        assert await next_frame(other) == {"type": "Pong"}
    assert measures.drops.values[("socket_flood",)] == 1.0


@pytest.mark.parametrize(
    "flood",
    [
        frame(0x89) * 5000,
        frame(0x01) + frame(0x00) * 5000,
        frame(0x89, b"x" * 100) * 500,
    ],
    ids=["pings", "empty parts", "long pings"],
)
async def test_frames_of_no_use_are_limited_too(
    server: HttpServer, measures: Measures, flood: bytes
) -> None:
    """Control frames and empty parts of a message count like others."""
    async with raw_socket(server) as (_, writer):
        writer.write(flood)
        await dropped(measures, "socket_flood")


async def test_a_broken_protocol(server: HttpServer, measures: Measures) -> None:
    """Bytes that are no frames end the connection, in words, and only that one."""
    async with raw_socket(server) as (reader, writer):
        writer.write(b"\xff" * 2000)
        async with asyncio.timeout(10):
            assert b"\x03\xea" in await reader.read()  # 1002
    assert measures.drops.values == {("socket_protocol",): 1.0}


async def test_who_never_reads_is_cut(app: FastAPI, serve: Serve, measures: Measures) -> None:
    """A client that takes nothing is cut when its time is over; others hear everything."""
    book = app.state.services.presence.book
    async with serve(app, SocketLimits(stall_seconds=0.2)) as server:
        keep_little(server)
        async with (
            raw_socket(server),
            connect(address_of(server, token_of("alice"))) as other,
        ):
            await next_frame(other)
            for _ in range(5):
                book.tell("alice", LARGE)
                assert len((await next_frame(other))["message"]) == 100_000
            await dropped(measures, "socket_stalled")
            await other.send(PING)
            assert await next_frame(other) == {"type": "Pong"}
    assert measures.drops.values == {("socket_stalled",): 1.0}


async def test_too_much_for_who_does_not_read(
    app: FastAPI, server: HttpServer, measures: Measures
) -> None:
    """What may wait for a client is limited: it is cut long before its time is over."""
    book = app.state.services.presence.book
    keep_little(server)
    async with raw_socket(server):
        async with asyncio.timeout(10):
            while not measures.drops.values:
                book.tell("alice", LARGE)
                await asyncio.sleep(0)
        await until(lambda: not book.has_sockets("alice"))
    assert measures.drops.values == {("socket_slow",): 1.0}


async def test_who_gives_no_sign_of_life_is_closed(
    app: FastAPI, serve: Serve, measures: Measures
) -> None:
    """A client that answers no ping is closed at the next one."""
    async with (
        serve(app, SocketLimits(heartbeat_seconds=0.1)) as server,
        raw_socket(server) as (reader, _),
    ):
        async with asyncio.timeout(10):
            assert (await reader.read()).endswith(b"keepalive ping timeout")
    assert measures.drops.values == {("socket_silent",): 1.0}


async def test_who_answers_pings_stays(app: FastAPI, serve: Serve, measures: Measures) -> None:
    """A client that says nothing but answers pings is left alone."""
    async with (
        serve(app, SocketLimits(heartbeat_seconds=0.2)) as server,
        raw_socket(server) as (reader, writer),
    ):
        for _ in range(4):
            async with asyncio.timeout(10):
                await reader.readuntil(b"\x89\x04")
                writer.write(frame(0x8A, await reader.readexactly(4)))
    assert measures.drops.values == {}


async def test_heads_that_are_too_long(server: HttpServer) -> None:
    """A token too long for a line of the handshake is refused with 414, and nothing hangs."""
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(address_of(server, "x" * 10_000)):
            pass
    assert refusal.value.response.status_code == 414


async def test_heads_that_are_no_handshake(server: HttpServer) -> None:
    """An upgrade with half of its headers is refused in words."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(
        b"GET /ws/auth HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    )
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    writer.close()


async def test_a_server_that_stops_takes_no_sockets(server: HttpServer) -> None:
    """Who shakes hands while the server stops is not let in."""
    reader, writer = await asyncio.open_connection(*server.address)
    await asyncio.sleep(0)
    async with connect(address_of(server, token_of("alice"))) as client:
        await next_frame(client)  # both connections are accepted by now
        server.stop()
        assert await end_of(client) == (1001, "the service stops")
    writer.write(f"GET /ws/auth HTTP/1.1\r\n{HANDSHAKE}".encode())
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_compression_is_not_offered(server: HttpServer) -> None:
    """No socket has a compressor."""
    async with connect(address_of(server, token_of("alice"))) as client:
        assert client.protocol.extensions == []


async def test_a_client_that_vanishes(opened: Open, app: FastAPI) -> None:
    """A connection that is reset leaves nothing behind."""
    book = app.state.services.presence.book
    async with opened("alice") as client:
        client.transport.abort()
        await until(lambda: not book.has_sockets("alice"))
    assert len(app.state.services.sockets) == 0


async def test_plain_requests_to_the_path(server: HttpServer) -> None:
    """A request that is no handshake finds nothing there."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /ws/auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 404 ")
    writer.close()


async def test_half_a_handshake(server: HttpServer) -> None:
    """A client that leaves in the middle of its handshake disturbs nobody."""
    with pytest.raises((InvalidMessage, OSError)):
        async with connect(address_of(server, token_of("alice")), open_timeout=0):
            pass
    async with connect(address_of(server, token_of("alice"))) as client:
        assert (await next_frame(client))["title"] == "Connected"
