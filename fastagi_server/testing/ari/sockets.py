"""One event socket, as Asterisk serves it: text frames out, pongs to pings, no more."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

READ_BYTES = 65_536


class EventSocket:
    """The server's end of one WebSocket for `applications`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        applications: tuple[str, ...],
        *,
        subscribe_all: bool,
    ) -> None:
        self.applications = applications
        self.subscribe_all = subscribe_all
        self.silent = False
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol()

    @property
    def is_open(self) -> bool:
        """Whether events may be sent."""
        return self._protocol.state is State.OPEN

    def accept(self, head: bytes) -> bool:
        """Answer the handshake whose bytes are `head`; False when it is none."""
        self._protocol.receive_data(head)
        for request in self._protocol.events_received():
            if isinstance(request, Request):
                self._protocol.send_response(self._protocol.accept(request))
        self._flush()
        return self.is_open

    async def serve(self) -> None:
        """Answer pings until the client is gone; not while `silent`, as a dead network would."""
        while data := await self._reader.read(READ_BYTES):
            self._protocol.receive_data(data)
            if not self.silent:
                self._flush()
            if self._protocol.close_expected():
                return
        self._protocol.receive_eof()

    def send(self, event: Mapping[str, Any]) -> None:
        """Send one event."""
        self.send_text(json.dumps(event))

    def send_text(self, text: str) -> None:
        """Send one text frame, whatever is in it."""
        if self.is_open and not self.silent:
            self._protocol.send_text(text.encode())
            self._flush()

    def cut(self) -> None:
        """End the connection as a crash does, without a closing handshake."""
        self._protocol.receive_eof()
        self._writer.transport.abort()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
