"""The outbox as the registrar, the relay and the command line use it."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from fastagi_server.outbox import ledger
from fastagi_server.outbox.database import open_database
from fastagi_server.outbox.errors import OutboxFullError, OutboxWriteError
from fastagi_server.outbox.leader import leading
from fastagi_server.outbox.ledger import Letter, Statistics
from fastagi_server.outbox.writer import Writer
from fastagi_server.registration.documents import kind_of, to_document
from fastagi_server.registration.models import Statement
from fastagi_server.registration.ports import Backlog, Entry, Standing
from fastagi_server.telemetry.measures import Measures

T = TypeVar("T")

PRUNE_EVERY_SECONDS = 60.0


class Outbox:
    """Implements the ports `Outbox`, `Deliveries` and `Leadership` of `registration.ports`.

    At most `max_entries` wait and `max_dead_letters` are kept; beyond that an append fails, and
    the oldest dead letter is lost, both counted. An operation takes `timeout_seconds` at most,
    then raises `OutboxWriteError`; what it was to do may still happen. `clock` counts seconds
    since the epoch.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        lock_path: Path,
        measures: Measures,
        max_entries: int = 100_000,
        max_dead_letters: int = 10_000,
        timeout_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._lock_path = lock_path
        self._measures = measures
        self._max_entries = max_entries
        self._max_dead_letters = max_dead_letters
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._wake: Callable[[], None] | None = None
        self._pruned_at = 0.0

    def append(self, statement: Statement) -> Awaitable[None]:
        """See `registration.ports.Outbox`."""
        kind, key, document = kind_of(statement), statement.key, to_document(statement)
        now = self._clock()
        added = self._writer.submit(
            lambda connection: ledger.append(
                connection, kind, key, document, now, self._max_entries
            )
        )
        return self._finish_append(kind, added)

    async def standing(self, provisional_id: str) -> Standing:
        """See `registration.ports.Outbox`."""
        return await self._do(lambda connection: ledger.standing(connection, provisional_id))

    async def backlog(self, limit: int) -> Backlog:
        """See `registration.ports.Deliveries`."""
        now = self._clock()
        if abs(now - self._pruned_at) >= PRUNE_EVERY_SECONDS:
            self._pruned_at = now
            await self._do(lambda connection: ledger.prune(connection, now))
        return await self._do(lambda connection: ledger.backlog(connection, now, limit))

    async def delivered(self, entry: Entry, call_id: str) -> None:
        """See `registration.ports.Deliveries`."""
        now = self._clock()
        await self._do(lambda connection: ledger.deliver(connection, entry, call_id, now))

    async def postponed(self, entry: Entry, seconds: float, code: str) -> None:
        """See `registration.ports.Deliveries`."""
        due_at = self._clock() + seconds
        await self._do(lambda connection: ledger.postpone(connection, entry.number, due_at, code))

    async def died(self, entry: Entry, code: str) -> None:
        """See `registration.ports.Deliveries`."""
        now = self._clock()
        lost = await self._do(
            lambda connection: ledger.bury(connection, entry, code, now, self._max_dead_letters)
        )
        if lost:
            self._measures.drops.add("dead_letter", amount=lost)

    def leading(self) -> AbstractAsyncContextManager[None]:
        """See `registration.ports.Leadership`."""
        return leading(self._lock_path)

    def when_appended(self, wake: Callable[[], None]) -> None:
        """See `registration.ports.Leadership`."""
        self._wake = wake

    async def pending_letters(self, limit: int = 100) -> list[Letter]:
        """Entries that wait, oldest first."""
        now = self._clock()
        return await self._do(lambda connection: ledger.pending_letters(connection, now, limit))

    async def dead_letters(self, limit: int = 100) -> list[Letter]:
        """Entries given up, those first that died first."""
        now = self._clock()
        return await self._do(lambda connection: ledger.dead_letters(connection, now, limit))

    async def retry(self, numbers: Sequence[int] | None = None) -> int:
        """Let these dead letters, by default all, wait for delivery again; how many did."""
        now = self._clock()
        return await self._do(
            lambda connection: ledger.retry(connection, numbers, now, self._max_entries)
        )

    async def drop(self, numbers: Sequence[int] | None = None) -> int:
        """Delete these dead letters, by default all; how many there were."""
        return await self._do(lambda connection: ledger.drop(connection, numbers))

    async def statistics(self) -> Statistics:
        """How much there is."""
        now = self._clock()
        return await self._do(lambda connection: ledger.statistics(connection, now))

    async def _finish_append(self, kind: str, added: asyncio.Future[bool]) -> None:
        try:
            outcome = "appended" if await self._in_time(added) else "repeated"
        except OutboxFullError:
            self._measures.outbox_entries.add(kind, "full")
            self._measures.drops.add("outbox_append")
            raise
        self._measures.outbox_entries.add(kind, outcome)
        if self._wake is not None:
            self._wake()

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._in_time(self._writer.submit(work))

    async def _in_time(self, result: asyncio.Future[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await result
        except TimeoutError as error:
            raise OutboxWriteError("the disk did not answer in time") from error


@asynccontextmanager
async def open_outbox(
    path: Path,
    *,
    measures: Measures,
    max_entries: int = 100_000,
    max_dead_letters: int = 10_000,
    timeout_seconds: float = 5.0,
) -> AsyncGenerator[Outbox]:
    """The outbox in the file `path`, made when there is none; see `Outbox` for the limits.

    Any number of processes may have it open. Raises `OutboxError` when the file is damaged, not
    an outbox, or may not be written. At the end all that was submitted is on the disk.
    """
    connection = await asyncio.to_thread(open_database, path)
    writer = Writer(connection)
    try:
        yield Outbox(
            writer,
            lock_path=path.with_name(path.name + ".lock"),
            measures=measures,
            max_entries=max_entries,
            max_dead_letters=max_dead_letters,
            timeout_seconds=timeout_seconds,
        )
    finally:
        await writer.aclose()
