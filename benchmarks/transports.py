"""What a POST to the SGE API costs, by the transport under httpx.

    python -m benchmarks.transports http://127.0.0.1:28080/api/v1/voip/calls [REQUESTS]

The server is one that answers at once, such as the stub in `benchmarks/peers`. Prints processor
time of this process and wall time per request, in microseconds, one request at a time and with
fifty at once: httpx as it comes, httpx over aiohttp, and `origin.transport.OriginTransport` alone,
under the client and under the registrar. Needs `requirements/bench.txt` for the first two.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import orjson
import uvloop

from fastagi_server.origin.transport import OriginTransport
from fastagi_server.registration.models import Registration
from fastagi_server.registration.ports import Standing
from fastagi_server.registration.registrar import Registrar
from fastagi_server.sge.client import open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.measures import Measures

Request = Callable[[], Awaitable[None]]

CONCURRENCIES = (1, 50)
HEADERS = {"Authorization": "Bearer benchmark", "Idempotency-Key": "agi-bench-17.4"}
REGISTRATION = Registration(
    "bench", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)
BODY = {
    "participants": ["SIP/1001"],
    "call_type": "audio",
    "metadata": {"asterisk_call_id": "17.4", "caller_id": "1002"},
}


class NoOutbox:
    """An outbox that must not be needed."""

    async def append(self, statement: object) -> None:
        """Fail: the API was to take everything."""
        raise AssertionError(statement)

    async def standing(self, provisional_id: str) -> Standing:
        """Fail likewise."""
        raise AssertionError(provisional_id)


@asynccontextmanager
async def default_client(url: str) -> AsyncGenerator[Request]:
    """Use httpx as it comes."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(limits=limits, headers=HEADERS) as client:

        async def post() -> None:
            (await client.post(url, json=BODY)).raise_for_status()

        yield post


@asynccontextmanager
async def aiohttp_client(url: str) -> AsyncGenerator[Request]:
    """Use httpx over aiohttp, which only the benchmarks need."""
    transport = importlib.import_module("httpx_aiohttp").AiohttpTransport()
    async with httpx.AsyncClient(transport=transport, headers=HEADERS) as client:

        async def post() -> None:
            (await client.post(url, json=BODY)).raise_for_status()

        yield post


@asynccontextmanager
async def own_transport(url: str) -> AsyncGenerator[Request]:
    """Use our transport with httpx's requests and responses, and nothing else of httpx."""
    parsed = httpx.URL(url)
    async with OriginTransport(parsed, measures=Measures()) as transport:
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        headers += [(b"Host", parsed.netloc), (b"Content-Type", b"application/json")]

        async def post() -> None:
            body = orjson.dumps(BODY)
            length = (b"Content-Length", b"%d" % len(body))
            stream = httpx.ByteStream(body)
            request = httpx.Request("POST", parsed, headers=[*headers, length], stream=stream)
            response = await transport.handle_async_request(request)
            orjson.loads(await response.aread())

        yield post


@asynccontextmanager
async def registrar(url: str) -> AsyncGenerator[Request]:
    """Use everything a call uses: breaker, measures, deadlines, outbox at hand."""
    measures = Measures()
    async with open_client(
        url.removesuffix("/calls"),
        credentials=open_credentials("bearer", value="benchmark"),
        measures=measures,
    ) as client:
        desk = Registrar(client, NoOutbox(), measures=measures)

        async def register() -> None:
            await desk.register(REGISTRATION)

        yield register


async def measure(request: Request, concurrency: int, requests: int) -> tuple[float, float]:
    """Processor and wall time per request, in microseconds, after warming up."""

    async def work(count: int) -> None:
        for _ in range(count):
            await request()

    async def crowd(total: int) -> None:
        await asyncio.gather(*(work(total // concurrency) for _ in range(concurrency)))

    await crowd(20 * concurrency)
    processor, wall = time.process_time(), time.perf_counter()
    await crowd(requests)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return processor / requests * 1e6, wall / requests * 1e6


CONTENDERS = {
    "httpx as it comes": default_client,
    "httpx over aiohttp": aiohttp_client,
    "OriginTransport": own_transport,
    "Registrar over OriginTransport": registrar,
}


async def main(url: str, requests: int) -> None:
    """Measure each contender and print a table."""
    print("| transport | at once | CPU us/request | wall us/request |")
    print("|---|---|---|---|")
    for name, contender in CONTENDERS.items():
        for concurrency in CONCURRENCIES:
            async with contender(url) as request:
                processor, wall = await measure(request, concurrency, requests)
            print(f"| {name} | {concurrency} | {processor:.0f} | {wall:.0f} |", flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000))  # noqa: PLR2004
