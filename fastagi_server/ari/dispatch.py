"""Work on events without holding up their reader: in order for each key, at once across keys.

A key is whatever must be worked on by one at a time: a channel, a call, a room. One that has
nothing to do costs nothing: its queue and its task are gone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

Item = TypeVar("Item")

KEY_LIMIT = 200
TOTAL_LIMIT = 100_000
HANDLER_SECONDS = 30.0


class OrderedDispatch(Generic[Item]):
    """Hands each item to `handle(key, item)`, one at a time for a key.

    At most `key_limit` items wait for a key and `total_limit` for all. An item beyond that is
    dropped and counted, and `on_overflow(key)` is called, once until the key's queue has emptied:
    the owner then reconciles what the key stands for. A handler that takes longer than
    `handler_seconds` is cancelled; what it raises is logged, and the next item goes on.
    """

    def __init__(
        self,
        handle: Callable[[str, Item], Awaitable[None]],
        *,
        key: Callable[[Item], str],
        on_overflow: Callable[[str], None],
        measures: Measures,
        key_limit: int = KEY_LIMIT,
        total_limit: int = TOTAL_LIMIT,
        handler_seconds: float = HANDLER_SECONDS,
        name: str = "ari_event",
    ) -> None:
        self._handle = handle
        self._key = key
        self._on_overflow = on_overflow
        self._measures = measures
        self._key_limit = key_limit
        self._total_limit = total_limit
        self._handler_seconds = handler_seconds
        self._name = name
        self._queues: dict[str, deque[Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._overflown: set[str] = set()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Items that wait, over all keys."""
        return self._waiting

    @property
    def keys(self) -> int:
        """Keys at work."""
        return len(self._queues)

    def put(self, item: Item) -> None:
        """Take one item; never waits."""
        key = self._key(item)
        queue = self._queues.get(key)
        if self._waiting >= self._total_limit or (queue and len(queue) >= self._key_limit):
            self._drop(key)
            return
        self._waiting += 1
        if queue is not None:
            queue.append(item)
            return
        self._queues[key] = deque((item,))
        task = asyncio.create_task(self._work(key), name=f"{self._name}-{key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until every item taken so far, and what came meanwhile, has been handled."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop at once: what waits is given up, handlers at work are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._queues.clear()
        self._overflown.clear()
        self._waiting = 0

    async def _work(self, key: str) -> None:
        queue = self._queues[key]
        while queue:
            self._waiting -= 1
            await self._handle_one(key, queue.popleft())
        del self._queues[key]
        self._overflown.discard(key)
        if not self._queues:
            self._overflown.clear()

    async def _handle_one(self, key: str, item: Item) -> None:
        try:
            async with asyncio.timeout(self._handler_seconds):
                await self._handle(key, item)
        except Exception:
            log.exception("event_handler_failed", key=key, item=type(item).__name__)

    def _drop(self, key: str) -> None:
        self._measures.drops.add(self._name)
        if key in self._overflown:
            return
        self._overflown.add(key)
        log.error("event_queue_full", queue=self._name, key=key)
        self._on_overflow(key)
