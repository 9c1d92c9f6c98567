"""An `httpx.AsyncBaseTransport` for one origin: kept-alive HTTP/1.1 without ceremony.

httpx is the interface (its requests, its responses, its errors); this is the part of it that is
ours to choose, and the reason is the cost of a call: see `benchmarks/transports.py` and its
report. It does what the wires need and says no to the rest: no proxies, no redirects, no
HTTP/2, no `HEAD`, bodies whole in memory, one request at a time on a connection.
"""

import asyncio
import ssl
from collections import deque
from time import monotonic

import httpx

from fastagi_server.deadlines import DeadlineWatch
from fastagi_server.origin.connection import Answer, Connection
from fastagi_server.origin.dialing import Origin, dial
from fastagi_server.telemetry.measures import Measures

Headers = list[tuple[bytes, bytes]]

DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginTransport(httpx.AsyncBaseTransport):
    """A pool of connections to the origin of `base_url`, the last used taken first.

    `limit` connections at most; `max_waiting` requests may wait for one, the next is refused with
    `httpx.PoolTimeout` at once and counted among the drops as `refused_as`. A connection idle for
    `keep_alive_seconds` is not used again: keep it below the server's own limit (uvicorn's is
    5 s, Asterisk's 15 s), or requests meet closing connections.

    A request ends at `request.extensions["deadline"]`, an instant of the loop's clock, else after
    the read timeout that httpx put there, else after `timeout_seconds`; waiting for a connection
    and connecting are part of that time. Cancelling a request closes its connection. All errors
    are `httpx.TransportError`s; `origin.connection` adds two of its own.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        *,
        measures: Measures,
        ssl_context: ssl.SSLContext | None = None,
        limit: int = 100,
        max_waiting: int = 1000,
        keep_alive_seconds: float = 4.0,
        connect_timeout_seconds: float = 1.0,
        timeout_seconds: float = 30.0,
        max_response_bytes: int = 1_048_576,
        refused_as: str = "sge_request_waiting",
    ) -> None:
        tls = (ssl_context or httpx.create_ssl_context()) if base_url.scheme == "https" else None
        port = base_url.port or DEFAULT_PORTS[base_url.scheme]
        self._origin = Origin(base_url.host, port, tls)
        self._origin_key = (base_url.scheme, base_url.netloc)
        self._measures = measures
        self._refused_as = refused_as
        self._limit = limit
        self._max_waiting = max_waiting
        self._keep_alive_seconds = keep_alive_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._timeout_seconds = timeout_seconds
        self._max_response_bytes = max_response_bytes
        self._slots_used = 0
        self._idle: dict[Connection, float] = {}
        self._busy: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._deadlines = DeadlineWatch()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and return its response, complete and without need to be closed."""
        if (request.url.scheme, request.url.netloc) != self._origin_key:
            raise httpx.UnsupportedProtocol(f"this transport only knows {self._origin.host}")
        stream = request.stream
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        head = _head(request.method, request.url.raw_path, request.headers.raw)
        answer = await self.send(head + body, self._deadline_of(request))
        return httpx.Response(
            answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.body)
        )

    async def send(self, message: bytes, deadline: float) -> Answer:
        """Send a request to the origin without httpx's own types, which cost half a request.

        `message` is the whole of it, head and body; raises as `handle_async_request`.
        """
        connection = self._take_idle() or await self._obtain(deadline)
        self._busy.add(connection)
        self._deadlines.watch(connection, deadline)
        try:
            return await connection.exchange(message)
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            self._deadlines.forget(connection)
            self._busy.discard(connection)
            self._release(connection)

    async def warm(self, *, deadline: float) -> None:
        """Have an idle connection ready; opens one, until `deadline`, when there is none.

        Raises as a request would when that fails, and does nothing when all are in use.
        """
        connection = self._take_idle()
        if connection is None:
            if self._slots_used >= self._limit:
                return
            connection = await self._open(deadline)
        self._release(connection)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        self._closed = True
        self._deadlines.close()
        for connection in [*self._idle, *self._busy]:
            connection.abort()
        while self._waiting:
            _grant(self._waiting.popleft(), None)

    def _deadline_of(self, request: httpx.Request) -> float:
        deadline: float | None = request.extensions.get("deadline")
        if deadline is not None:
            return deadline
        timeouts: dict[str, float | None] = request.extensions.get("timeout") or {}
        seconds = timeouts.get("read") or self._timeout_seconds
        return monotonic() + seconds

    def _take_idle(self) -> Connection | None:
        """The connection used last, when it is fresh enough to be alive."""
        while self._idle:
            connection, since = self._idle.popitem()
            if connection.reusable and self._now() - since < self._keep_alive_seconds:
                return connection
            connection.abort()
            self._free_slot()
        return None

    async def _obtain(self, deadline: float) -> Connection:
        """Open a connection, or wait for the right to one when there are enough."""
        if self._closed:
            raise httpx.ConnectError("the transport is closed")
        if self._slots_used < self._limit:
            return await self._open(deadline)
        if len(self._waiting) >= self._max_waiting:
            self._measures.drops.add(self._refused_as)
            raise httpx.PoolTimeout("too many requests wait for a connection")
        granted = await self._wait_for_grant(deadline)
        if granted is not None:
            return granted
        self._slots_used -= 1
        return await self._obtain(deadline)

    async def _wait_for_grant(self, deadline: float) -> Connection | None:
        """A connection handed over by its last user, or None: a slot to open one in."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException as error:
            self._renounce(waiter)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no connection came free in time") from error
            raise

    def _renounce(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Stop waiting; what was granted in the same moment goes to the next one."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif waiter.done() and not waiter.cancelled():
            granted = waiter.result()
            if granted is None:
                self._free_slot()
            else:
                self._release(granted)

    async def _open(self, deadline: float) -> Connection:
        self._slots_used += 1
        try:
            return await dial(
                self._origin,
                lambda: Connection(self._lost, max_response_bytes=self._max_response_bytes),
                address_timeout_seconds=self._connect_timeout_seconds,
                deadline=deadline,
            )
        except BaseException:
            self._free_slot()
            raise

    def _release(self, connection: Connection) -> None:
        """Hand a connection on, keep it for the next request, or let it go."""
        if self._closed or not connection.reusable:
            connection.abort()
            self._free_slot()
            return
        while self._waiting:
            if _grant(self._waiting.popleft(), connection):
                return
        now = self._now()
        self._idle[connection] = now
        self._retire_oldest(now)

    def _retire_oldest(self, now: float) -> None:
        """Close what has been idle for too long, so that a peak does not leave sockets behind."""
        oldest = next(iter(self._idle))
        if now - self._idle[oldest] >= self._keep_alive_seconds:
            del self._idle[oldest]
            oldest.abort()
            self._free_slot()

    def _free_slot(self) -> None:
        while self._waiting:
            if _grant(self._waiting.popleft(), None):
                return
        self._slots_used -= 1

    def _lost(self, connection: Connection) -> None:
        if self._idle.pop(connection, None) is not None:
            self._free_slot()

    @staticmethod
    def _now() -> float:
        return monotonic()


def _grant(waiter: asyncio.Future[Connection | None], granted: Connection | None) -> bool:
    if waiter.done():
        return False
    waiter.set_result(granted)
    return True


def _head(method: str, target: bytes, headers: Headers) -> bytes:
    """The head as it goes on the wire; raises `httpx.LocalProtocolError` when it must not."""
    lines = [method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers) or b"\0" in head:
        raise httpx.LocalProtocolError("a header holds a line break or a NUL")
    return head + b"\r\n\r\n"
