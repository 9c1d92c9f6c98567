"""WebSocket connections of the HTTP server: uvicorn's, with limits on what a client may do to it.

uvicorn gives messages to the application one at a time and stops reading meanwhile. What it leaves
open is closed here: a handshake that does not come to its end, frames that come too fast or are too
small to be any use, and a client that sends but never reads.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame

from fastagi_server.api.context import TRANSPORT

HANDSHAKE_SECONDS = 10.0
"""How long the application may take to let somebody in."""

CLOSE_SECONDS = 2.0
"""How long a client may take to read why it is cut, and to answer a close."""

TOO_MANY_FRAMES = "too many frames"
GOING_AWAY = "the service stops"


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one client may do.

    It is asked for a sign of life each `heartbeat_seconds`, and cut when it has given none by the
    next time. It may take nothing for `stall_seconds`. Messages have at most `max_message_bytes`;
    frames of any kind, control frames too, may come `frames_per_second` in the long run, and
    `burst_frames` at once.
    """

    heartbeat_seconds: float = 30.0
    stall_seconds: float = 30.0
    max_message_bytes: int = 65_536
    frames_per_second: float = 20.0
    burst_frames: int = 100


# uvicorn would log the path of each connection, with the token in it.
_SILENT = logging.getLogger("fastagi_server.sockets.silent")
_SILENT.setLevel(logging.CRITICAL)
_SILENT.disabled = True


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection. `on_drop` counts, by name, what was cut for a limit."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: SocketLimits,
        on_drop: Callable[[str], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._on_drop = on_drop
        self.logger = _SILENT
        self.conn.logger = _SILENT
        self.conn.debug = False
        self.close_timeout = CLOSE_SECONDS
        self._credit = float(limits.burst_frames)
        self._credited_at = 0.0
        self._is_deaf = False
        self._limit_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, which the application has to end in time."""
        super().connection_made(transport)
        self._credited_at = self.loop.time()
        self._limit_timer = self.loop.call_later(HANDSHAKE_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._end_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a client that is being cut are thrown away."""
        if self._is_deaf:
            return
        super().data_received(data)
        if not self.handshake_initiated:
            # No request for the application came of the head: the library has written why.
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._linger()

    async def run_asgi(self) -> None:
        """Let the application run, with the transport in its scope."""
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]  # an addition
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says; its first word ends the handshake."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self._end_timer()
        elif message["type"] == "websocket.close":
            # The client may neither read nor answer.
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    # -- frames -----------------------------------------------------------------------------------

    def handle_text(self, event: Frame) -> None:
        """Count and take a text frame."""
        if self._may_pass():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count and take a binary frame."""
        if self._may_pass():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count and take a further frame of a message."""
        if self._may_pass():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping of a client that reads its answers."""
        if self._may_pass() and self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_parser_exception(self) -> None:
        """Say what is wrong with a frame, and let that be read before the connection ends."""
        close = self.conn.close_sent
        if close is None:
            self.transport.abort()
            return
        self._on_drop("socket_protocol")
        self._cut(close.code, close.reason)

    # -- slow and leaving clients -----------------------------------------------------------------

    def pause_writing(self) -> None:
        """The client does not read: give it some time."""
        super().pause_writing()
        self._end_timer()
        self._limit_timer = self.loop.call_later(self._limits.stall_seconds, self._cut_stalled)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._end_timer()

    def keepalive_timeout(self) -> None:
        """The client has given no sign of life."""
        super().keepalive_timeout()
        self._on_drop("socket_silent")
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Say that the service goes, and go."""
        if self.handshake_complete and not self.close_sent:
            self._cut(CloseCode.GOING_AWAY, GOING_AWAY, fail=True)
        else:
            super().shutdown()

    # -- inside -----------------------------------------------------------------------------------

    def _may_pass(self) -> bool:
        """Whether one more frame may be taken; otherwise the connection ends."""
        if self.close_sent:
            return False
        now = self.loop.time()
        earned = (now - self._credited_at) * self._limits.frames_per_second
        self._credit = min(self._credit + earned, float(self._limits.burst_frames)) - 1.0
        self._credited_at = now
        if self._credit >= 0.0:
            return True
        self._on_drop("socket_flood")
        if self.handshake_complete:
            self._cut(CloseCode.POLICY_VIOLATION, TOO_MANY_FRAMES, fail=True)
        else:
            self.close_sent = True
            self.transport.abort()
        return False

    def _cut(self, code: int, reason: str, *, fail: bool = False) -> None:
        """End the connection from this side, with this close frame."""
        self.stop_keepalive()
        if fail:
            self.conn.fail(code, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    def _linger(self) -> None:
        """Read on for a while, throw it away, and close then.

        Closing with bytes unread resets a connection, and the client may not see the last words.
        """
        self._is_deaf = True
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        with contextlib.suppress(OSError):  # the client has gone
            if self.transport.can_write_eof():
                self.transport.write_eof()
        # It makes uvicorn leave the connection to the timer when the application has ended.
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _cut_stalled(self) -> None:
        self._on_drop("socket_stalled")
        self.transport.abort()

    def _end_timer(self) -> None:
        if self._limit_timer is not None:
            self._limit_timer.cancel()
            self._limit_timer = None
