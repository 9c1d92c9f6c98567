"""One TCP connection to or from the SIP peer: messages in, messages out, within limits."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import structlog

from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.messages import Message
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

MAX_QUEUED = 1024 * 1024
"""Bytes that may wait for a peer that does not read; hundreds of offers."""

KEEPALIVE = (
    (socket.SO_KEEPALIVE, socket.SOL_SOCKET, 1),
    (socket.TCP_KEEPIDLE, socket.IPPROTO_TCP, 10),
    (socket.TCP_KEEPINTVL, socket.IPPROTO_TCP, 5),
    (socket.TCP_KEEPCNT, socket.IPPROTO_TCP, 3),
)
"""A peer whose machine is gone is noticed after 25 s, also on a connection where nobody speaks."""


class Connection(asyncio.Protocol):
    """A connection; `why` says how it ended, and `ended` is set then.

    `on_message` takes each message and raises nothing; `admit` says whether the connection may
    stay; `on_closed` hears its end.
    """

    def __init__(
        self,
        on_message: Callable[[Message, "Connection"], None],
        measures: Measures,
        *,
        admit: Callable[["Connection"], bool] = lambda _connection: True,
        on_closed: Callable[["Connection"], None] = lambda _connection: None,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        self._on_message = on_message
        self._measures = measures
        self._admit = admit
        self._on_closed = on_closed
        self._max_queued = max_queued
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None
        self.peer: tuple[str, int] = ("", 0)
        self.why = "the connection was closed by the far end"
        self.ended = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, message: Message) -> None:
        """Send a message; the connection is cut when too many bytes wait for the peer."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(message.serialize())
        if self._transport.get_write_buffer_size() > self._max_queued:
            self._abort("sip_unread", "the far end does not read")

    def close(self, why: str) -> None:
        """Close when all is sent."""
        self.why = why
        if self._transport is not None:
            self._transport.close()

    def _abort(self, what: str, why: str) -> None:
        """Close at once, and count why."""
        self._measures.drops.add(what)
        self.why = why
        log.warning("sip_connection_dropped", peer=self.peer, reason=why)
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Of TCP it always is one; uvloop's only looks like one.
        self._transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername") or ("", 0)
        self.peer = host, port
        endpoint = transport.get_extra_info("socket")
        for option, level, value in KEEPALIVE:
            endpoint.setsockopt(level, option, value)
        if not self._admit(self):
            self._abort("sip_connection_refused", "from a stranger, or one too many")

    def data_received(self, data: bytes) -> None:
        """Hand on what is whole."""
        try:
            for message in self._reader.receive(data):
                self._on_message(message, self)
        except SipSyntaxError as error:
            self._abort("sip_bad_message", str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if exc is not None:
            self.why = str(exc)
        self._transport = None
        self.ended.set()
        self._on_closed(self)
