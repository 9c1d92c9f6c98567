"""The socket between the fake Asterisk and the server under test."""

import asyncio
import socket
import struct
from typing import cast

from fastagi_server.testing.asterisk.signal import Signal
from fastagi_server.testing.asterisk.stdio import StdioReader

WRITE_SECONDS = 0.5
"""How long a slow reader is waited for.

Asterisk loses the rest of a line after 0.1 s; more is granted here, so that a busy machine is not
taken for a server that does not read.
"""

HELD_BYTES = 1 << 17
"""From so many unread bytes on the socket is not read, as a full kernel buffer would have it."""

_RESET = struct.pack("ii", 1, 0)


class Wire(asyncio.Protocol):
    """Fill a `StdioReader` from a connection, and write to it as Asterisk does."""

    def __init__(self, reader: StdioReader, signal: Signal) -> None:
        self._reader = reader
        self._signal = signal
        self._transport: asyncio.Transport | None = None
        self._full = False
        self.lost = False

    @property
    def connected(self) -> bool:
        """Whether there was a connection, open or lost by now."""
        return self._transport is not None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection; only there once it is made."""
        if self._transport is None:
            raise RuntimeError("not connected")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make every write that does not fit the kernel's buffer visible at once."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self._reader.receive(data)
        if self._reader.held > HELD_BYTES:
            self.transport.pause_reading()
        self._signal.notify()

    def eof_received(self) -> bool:
        """Note the server's half-close, and keep our own side open."""
        self._reader.receive_end()
        self._signal.notify()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; a reset looks like an end of file to Asterisk."""
        del exc
        self._reader.receive_end()
        self.lost = True
        self._signal.notify()

    def pause_writing(self) -> None:
        """Note that the server does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """Note that the server reads again."""
        self._full = False
        self._signal.notify()

    def read_on(self) -> None:
        """Read the socket again if there is room."""
        if self._reader.held <= HELD_BYTES and not self.transport.is_reading():
            self.transport.resume_reading()

    async def write(self, data: bytes) -> bool:
        """Write at once; `False` when the server read too slowly for Asterisk's patience."""
        if self.lost or self.transport.is_closing():
            return True
        self.transport.write(data)
        return await self._signal.until(lambda: self.lost or not self._full, WRITE_SECONDS)

    async def close(self, *, reset: bool = False) -> None:
        """Close, by a reset if told so, and wait until that has happened."""
        if reset:
            peer = cast("socket.socket", self.transport.get_extra_info("socket"))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self.transport.close()
        if not await self._signal.until(lambda: self.lost, WRITE_SECONDS):
            self.transport.abort()
            await self._signal.until(lambda: self.lost, WRITE_SECONDS)
