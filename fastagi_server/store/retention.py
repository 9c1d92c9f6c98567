"""Removes what is too old from the database, a little at a time.

A transaction holds up those that come after it for as long as it takes, in SQLite all of them. So
only a few records go at once, and between two such steps there is time for calls.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from fastagi_server.store.errors import StoreError
from fastagi_server.telemetry.measures import Measures

LOOK_SECONDS = 3600.0
"""Between two looks. What is kept for days may stay an hour longer."""

BATCH = 50
"""Records in one transaction: with the log of a call some five hundred rows, a few milliseconds."""

PAUSE_SECONDS = 0.1
"""Between two transactions: 500 records a second go at most, more than a busy PBX makes."""

_log = structlog.stdlib.get_logger("store")


class Forgettable(Protocol):
    """Records that can be too old."""

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Delete at most `limit` records older than this moment; returns how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records of one kind are kept."""

    kind: str
    records: Forgettable
    keep: timedelta


class Forgetting:
    """Forgets by several rules, every hour; a store that fails is tried again at the next look."""

    def __init__(
        self,
        rules: Sequence[Retention],
        *,
        measures: Measures,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rules = rules
        self._measures = measures
        self._now = now

    async def run(self) -> None:
        """Forget what is too old, until cancelled."""
        while True:
            for rule in self._rules:
                try:
                    await self.forget(rule)
                except StoreError as error:
                    _log.warning("records_not_forgotten", kind=rule.kind, reason=str(error))
                except Exception:  # noqa: BLE001 - whatever it was, the next look may do better
                    _log.exception("records_not_forgotten", kind=rule.kind)
            await asyncio.sleep(LOOK_SECONDS)

    async def forget(self, rule: Retention) -> None:
        """Forget all that is too old by this rule. Raises StoreError."""
        horizon = self._now() - rule.keep
        forgotten = 0
        while number := await rule.records.forget(horizon, BATCH):
            forgotten += number
            self._measures.records_forgotten.add(rule.kind, amount=number)
            await asyncio.sleep(PAUSE_SECONDS)
        if forgotten:
            _log.info("records_forgotten", kind=rule.kind, records=forgotten)


@asynccontextmanager
async def keep_forgetting(forgetting: Forgetting) -> AsyncGenerator[None]:
    """Forget in the background until the context is left."""
    task = asyncio.create_task(forgetting.run(), name="forgetting")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
