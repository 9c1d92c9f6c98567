"""What Asterisk says about itself, asked for by few however many look.

A wallboard asks every second, and there may be many of them; what all of them ask is asked of
Asterisk at most once a second. Questions about one channel or endpoint are not shared.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson

from fastagi_server.ari.errors import AriError
from fastagi_server.store.errors import StoreError

SHARED_SECONDS = 1.0
"""How old an answer may be that is given again."""

_OPTIONS = orjson.OPT_UTC_Z


class Relayed(Protocol):
    """An object of Asterisk's REST interface."""

    @property
    def raw(self) -> Mapping[str, Any]:
        """The object as Asterisk wrote it."""
        ...


class AsteriskView(Protocol):
    """Asks one Asterisk about itself; each method has a deadline and raises AriError only."""

    async def ping(self) -> object:
        """Return when Asterisk answers."""
        ...

    async def info(self) -> Relayed:
        """Version, build and times."""
        ...

    async def channels(self) -> Sequence[Relayed]:
        """All channels."""
        ...

    async def channel(self, channel_id: str, /) -> Relayed:
        """One channel. Raises AriNotFoundError."""
        ...

    async def bridges(self) -> Sequence[Relayed]:
        """All bridges."""
        ...

    async def endpoints(self) -> Sequence[Relayed]:
        """All endpoints."""
        ...

    async def endpoint(self, technology: str, resource: str, /) -> Relayed:
        """One endpoint. Raises AriNotFoundError."""
        ...


class Shared:
    """The answer to one question of PBX or store, for all who ask within a second.

    Those who ask while Asterisk is being asked wait for that answer, so their wait has the
    question's own deadline. A refusal is shared like an answer: a PBX in trouble is not asked
    once more by each who waited.
    """

    __slots__ = ("_answer", "_ask", "_clock", "_lock", "_refusal", "_until")

    def __init__(
        self, ask: Callable[[], Awaitable[object]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = asyncio.Lock()
        self._until = float("-inf")
        self._answer = b"null"
        self._refusal: AriError | StoreError | None = None

    async def get(self) -> bytes:
        """The answer as JSON, at most a second old. Raises what the question raises."""
        async with self._lock:
            if self._clock() >= self._until:
                try:
                    answer = await self._ask()
                    self._answer, self._refusal = orjson.dumps(answer, option=_OPTIONS), None
                except (AriError, StoreError) as error:
                    self._refusal = error
                self._until = self._clock() + SHARED_SECONDS
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        return self._answer


class SharedView:
    """What many may look at: `view`'s lists and its state, each shared."""

    def __init__(self, view: AsteriskView, *, clock: Callable[[], float] = time.monotonic) -> None:
        async def ping() -> None:
            await view.ping()

        async def info() -> object:
            return (await view.info()).raw

        async def channels() -> object:
            return [channel.raw for channel in await view.channels()]

        async def bridges() -> object:
            return [bridge.raw for bridge in await view.bridges()]

        async def endpoints() -> object:
            return [endpoint.raw for endpoint in await view.endpoints()]

        self._view = view
        self.ping = Shared(ping, clock)
        self.info = Shared(info, clock)
        self.channels = Shared(channels, clock)
        self.bridges = Shared(bridges, clock)
        self.endpoints = Shared(endpoints, clock)

    async def channel(self, channel_id: str) -> bytes:
        """One channel as JSON. Raises AriError."""
        return orjson.dumps((await self._view.channel(channel_id)).raw)

    async def endpoint(self, technology: str, resource: str) -> bytes:
        """One endpoint as JSON. Raises AriError."""
        return orjson.dumps((await self._view.endpoint(technology, resource)).raw)
