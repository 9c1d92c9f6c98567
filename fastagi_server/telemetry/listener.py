"""The measures over HTTP where nothing else serves HTTP: a few lines of HTTP/1.1 for GET.

It is for Prometheus and snmpd on the same machine or network; whoever can reach it may read.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import structlog

from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.prometheus import CONTENT_TYPE

PATHS = (b"/metrics", b"/api/v1/metrics/prometheus")

MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 8192
DEADLINE_SECONDS = 5.0
"""How long a connection may last; it is closed after its answer."""

_log = structlog.stdlib.get_logger("measures")

Text = Callable[[], Awaitable[bytes]]


@asynccontextmanager
async def listen(
    host: str, port: int, text: Text, measures: Measures
) -> AsyncGenerator[tuple[str, int]]:
    """Serve `text()` at `host`:`port` until the context is left; gives the address.

    Connections beyond 16 are closed at once and counted as dropped. Raises `OSError`.
    """
    listener = _Listener(text, measures)
    server = await asyncio.start_server(listener.serve, host, port, limit=MAX_HEAD_BYTES)
    name: tuple[str, int] = server.sockets[0].getsockname()[:2]
    _log.info("measures_listening", address="{}:{}".format(*name))
    try:
        yield name
    finally:
        server.close()
        await listener.close()


class _Listener:
    def __init__(self, text: Text, measures: Measures) -> None:
        self._text = text
        self._measures = measures
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs it as one
        if len(self._tasks) >= MAX_CONNECTIONS:
            self._measures.drops.add("metrics_connection")
            writer.close()
            return
        self._tasks.add(task)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await self._answer(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            status, body = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b""
            method = b"GET"
        else:
            method, _, rest = head.partition(b" ")
            status = _status(method, rest.partition(b" ")[0].partition(b"?")[0])
            body = await self._text() if status is HTTPStatus.OK else b""
        writer.write(_head(status, len(body)) + (b"" if method == b"HEAD" else body))
        await writer.drain()


def _status(method: bytes, path: bytes) -> HTTPStatus:
    if method not in {b"GET", b"HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return HTTPStatus.OK if path in PATHS else HTTPStatus.NOT_FOUND


def _head(status: HTTPStatus, length: int) -> bytes:
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {length}\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n"
    ).encode()
