"""The HTTP server of the embedded API: uvicorn on a socket that is ours."""

import asyncio
import functools
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httptools
import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fastagi_server.api.context import CERTIFICATE, TRANSPORT
from fastagi_server.api.sockets import PATH as SOCKET_PATH
from fastagi_server.fastagi.admission import is_loopback
from fastagi_server.http_sockets import SocketLimits, SocketProtocol
from fastagi_server.trust.server_tls import ServerTls

_log = structlog.stdlib.get_logger("http")

GRACEFUL_SECONDS = 5
"""How long requests under way may go on when the server stops."""

BACKLOG = 2048

MAX_HEAD_BYTES = 64 * 1024
"""Of path, names and values of headers together."""

HEAD_SECONDS = 10.0
"""How long a connection may take for the head of a request; between requests it is uvicorn's five
seconds."""


FIRST_REQUEST_SECONDS = 1.0
"""How long a new connection may still take to ask something when the server stops: the request of
somebody who has just connected is on its way."""


_SOCKET_PATH = SOCKET_PATH.encode()


class _Server(uvicorn.Server):
    """Leaves signals to the service, which stops its parts in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """Limits the head of a request, and hands the client's certificate on with it.

    A head that is too large is answered with 400, and one that comes too slowly not at all. Who has
    connected before the server stops is answered one request.
    """

    _head_bytes = 0
    _has_asked = False
    _is_leaving = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._end_head()
        self._has_asked = True
        cycle = self.cycle
        super().on_headers_complete()
        if self._is_leaving and self.cycle is not cycle:  # a WebSocket has none
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        # Elsewhere the wish is ignored, and the request is answered as any other.
        return self.url.partition(b"?")[0] == _SOCKET_PATH and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        if self._is_leaving:
            self.transport.close()
        else:
            super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        self._is_leaving = True
        if self._has_asked:
            super().shutdown()
        else:
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._leave_unasked)

    def _leave_unasked(self) -> None:
        if not self._has_asked:
            self.transport.close()

    def _expect_head(self) -> None:
        self._end_head()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise httptools.HttpParserError("the head is too large")

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]  # an addition
        # Empty for a certificate that was not checked.
        certificate = self.transport.get_extra_info("peercert")
        if certificate:
            self.scope[CERTIFICATE] = certificate  # type: ignore[literal-required]  # an addition


class HttpServer:
    """Serves `app` on `host`:`port`; 0 takes a free port. The socket is bound on entering.

    A `listener` is used instead that somebody else keeps: who connects when we stop waits in it.
    With `tls` it speaks HTTPS only. From `trusted_proxies` (addresses or networks) the headers
    X-Forwarded-For and X-Forwarded-Proto are believed. `sockets` limits what WebSocket clients may
    do, and `on_drop` counts, by name, what was cut for it. Raises `OSError` on entering when the
    address is taken.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        *,
        tls: ServerTls | None = None,
        trusted_proxies: Sequence[str] = (),
        listener: socket.socket | None = None,
        sockets: SocketLimits = SocketLimits(),  # noqa: B008 - frozen
        on_drop: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._address = (host, port)
        self._given = listener
        self._socket: socket.socket | None = None
        self._tls = tls
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                http=_Protocol,
                ws=_socket_protocol(sockets, on_drop),
                ws_max_size=sockets.max_message_bytes,
                ws_ping_interval=sockets.heartbeat_seconds,
                ws_ping_timeout=sockets.heartbeat_seconds,
                # Frames are small, and a compressor for each socket is not.
                ws_per_message_deflate=False,
                ssl_context_factory=None if tls is None else tls.context_for,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
            )
        )

    async def __aenter__(self) -> Self:
        self._socket = self._given or _bound(*self._address)
        # Connections inherit it. asyncio sets it only on sockets that were made as TCP by name, and
        # without it the body of an answer waits 40 ms for the client to acknowledge the head.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        scheme = "http" if self._tls is None else "https"
        _log.info("api_listening", address="{}:{}".format(*self.address), scheme=scheme)
        if self._tls is None and not is_loopback(self.address[0]):
            _log.warning("api_without_tls", reason="keys and tokens can be read on their way")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        name: tuple[str, int] = self._socket.getsockname()[:2] if self._socket else self._address
        return name

    async def run(self) -> None:
        """Serve until `stop`; then finish the requests under way."""
        if self._socket is None:
            raise RuntimeError("the server is not open")
        renewing = None
        if self._tls is not None:
            renewing = asyncio.create_task(self._tls.keep_fresh(self._let_go), name="tls")
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            if renewing is not None:
                renewing.cancel()

    def stop(self) -> None:
        """Make `run` return soon."""
        if self._given is not None and not self._server.should_exit:
            # asyncio's server would drop what it has accepted when it is closed in the same turn.
            asyncio.get_running_loop().remove_reader(self._given)
        self._server.should_exit = True

    def hurry(self) -> None:
        """Wait for no request any more, once stopped."""
        self._server.force_exit = True

    def look_at_certificates(self) -> None:
        """Use renewed files for connections to come, without waiting for the next look."""
        if self._tls is not None:
            self._tls.look()
            if self._tls.look_at_lists():
                self._let_go()

    def _let_go(self) -> None:
        """Close every connection, after the answer that is under way: clients make new ones."""
        for connection in tuple(self._server.server_state.connections):
            connection.shutdown()


def _socket_protocol(limits: SocketLimits, on_drop: Callable[[str], None]) -> Any:
    """What uvicorn makes a protocol of; it knows classes only by name."""
    return functools.partial(SocketProtocol, limits=limits, on_drop=on_drop)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
