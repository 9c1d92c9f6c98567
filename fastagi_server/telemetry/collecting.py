"""Present values that somebody else knows: asked for when they are to be shown.

The one who shows them never waits for long: a collector that is slow goes on by itself, and what
it brings is shown the next time. What a collector could not bring is not shown at all, because an
old value looks like a true one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from fastagi_server.telemetry.kinds import Gauge

FRESH_SECONDS = 1.0
"""How old values may be that are shown again without asking."""

PATIENCE_SECONDS = 0.025
"""How long one who shows values waits for them."""

DEADLINE_SECONDS = 5.0
"""How long a collector may take."""

Collect = Callable[[], Awaitable[None]]
"""Sets the gauges that the collector was added with; it may raise anything."""

_log = structlog.stdlib.get_logger("measures")


class Collectors:
    """Those who know present values; `up` is set to 1 or 0 under the name of each."""

    def __init__(self, up: Gauge, clock: Callable[[], float] = time.monotonic) -> None:
        self._up = up
        self._clock = clock
        self._collectors: list[_Collector] = []

    def add(self, name: str, gauges: tuple[Gauge, ...], collect: Collect) -> None:
        """Have `collect` asked from now on; `gauges` are its own, and empty when it fails."""
        self._collectors.append(_Collector(name, gauges, collect, self._up))

    async def refresh(self) -> None:
        """Ask everybody who was not asked within a second; wait a fortieth of one for them."""
        now = self._clock()
        tasks = [task for each in self._collectors if (task := each.ask(now)) is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)

    async def close(self) -> None:
        """Ask nobody any more."""
        collectors, self._collectors = self._collectors, []
        for each in collectors:
            await each.close()


class _Collector:
    """One of them, asked by one task at a time."""

    def __init__(self, name: str, gauges: tuple[Gauge, ...], collect: Collect, up: Gauge) -> None:
        self._name = name
        self._gauges = gauges
        self._collect = collect
        self._up = up
        self._asked_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def ask(self, now: float) -> asyncio.Task[None] | None:
        """The task that asks, if one has to or does."""
        if self._task is not None and not self._task.done():
            return self._task
        if now - self._asked_at < FRESH_SECONDS:
            return None
        self._asked_at = now
        self._task = asyncio.create_task(self._run(), name=f"collect-{self._name}")
        return self._task

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._collect()
        except Exception as error:  # noqa: BLE001 - whatever it was, there is no value to show
            _log.debug("not_collected", collector=self._name, reason=repr(error))
            for gauge in self._gauges:
                gauge.clear()
            self._up.set(0, self._name)
        else:
            self._up.set(1, self._name)
