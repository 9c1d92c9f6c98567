"""The one thread that uses the connection, and commits for many at once.

A commit costs a flush to the disk however many appends it holds. While one is being flushed the
next ones gather, and are committed together: the busier it is, the less each costs.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from fastagi_server.outbox.errors import OutboxWriteError, of_sqlite

T = TypeVar("T")

BATCH_LIMIT = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    result: asyncio.Future[Any]


_Settlement = tuple[_Job, Any, BaseException | None]


class Writer:
    """Runs jobs on `connection` in the order in which they were submitted, and closes it.

    A job is a function of the connection. What it raises undoes what it did and goes to its
    submitter; an error of SQLite fails the whole batch, because nothing of it was committed. At
    most `max_waiting` jobs wait. Belongs to the event loop that made it.
    """

    def __init__(self, connection: sqlite3.Connection, *, max_waiting: int = 10_000) -> None:
        self._connection = connection
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have `work` done; its result is there when it is on the disk.

        Cancelling the result does not undo the work. Raises `OutboxWriteError` when too much
        waits already.
        """
        if self._closed:
            raise OutboxWriteError("the outbox is closed")
        if self._waiting >= self._max_waiting:
            raise OutboxWriteError("too much waits for the disk")
        result: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(work, result))
        return result

    async def aclose(self) -> None:
        """Finish what was submitted, then close the connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if batch:
                settlements = self._commit(batch)
                with suppress(RuntimeError):  # the loop is gone, and with it all who wait
                    self._loop.call_soon_threadsafe(self._settle, settlements)
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """What waits, at least one job; False when the end was among it."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == BATCH_LIMIT:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Job]) -> list[_Settlement]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            settlements = [self._do(job) for job in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            failure = of_sqlite(error)
            return [(job, None, failure) for job in batch]
        return settlements

    def _roll_back(self) -> None:
        """Undo the batch, unless SQLite has done so already, as it does when the disk is full."""
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _do(self, job: _Job) -> _Settlement:
        self._connection.execute("SAVEPOINT job")
        try:
            value = job.work(self._connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it is the submitter's
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return job, None, error
        self._connection.execute("RELEASE job")
        return job, value, None

    def _settle(self, settlements: list[_Settlement]) -> None:
        self._waiting -= len(settlements)
        for job, value, error in settlements:
            if job.result.done():
                continue
            if error is None:
                job.result.set_result(value)
            else:
                job.result.set_exception(error)
