"""An Asterisk that only shows what a test put into it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastagi_server.ari.errors import AriError, AriNotFoundError

CHANNEL = {
    "id": "1767268800.17",
    "name": "PJSIP/1001-00000011",
    "state": "Up",
    "caller": {"name": "Ren\u00e9", "number": "1001"},
    "creationtime": "2026-01-01T12:00:00.120+0000",
}
BRIDGE = {
    "id": "sge-1",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "channels": ["1767268800.17"],
}
ENDPOINT = {
    "technology": "PJSIP",
    "resource": "1001",
    "state": "online",
    "channel_ids": ["1767268800.17"],
}
INFO = {"system": {"version": "22.10.0", "entity_id": "02:42:ac:11:00:02"}}


@dataclass(frozen=True)
class Shown:
    """An object as Asterisk gives it."""

    raw: dict[str, Any]


@dataclass
class PbxView:
    """Shows one object of each kind; `asked` holds what was asked for.

    While `error` is set every question fails with it; a question waits until `open` is set.
    """

    asked: list[str] = field(default_factory=list[str])
    error: AriError | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def _show(self, question: str) -> None:
        self.asked.append(question)
        self.was_asked.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error

    async def ping(self) -> None:
        """Answer."""
        await self._show("ping")

    async def info(self) -> Shown:
        """What it is."""
        await self._show("info")
        return Shown(INFO)

    async def channels(self) -> Sequence[Shown]:
        """Its one channel."""
        await self._show("channels")
        return [Shown(CHANNEL)]

    async def channel(self, channel_id: str, /) -> Shown:
        """Its one channel, if that is meant."""
        await self._show(f"channel {channel_id}")
        if channel_id != CHANNEL["id"]:
            raise AriNotFoundError(404, "Channel not found")
        return Shown(CHANNEL)

    async def bridges(self) -> Sequence[Shown]:
        """Its one bridge."""
        await self._show("bridges")
        return [Shown(BRIDGE)]

    async def endpoints(self) -> Sequence[Shown]:
        """Its one endpoint."""
        await self._show("endpoints")
        return [Shown(ENDPOINT)]

    async def endpoint(self, technology: str, resource: str, /) -> Shown:
        """Its one endpoint, if that is meant."""
        await self._show(f"endpoint {technology}/{resource}")
        if (technology, resource) != ("PJSIP", "1001"):
            raise AriNotFoundError(404, "Endpoint not found")
        return Shown(ENDPOINT)
