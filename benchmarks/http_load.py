"""A closed loop of GET requests over connections that are kept."""

import asyncio
import time
from functools import partial
from typing import cast

import uvloop

from benchmarks.processes import BenchmarkError

LOAD_SECONDS = 60.0


class _Connection(asyncio.Protocol):
    """Sends the request again whenever its answer is complete, until the countdown is over."""

    def __init__(self, request: bytes, left: list[int], done: "asyncio.Future[None]") -> None:
        self._request = request
        self._left = left
        self.done = done
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes
        self._transport = cast("asyncio.WriteTransport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(BenchmarkError(f"unexpected answer: {self._buffer[:300]!r}"))
            return
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(BenchmarkError(f"the server closed a connection: {exc}"))

    def _next(self) -> None:
        if self._left[0] > 0 and self._transport is not None:
            self._left[0] -= 1
            self._transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)

    def _fail(self, error: BenchmarkError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def rate(port: int, path: str, *, key: str, requests: int, connections: int = 8) -> float:
    """Requests a second that a server on loopback answers with 200. Raises BenchmarkError."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n".encode()
    return uvloop.run(_measure(port, request, requests, connections))


async def _measure(port: int, request: bytes, requests: int, connections: int) -> float:
    await _run(port, request, max(requests // 10, connections), connections)
    begun = time.perf_counter()
    await _run(port, request, requests, connections)
    return requests / (time.perf_counter() - begun)


async def _run(port: int, request: bytes, requests: int, connections: int) -> None:
    loop = asyncio.get_running_loop()
    left = [requests]
    ended: list[asyncio.Future[None]] = []
    transports: list[asyncio.Transport] = []
    for _ in range(connections):
        connection = _Connection(request, left, loop.create_future())
        transport, _ = await loop.create_connection(partial(_same, connection), "127.0.0.1", port)
        ended.append(connection.done)
        transports.append(transport)
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            await asyncio.gather(*ended)
    except TimeoutError as error:
        raise BenchmarkError(f"no end of the load within {LOAD_SECONDS:.0f} s") from error
    finally:
        for transport in transports:
            transport.close()


def _same(connection: _Connection) -> _Connection:
    return connection


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise BenchmarkError("an answer without a length")
