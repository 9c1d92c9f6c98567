"""The embedded API on a real socket, and clients of its event sockets."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.http import HttpServer
from fastagi_server.http_sockets import SocketLimits
from fastagi_server.identities.tokens import TokenVerifier
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.unit.identities.token_samples import FixedKeys, token, trusted

Open = Callable[..., AbstractAsyncContextManager[ClientConnection]]
Serve = Callable[[FastAPI, SocketLimits], AbstractAsyncContextManager[HttpServer]]


def token_of(user: str, seconds: float = 3600.0) -> str:
    """A token of this user that is good for so long."""
    return token({"sub": user, "exp": time.time() + seconds}).decode()


async def next_frame(client: ClientConnection) -> Any:
    """The next frame that a client gets."""
    async with asyncio.timeout(10):
        return json.loads(await client.recv())


async def frame_of(client: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of this kind; others are skipped."""
    while True:
        frame = await next_frame(client)
        if frame["type"] == kind:
            found: dict[str, Any] = frame
            return found


async def end_of(client: ClientConnection) -> tuple[int | None, str | None]:
    """Code and reason that a connection is closed with, whatever comes before."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in client:
                pass
        await client.wait_closed()
    return client.close_code, client.close_reason


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells of."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.fixture
def app(store: Store, measures: Measures) -> FastAPI:
    """The application: it takes tokens and keys, and three sockets at a time."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(
            tokens=TokenVerifier(FixedKeys(trusted("HS256"))),
            requests_per_minute=0,
            failures_per_minute=0,
        ),
        browsers=BrowserParts(max_sockets=3),
    )


@pytest.fixture
def serve(measures: Measures) -> Serve:
    """Serves an application with these limits."""

    @asynccontextmanager
    async def serve(app: FastAPI, limits: SocketLimits) -> AsyncGenerator[HttpServer]:
        async with HttpServer(
            app, "127.0.0.1", 0, sockets=limits, on_drop=measures.drops.add
        ) as server:
            running = asyncio.create_task(server.run())
            yield server
            server.stop()
            await running

    return serve


@pytest.fixture
async def server(app: FastAPI, serve: Serve) -> AsyncIterator[HttpServer]:
    """The application, served with the usual limits."""
    async with serve(app, SocketLimits()) as server:
        yield server


@pytest.fixture
def opened(server: HttpServer) -> Open:
    """Opens event sockets by token, past the first frame."""

    @asynccontextmanager
    async def opened(user: str) -> AsyncGenerator[ClientConnection]:
        async with connect(address_of(server, token_of(user)), compression=None) as client:
            assert (await next_frame(client))["title"] == "Connected"
            yield client

    return opened


def address_of(server: HttpServer, token: str = "") -> str:
    """The address of event sockets, with a token in it or not."""
    query = f"?token={token}" if token else ""
    return "ws://{}:{}/ws/auth{}".format(*server.address, query)
