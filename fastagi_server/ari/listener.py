"""The other direction of the event socket: Asterisk connects to us, and stays (22.5 and later).

With a persistent outbound socket the Stasis applications live in Asterisk whether we run or not:
calls that enter them while we restart wait, and their events come, in order, once we are back.
Asterisk's side is a `websocket_client` of websocket_client.conf and an `outbound_websocket` of
ari.conf. Operations go over HTTP as ever.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from websockets.asyncio.server import Server, ServerConnection, basic_auth, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from fastagi_server.ari.errors import AriError
from fastagi_server.ari.events import Event
from fastagi_server.ari.feed import (
    CLOSE_SECONDS,
    MAX_MESSAGE_BYTES,
    OPEN_SECONDS,
    PING_SECONDS,
    EventFeed,
    link_reporter,
)
from fastagi_server.supervise import CONNECTING, LOST, STOPPED, UP, LinkStatus, StandAsideError
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

SILENT = logging.Logger("ari", logging.CRITICAL)  # noqa: LOG001 - outside of the tree of loggers
"""What websockets would log is told here in our words, and port scans not with a trace each."""

SUBPROTOCOL = Subprotocol("ari")


class AriListener:
    """Serves the socket that one Asterisk opens to `host`:`port`; the newest one counts.

    `username` and `password` are what Asterisk must show (HTTP Basic), and it must speak the
    subprotocol `ari`. Callbacks are those of `feed.EventFeed`. `state` is connecting until
    Asterisk came for the first time, then up or lost.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        password: str,
        on_event: Callable[[Event], None],
        on_connected: Callable[[], Awaitable[None]],
        on_lost: Callable[[str], None],
        measures: Measures,
        ssl_context: ssl.SSLContext | None = None,
        name: str = "ari-outbound",
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._check = basic_auth("ARI", credentials=(username, password))
        self._measures = measures
        self._ssl_context = ssl_context
        self._ping_seconds = ping_seconds
        self._feed = EventFeed(
            name,
            on_event=on_event,
            on_connected=on_connected,
            on_lost=on_lost,
            measures=measures,
        )
        self._status = LinkStatus(name, link_reporter(name, measures))
        self._server: Server | None = None
        self._newest: ServerConnection | None = None
        self._turn = asyncio.Lock()

    @property
    def state(self) -> str:
        """How the link stands."""
        return self._status.state

    @property
    def since(self) -> datetime:
        """Since when it stands so, in UTC."""
        return self._status.since

    @property
    def last_error(self) -> str:
        """Why the last socket ended; empty when none has."""
        return self._status.last_error

    @property
    def port(self) -> int:
        """The port listened on, also when 0 was asked for."""
        if self._server is None:
            return self._port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def listen(self) -> None:
        """Bind the address, so that `run` cannot fail for it. Raises `OSError`."""
        await self._bind()

    async def _bind(self) -> Server:
        self._server = await serve(
            self._handle,
            self._host,
            self._port,
            ssl=self._ssl_context,
            subprotocols=[SUBPROTOCOL],
            process_request=self._admit,
            logger=SILENT,
            compression=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=self._ping_seconds,
            ping_timeout=self._ping_seconds,
            max_size=MAX_MESSAGE_BYTES,
        )
        return self._server

    async def run(self) -> None:
        """Serve until cancelled; listens first unless `listen` was called."""
        server = self._server or await self._bind()
        try:
            await server.wait_closed()
        finally:
            server.close()
            await server.wait_closed()
            self._status.become(STOPPED)

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let nobody in but who knows the password; None lets in."""
        refusal = await self._check(connection, request)
        if refusal is not None:
            self._measures.drops.add("ari_socket_refused")
            log.warning(
                "ari_socket_refused", link=self._status.name, peer=connection.remote_address
            )
        return refusal

    async def _handle(self, connection: ServerConnection) -> None:
        previous, self._newest = self._newest, connection
        if previous is not None:
            await previous.close()
        async with self._turn:
            self._status.become(CONNECTING)
            try:
                await self._feed.serve(connection, lambda: self._status.become(UP))
            except (AriError, StandAsideError) as error:
                self._status.become(LOST, str(error))
            except Exception as error:
                log.exception("link_failed", link=self._status.name)
                self._status.become(LOST, f"{type(error).__name__}: {error}")
            finally:
                if self._newest is connection:
                    self._newest = None
