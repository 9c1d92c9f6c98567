"""One event socket: what waits to be sent to it, and how it ends."""

import asyncio
import contextlib

from starlette.types import Send

from fastagi_server.api.socket_frames import FrameError
from fastagi_server.presence.frames import Form, Frame, error
from fastagi_server.telemetry.measures import Measures

MAX_WAITING = 256
MAX_WAITING_CHARACTERS = 1024 * 1024
"""What may wait for a client who does not read, besides 64 kB in the connection's own buffer."""

MAX_UNREADABLE = 10
"""Frames that cannot be read, of one connection, until it is closed."""

MAX_REASON = 123
"""Bytes of the words of a close frame."""


class Socket:
    """A `presence.ports.Listener` that writes to one client while there is something to write.

    What it is told before `open` waits. A client for whom too much waits is cut, by `transport`
    where there is one, because he does not read any farewell either.
    """

    __slots__ = (
        "_characters",
        "_close",
        "_is_open",
        "_measures",
        "_send",
        "_transport",
        "_unreadable",
        "_waiting",
        "_writer",
        "form",
    )

    def __init__(
        self, send: Send, *, transport: asyncio.Transport | None, measures: Measures
    ) -> None:
        self._send = send
        self._transport = transport
        self._measures = measures
        self._waiting: list[str] = []
        self._characters = 0
        self._writer: asyncio.Task[None] | None = None
        self._close: tuple[int, str] | None = None
        self._is_open = False
        self._unreadable = 0
        self.form = Form.FLAT

    def open(self) -> None:
        """Begin to write."""
        self._is_open = True
        self._write_on()

    def tell(self, frame: Frame) -> None:
        """See `presence.ports.Listener`."""
        if self._close is not None:
            return
        text = frame.text(self.form)
        self._characters += len(text)
        if len(self._waiting) >= MAX_WAITING or self._characters > MAX_WAITING_CHARACTERS:
            self._cut()
            return
        self._waiting.append(text)
        self._write_on()

    def complain(self, fault: FrameError) -> None:
        """Say that a frame cannot be read; after too many of them, end the connection."""
        self.form = fault.form or self.form
        self.tell(error(str(fault)))
        self._unreadable += 1
        if self._unreadable >= MAX_UNREADABLE:
            self.close(1008, "too many frames that cannot be read")

    def close(self, code: int, reason: str) -> None:
        """End the connection in words, after what waits."""
        if self._close is None:
            self._close = code, reason.encode()[:MAX_REASON].decode(errors="ignore")
            self._write_on()

    async def finish(self) -> None:
        """Stop writing."""
        self._close = self._close or (1000, "")
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    def _cut(self) -> None:
        self._measures.drops.add("socket_slow")
        self._waiting.clear()
        self._close = 1008, "you do not read"
        if self._transport is not None:
            self._transport.abort()

    def _write_on(self) -> None:
        if self._writer is None and self._is_open:
            self._writer = asyncio.create_task(self._write(), name="socket-writer")

    async def _write(self) -> None:
        # Whoever is told something while this writes finds a writer, and leaves it to it.
        with contextlib.suppress(OSError):  # the client has gone
            while self._waiting:
                texts, self._waiting = self._waiting, []
                for text in texts:
                    await self._send({"type": "websocket.send", "text": text})
                    self._characters -= len(text)
            if self._close is not None:
                code, reason = self._close
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        self._writer = None
