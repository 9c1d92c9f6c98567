"""How many channels, bridges and endpoints Asterisk has: present values for the measures."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fastagi_server.ari.counting import ChannelCount, EndpointCount
from fastagi_server.ari.errors import AriUnreachableError
from fastagi_server.telemetry.measures import Measures


class Lists(Protocol):
    """Counts what Asterisk lists; each method raises AriError."""

    async def count_channels(self) -> ChannelCount:
        """All channels."""
        ...

    async def count_bridges(self) -> int:
        """All bridges."""
        ...

    async def count_endpoints(self) -> EndpointCount:
        """All endpoints."""
        ...


class Counts(Protocol):
    """What somebody counts who sees every event."""

    @property
    def channels(self) -> int:
        """Live channels."""
        ...

    @property
    def bridges(self) -> int:
        """Bridges."""
        ...

    @property
    def registered_endpoints(self) -> int:
        """Endpoints that can be reached."""
        ...


class PbxCensus:
    """Brings the counts of one Asterisk to the measures when they are asked for.

    `watched` gives those of the manager interface, None while that does not know; they cost
    Asterisk nothing. Otherwise its lists are counted, where `lists` gives them.
    """

    def __init__(
        self, lists: Lists | None, measures: Measures, watched: Callable[[], Counts | None]
    ) -> None:
        self._lists = lists
        self._measures = measures
        self._watched = watched
        gauges = (
            measures.channels,
            measures.bridges,
            measures.registered_endpoints,
            measures.configured_endpoints,
        )
        measures.collectors.add("asterisk", gauges, self.collect)

    async def collect(self) -> None:
        """Set the measures. Raises AriError."""
        counts = self._watched()
        if counts is None:
            await self._count_lists()
            return
        measures = self._measures
        measures.channels.set(counts.channels)
        measures.bridges.set(counts.bridges)
        measures.registered_endpoints.set(counts.registered_endpoints)
        if self._lists is not None:
            measures.configured_endpoints.set((await self._lists.count_endpoints()).total)

    async def _count_lists(self) -> None:
        if self._lists is None:
            raise AriUnreachableError("nobody watches Asterisk")
        channels, bridges, endpoints = await asyncio.gather(
            self._lists.count_channels(), self._lists.count_bridges(), self._lists.count_endpoints()
        )
        measures = self._measures
        measures.channels.set(channels.total)
        measures.bridges.set(bridges)
        measures.registered_endpoints.set(endpoints.online)
        measures.configured_endpoints.set(endpoints.total)
