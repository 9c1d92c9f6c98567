"""The HTTP server stops: who has connected is answered, and nobody waits for long."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from fastagi_server import http as http_module
from fastagi_server.http import HttpServer

PATIENCE_SECONDS = 10.0
REQUEST = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def kept() -> Iterator[socket.socket]:
    """A listening socket that outlives the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def application() -> FastAPI:
    """One answer."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:  # pyright: ignore[reportUnusedFunction]
        return "hello"

    return app


@asynccontextmanager
async def running(kept: socket.socket) -> AsyncGenerator[HttpServer]:
    """A server on the socket, that is stopped at the end at the latest."""
    listener = kept.dup()
    listener.setblocking(False)
    async with HttpServer(application(), "unused", 0, listener=listener) as server:
        task = asyncio.create_task(server.run())
        yield server
        server.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await task


async def connected(kept: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of a client."""
    return await asyncio.open_connection(*kept.getsockname())


async def answered(reader: asyncio.StreamReader) -> bytes:
    """All that the server sends up to the end of the connection."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.read()


def connections_of(server: HttpServer) -> list[Any]:
    """The protocols of the connections that the server has."""
    return list(server._server.server_state.connections)  # pyright: ignore[reportPrivateUsage]


async def accepted(server: HttpServer, number: int) -> None:
    """Wait until the server has so many connections."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(connections_of(server)) < number:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.001)


async def told_to_leave(server: HttpServer) -> None:
    """Wait until the one connection was told that the server stops."""
    (connection,) = connections_of(server)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not connection._is_leaving:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.001)


async def test_a_request_on_its_way_is_answered(kept: socket.socket) -> None:
    """Who connected before the stop and asks after it gets one answer, and the end."""
    async with running(kept) as server:
        reader, writer = await connected(kept)
        await accepted(server, 1)
        server.stop()
        await told_to_leave(server)
        writer.write(REQUEST)
        answer = await answered(reader)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer
    assert answer.endswith(b'"hello"')


async def test_who_asks_nothing_is_not_waited_for(
    kept: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that stays silent is closed after a moment, an idle one at once."""
    monkeypatch.setattr(http_module, "FIRST_REQUEST_SECONDS", 0.05)
    async with running(kept) as server:
        silent, silent_writer = await connected(kept)
        idle, idle_writer = await connected(kept)
        idle_writer.write(REQUEST)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await idle.readuntil(b'"hello"')
        await accepted(server, 2)
        server.stop()
        assert await answered(silent) == await answered(idle) == b""
        for writer in (silent_writer, idle_writer):
            writer.close()


async def test_who_connects_later_waits(kept: socket.socket) -> None:
    """The socket is not closed with the server: the next one answers who waits in it."""
    async with running(kept):
        pass
    reader, writer = await connected(kept)
    writer.write(REQUEST)
    async with running(kept):
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await reader.readuntil(b'"hello"')
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_a_hurry(kept: socket.socket) -> None:
    """Whoever stops the server in a hurry does not wait for a request under way."""
    app, began, ends = FastAPI(), asyncio.Event(), asyncio.Event()

    @app.get("/hello")
    async def hello() -> None:  # pyright: ignore[reportUnusedFunction]
        began.set()
        await ends.wait()

    listener = kept.dup()
    listener.setblocking(False)
    async with HttpServer(app, "unused", 0, listener=listener) as server:
        task = asyncio.create_task(server.run())
        _, writer = await connected(kept)
        writer.write(REQUEST)
        await began.wait()
        server.stop()
        server.hurry()
        async with asyncio.timeout(http_module.GRACEFUL_SECONDS):
            await task
        ends.set()
        writer.close()
