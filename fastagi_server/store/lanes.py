"""Threads with a connection each, for work that waits for a server or reads for long.

A unit of work is a function of a connection, so it needs a thread for as long as it takes; their
number is the number of connections, and what finds none free waits in one bounded queue. A
driver's own time limits end a slow statement, but nothing of the driver ends the wait for a
server that keeps its connections open and says no more. So at the deadline the connection is
interrupted from outside, and the thread is free again.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic

from fastagi_server.store.connection import Connection, T, Work
from fastagi_server.store.errors import StoreBusyError, StoreError, StoreUnavailableError

RETRY_SECONDS = 0.5
"""How long a server that could not be reached is not asked again. Meanwhile work fails at once,
instead of waiting in a row for one attempt after the other."""

INTERRUPT_SECONDS = 0.1
"""How long after an interruption the next one follows, as long as the work has not ended."""


class _Job(Generic[T]):
    """A unit of work on its way, and the connection that it runs on at the moment."""

    def __init__(self, work: Work[T]) -> None:
        self.answer: Future[T] = Future()
        self._work = work
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._is_late = False

    def do(self, connection: Connection) -> None:
        """Run the work unless it is too late; its result or its error becomes the answer."""
        with self._lock:
            if self._is_late:
                return
            self._connection = connection
        try:
            result = self._work(connection)
        except Exception as error:  # noqa: BLE001 - it belongs to the one who asked for the work
            self._leave()
            self.answer.set_exception(error)
        else:
            self._leave()
            self.answer.set_result(result)

    def give_up(self) -> None:
        """Interrupt the work until it ends, or keep it from beginning; harmless when it is done."""
        with self._lock:
            self._is_late = True
            if self._connection is None:
                return
            self._connection.interrupt()
        # SQLite takes notice within a statement only, and this may have come between two.
        asyncio.get_running_loop().call_later(INTERRUPT_SECONDS, self.give_up)

    def _leave(self) -> None:
        with self._lock:
            self._connection = None


class Lanes:
    """Runs units of work, as many at once as there are lanes, in the order they come.

    `connect` makes a connection; it must have a time limit of its own and raise StoreError. At
    most `max_waiting` units wait. `deadline` is in seconds and counts from the call of `run`.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        lanes: int,
        max_waiting: int,
        deadline: float,
        name: str,
    ) -> None:
        self._connect = connect
        self._max_waiting = max_waiting
        self._deadline = deadline
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._closed = False
        self._outage: tuple[float, StoreError] | None = None
        # A server that never answers must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True)
            for number in range(lanes)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Work[T]) -> T:
        """Do the work on the next free connection and return its result.

        Raises what the work raises. Raises StoreUnavailableError when there is no connection and
        StoreBusyError when too many wait already or at the deadline; work that had begun by then
        may have taken effect.
        """
        if self._closed:
            raise StoreUnavailableError("the store is closed")
        if self._jobs.qsize() >= self._max_waiting:
            raise StoreBusyError("too many requests wait for the database")
        job = _Job(work)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(job.answer)
        except TimeoutError as error:
            if job.answer.done() and not job.answer.cancelled():
                # The event loop was too busy to notice: what was done is no failure.
                return job.answer.result()
            job.give_up()
            raise StoreBusyError("the database did not answer in time") from error

    async def close(self) -> None:
        """Do what waits, then stop; gives up on a database that answers nothing."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._jobs.put(None)
        end = time.monotonic() + self._deadline
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, end - time.monotonic()))

    def _serve(self) -> None:
        connection: Connection | None = None
        while (job := self._jobs.get()) is not None:
            if not job.answer.set_running_or_notify_cancel():
                continue
            try:
                connection = self._renewed(connection)
            except StoreError as error:
                connection = None
                job.answer.set_exception(error)
            else:
                job.do(connection)
        if connection is not None:
            connection.close()

    def _renewed(self, connection: Connection | None) -> Connection:
        if connection is not None:
            if connection.is_usable:
                return connection
            connection.close()
        if self._outage is not None and time.monotonic() < self._outage[0]:
            raise StoreUnavailableError(str(self._outage[1]))
        try:
            connection = self._connect()
        except StoreError as error:
            self._outage = (time.monotonic() + RETRY_SECONDS, error)
            raise
        self._outage = None
        return connection
