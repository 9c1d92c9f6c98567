"""A database as the repositories see it, and the one in a SQLite file.

Repositories hand over units of work, plain functions of a connection, and do not know which
thread, transaction or database runs them. The functions must be pure but for their SQL, so that a
database that detects a conflict may run one again.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from fastagi_server.store.errors import StoreUnavailableError, from_driver
from fastagi_server.store.schema import tables
from fastagi_server.store.writer import T, Work, Writer

MAX_WAITING = 1000
"""Changes that may wait for the disk: some seconds of work for a slow one."""

DEADLINE = 5.0
"""Seconds after which a change is given up."""

LOCK_WAIT_MS = 2000
"""How long a change waits for another process that writes."""

READ_LOCK_WAIT_MS = 50
"""How long a read waits. In WAL mode readers do not wait for writers; what is left is the moment
in which another process recovers the log after a crash."""

MAX_LOG_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size when it was checkpointed."""


class Database(Protocol):
    """Runs units of work."""

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads, on the latest committed state."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction of its own and return its result once that is durable."""
        ...


class SqliteDatabase:
    """A SQLite file that several processes may share.

    Reads run on the calling thread: to read rows by index from the page cache takes some
    hundredths of a millisecond, less than to hand the work to another thread and its answer
    back, and in WAL mode no writer can hold them up. So a read must be bounded: by key, or by an
    index and a limit. Changes run on the writer's thread.
    """

    def __init__(self, url: URL) -> None:
        path = _create_file(url)
        self._reading = _engine(path, READ_LOCK_WAIT_MS)
        self._writing = _engine(path, LOCK_WAIT_MS)
        event.listen(self._writing, "begin", _begin_immediately)
        try:
            tables.create_all(self._writing)
            self._reader = self._reading.connect()
        except DBAPIError as error:
            self._dispose()
            raise from_driver(error) from error
        self._writer = Writer(self._writing, max_waiting=MAX_WAITING, deadline=DEADLINE)

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads. Raises StoreBusyError or StoreUnavailableError."""
        if self._reader.closed:
            raise StoreUnavailableError("the store is closed")
        try:
            return work(self._reader)
        except DBAPIError as error:
            raise from_driver(error) from error

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction. Raises StoreError, and what the work raises."""
        return await self._writer.run(work)

    async def ping(self) -> None:
        """Raise StoreError unless the file can be read and changes are being made."""
        await self.read(_touch)
        if not self._writer.is_running:
            raise StoreUnavailableError("the writer has stopped")

    async def close(self) -> None:
        """Finish the changes that wait, then let go of the file."""
        await self._writer.close()
        self._reader.close()
        self._dispose()

    def _dispose(self) -> None:
        self._reading.dispose()
        self._writing.dispose()


def open_database(url: str) -> SqliteDatabase:
    """Open the database of this URL (`sqlite:///relative` or `sqlite:////absolute`).

    Creates the file, readable by its owner only, and the tables. Raises StoreUnavailableError.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailableError("the database URL cannot be read") from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise StoreUnavailableError(
            f"the database URL must be sqlite:///<file>, not {parsed.get_backend_name()}"
        )
    return SqliteDatabase(parsed)


def _create_file(url: URL) -> URL:
    # The log and the shared memory beside the file inherit its mode; callers' numbers are in them.
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"cannot open {path}: {error.strerror}") from error
    return URL.create("sqlite", database=str(path))


def _engine(url: URL, lock_wait_ms: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare(lock_wait_ms))
    return engine


def _prepare(lock_wait_ms: int) -> Callable[[DBAPIConnection, object], None]:
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        # The sqlite3 module must not begin transactions by itself: `_begin_immediately` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {LOCK_WAIT_MS}",
            "journal_mode = WAL",
            # An answered request is durable: with NORMAL a power failure takes the last seconds
            # back, and the outbox, which forgets what was delivered, could not bring them again.
            "synchronous = FULL",
            "foreign_keys = ON",
            f"journal_size_limit = {MAX_LOG_BYTES}",
            f"busy_timeout = {lock_wait_ms}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return prepare


def _begin_immediately(connection: Connection) -> None:
    # A transaction that reads first and then writes cannot wait for the lock: it must fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_TOUCH = text("SELECT 1")


def _touch(connection: Connection) -> None:
    connection.execute(_TOUCH).one()
