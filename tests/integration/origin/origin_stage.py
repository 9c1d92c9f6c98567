"""The transport under test, and requests through it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from fastagi_server.origin.transport import OriginTransport
from fastagi_server.telemetry.measures import Measures
from tests.integration.scripted_server import ScriptedServer


@asynccontextmanager
async def transport_to(
    server: ScriptedServer,
    *,
    measures: Measures | None = None,
    limit: int = 10,
    max_waiting: int = 10,
    keep_alive_seconds: float = 60.0,
    max_response_bytes: int = 10_000,
) -> AsyncGenerator[OriginTransport]:
    """A transport for the server's origin."""
    async with OriginTransport(
        server.url,
        measures=measures or Measures(),
        limit=limit,
        max_waiting=max_waiting,
        keep_alive_seconds=keep_alive_seconds,
        max_response_bytes=max_response_bytes,
    ) as transport:
        yield transport


async def get(
    transport: OriginTransport, server: ScriptedServer, seconds: float = 5.0
) -> httpx.Response:
    """One request, as httpx makes it."""
    deadline = asyncio.get_running_loop().time() + seconds
    request = httpx.Request("GET", f"{server.url}/calls", extensions={"deadline": deadline})
    return await transport.handle_async_request(request)


async def body_of(response: httpx.Response) -> bytes:
    """The body."""
    return await response.aread()
