"""The wallboard's feed: server-sent events to one viewer, until somebody leaves."""

import asyncio
import time
from contextlib import suppress

from fastapi import Response
from starlette.types import Receive, Scope, Send

from fastagi_server.api.board import Board
from fastagi_server.api.context import TRANSPORT
from fastagi_server.telemetry.measures import Counter

HEARTBEAT_SECONDS = 5.0
"""Something is sent as often as that, so that a page knows when it has lost the service."""

SEND_SECONDS = 20.0
"""How long a viewer may take nothing before he is cut."""

LIFETIME_SECONDS = 600.0
"""After this the viewer has to come again, with a credential that is still good."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""What keeps caches and reverse proxies from holding events back."""

_HEARTBEAT = b": still here\n\n"


class BoardFeed(Response):
    """An answer that goes on: `board` with everything, then a `change` for each change.

    `drops` counts, under "wallboard_viewer", those who took nothing for `send_seconds`.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        board: Board,
        drops: Counter,
        *,
        send_seconds: float = SEND_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._board = board
        self._drops = drops
        self._send_seconds = send_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._lifetime_seconds = lifetime_seconds

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - the transport tells when the viewer leaves
        send: Send,
    ) -> None:
        """Write until the viewer leaves, or is let go."""
        transport: asyncio.Transport | None = scope.get(TRANSPORT)
        with self._board.viewing():
            try:
                await self._send(
                    send, type="http.response.start", status=200, headers=self.raw_headers
                )
                await self._follow(send, transport)
                await self._send(send, type="http.response.body", body=b"", more_body=False)
            except TimeoutError:
                self._drops.add("wallboard_viewer")
                if transport is not None:
                    transport.abort()
                with suppress(TimeoutError):  # the server wants an end, though nobody gets it
                    await self._send(send, type="http.response.body", body=b"", more_body=False)

    async def _follow(self, send: Send, transport: asyncio.Transport | None) -> None:
        until = time.monotonic() + self._lifetime_seconds
        seen: int | None = None
        while not self._board.is_closed and time.monotonic() < until:
            seen, news = self._board.news(seen)
            if not news:
                await self._board.wait(self._heartbeat_seconds)
                seen, news = self._board.news(seen)
            if transport is not None and transport.is_closing():
                return
            await self._send(
                send, type="http.response.body", body=news or _HEARTBEAT, more_body=True
            )

    async def _send(self, send: Send, **message: object) -> None:
        async with asyncio.timeout(self._send_seconds):
            await send(message)
