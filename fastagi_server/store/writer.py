"""One thread that makes all changes, and commits many of them at once.

SQLite has one writer at a time, and a commit that survives a power failure waits for the disk for
about as long as a hundred inserts take. So the units of work that arrive while one commit is on
its way share the next: each runs in a savepoint of its own, and one that fails takes only itself
back. Nobody is answered before the commit.

A unit of work is a function of a connection. It runs from start to end whatever becomes of the
task that asked for it, so that no request that is cut off leaves half of a change.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic

from fastagi_server.store.connection import Connection, T, Work
from fastagi_server.store.errors import StoreBusyError, StoreError, StoreUnavailableError

MAX_BATCH = 64
"""Units of work in one transaction: enough that the disk's delay is shared, few enough that the
first of them does not wait for long."""


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Work[T]
    answer: Future[T] = field(default_factory=Future)
    result: T | None = None


class Writer:
    """Runs units of work in the order they come; at most `max_waiting` of them wait.

    `connection` is the writer's alone from now on, and `begin` makes it take the write lock or
    raises StoreBusyError. `deadline` is in seconds and counts from the call of `run` to the commit.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        begin: Callable[[Connection], None],
        max_waiting: int,
        deadline: float,
    ) -> None:
        self._connection = connection
        self._begin = begin
        self._max_waiting = max_waiting
        self._deadline = deadline
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._closed = False
        # A disk that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether work that is given now will be done."""
        return self._thread.is_alive() and not self._closed

    async def run(self, work: Work[T]) -> T:
        """Do the work in a transaction and return its result once that is durable.

        Raises what the work raises, with nothing changed. Raises StoreBusyError when too many
        wait already, when another process holds the database, or at the deadline; at the deadline
        the work may still be done if it had begun.
        """
        if not self.is_running:
            raise StoreUnavailableError("the store is closed")
        if self._jobs.qsize() >= self._max_waiting:
            raise StoreBusyError("too many changes wait for the database")
        job = _Job(work)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(job.answer)
        except TimeoutError as error:
            if job.answer.done() and not job.answer.cancelled():
                # The event loop was too busy to notice: what was done is no failure.
                return job.answer.result()
            raise StoreBusyError("the database did not take the change in time") from error

    async def close(self) -> None:
        """Do what waits, then stop; gives up on a database that answers nothing."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, self._deadline)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            stop = self._gather(batch)
            self._transact([job for job in batch if job.answer.set_running_or_notify_cancel()])
            if stop:
                break
        self._connection.close()

    def _gather(self, batch: list[_Job[Any]]) -> bool:
        """Add what waits already to the batch; True when the end of the work was among it."""
        with suppress(Empty):
            while len(batch) < MAX_BATCH:
                job = self._jobs.get_nowait()
                if job is None:
                    return True
                batch.append(job)
        return False

    def _transact(self, batch: list[_Job[Any]]) -> None:
        if not batch:
            return
        try:
            self._begin(self._connection)
            done = [job for job in batch if self._try(job)]
            self._connection.command("COMMIT")
        except StoreError as error:
            with suppress(StoreError):
                self._connection.command("ROLLBACK")
            _fail(batch, error)
        else:
            for job in done:
                job.answer.set_result(job.result)

    def _try(self, job: _Job[Any]) -> bool:
        self._connection.command("SAVEPOINT work")
        try:
            job.result = job.work(self._connection)
        except (StoreBusyError, StoreUnavailableError):
            # A full disk or a lost lock ends the transaction of everybody in it.
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to the one who asked for the work
            self._connection.command("ROLLBACK TO SAVEPOINT work")
            job.answer.set_exception(error)
            return False
        self._connection.command("RELEASE SAVEPOINT work")
        return True


def _fail(batch: list[_Job[Any]], error: Exception) -> None:
    for job in batch:
        if not job.answer.done():
            job.answer.set_exception(error)
