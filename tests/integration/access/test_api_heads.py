"""What the server takes of a request before it knows who sends it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from fastagi_server import http
from fastagi_server.http import HttpServer


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[tuple[str, int]]:
    """The address of the API on a socket."""
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        yield server.address
        server.stop()
        await running


async def answer(address: tuple[str, int], *parts: bytes) -> bytes:
    """All that the server says to these bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
    async with asyncio.timeout(30):
        received = await reader.read()
    writer.close()
    return received


CLOSE = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + CLOSE,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n" + CLOSE,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 40_000 + CLOSE,
        b"GET / HTTP/1.1\r\n" + b"x" * 70_000 + b": y\r\n" + CLOSE,
    ],
)
async def test_too_large_a_head(address: tuple[str, int], head: bytes) -> None:
    """A path, a header, or many headers beyond 64 KiB are refused."""
    assert (await answer(address, head)).startswith(b"HTTP/1.1 400 ")


async def test_large_head(address: tuple[str, int]) -> None:
    """A head of less than that is read, and the next one is counted anew."""
    head = b"GET /api/v1/voip/health/live HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n"
    received = await answer(address, head + b"\r\n", head + CLOSE)
    assert received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("parts", [(), (b"GET / HT",), (b"GET / HTTP/1.1\r\nHost: x\r\n",)])
async def test_too_slow_a_head(
    address: tuple[str, int], parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that connects and does not ask, or not to the end, is let go."""
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.05)
    assert await answer(address, *parts) == b""


async def test_slow_body_is_no_slow_head(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for the head ends with the head: another client's runs out, and this one's not."""
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(
        b"POST /api/v1/voip/calls HTTP/1.1\r\nX-API-Key: bootstrap\r\nContent-Length: 2\r\n"
        b"Content-Type: application/json\r\nExpect: 100-continue\r\n" + CLOSE
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
    assert await answer(address) == b""
    writer.write(b"{}")
    received = await reader.read()
    writer.close()
    assert b"HTTP/1.1 422 " in received


async def test_no_web_socket(address: tuple[str, int]) -> None:
    """A request to become a WebSocket is answered as any other."""
    upgrade = (
        b"GET /api/v1/voip/calls HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await answer(address, upgrade)).startswith(b"HTTP/1.1 401 ")
