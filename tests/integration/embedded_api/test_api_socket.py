"""The API behind a real server on a real socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from test_api_calls import ADOPTION, KEY, refusal

from fastagi_server.api import envelope


class _Server(uvicorn.Server):
    """A server that says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[tuple[str, int]]:
    """The address of a server of this application."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app, http="httptools", lifespan="off", access_log=False, log_config=None
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve([listener]))
        await server.listening.wait()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            await running


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[tuple[str, int]]:
    """A server of the application under test."""
    async with serving(app) as address:
        yield address


async def test_call_over_a_socket(address: tuple[str, int]) -> None:
    """A call lives from adoption to end over kept-alive connections."""
    host, port = address
    async with httpx.AsyncClient(
        base_url=f"http://{host}:{port}/api/v1/voip", headers={"X-API-Key": "bootstrap"}
    ) as client:
        first = await client.post("/calls", json=ADOPTION, headers=KEY)
        again = await client.post("/calls", json=ADOPTION, headers=KEY)
        call_id = first.json()["id"]
        accepted = await client.post(f"/calls/{call_id}/accept")
        ended = await client.post(f"/calls/{call_id}/end", json={"hangup_cause": 16})
        listed = await client.get("/calls")
    assert [first.status_code, again.status_code] == [201, 200]
    assert again.content == first.content
    assert accepted.json()["status"] == "connected"
    assert ended.json()["hangup_cause"] == 16
    assert listed.json() == []


async def test_too_large_a_body_over_a_socket(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that is announced as too large is refused without being sent."""
    monkeypatch.setattr(envelope, "DISCARD_SECONDS", 0.01)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(
        b"POST /api/v1/voip/calls HTTP/1.1\r\nHost: x\r\nX-API-Key: bootstrap\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{"
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"content_too_large" in answer
    assert b"connection: close" in answer


async def test_chunked_body_over_a_socket(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of unknown length is refused, and the client that sent all of it is told."""
    monkeypatch.setattr(envelope, "DISCARD_SECONDS", 30.0)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 1024

    host, port = address
    async with httpx.AsyncClient(headers={"X-API-Key": "bootstrap"}) as client:
        answer = await client.post(
            f"http://{host}:{port}/api/v1/voip/calls",
            content=endless(),
            headers={"Content-Type": "application/json"},
        )
    assert refusal(answer)[:3] == (413, "Call initiation failed", "content_too_large")


async def test_stranger_over_a_socket(address: tuple[str, int]) -> None:
    """Without a key the answer is 401 over a socket too."""
    host, port = address
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{host}:{port}/api/v1/voip/calls")
    assert refusal(answer)[:3] == (401, "Unauthorized", "unauthorized")
