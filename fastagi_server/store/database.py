"""A database as the repositories see it, and the one in a SQLite file.

Repositories hand over units of work, plain functions of a connection, and do not know which
thread, transaction or database runs them. The functions must be pure but for their SQL, so that a
database that detects a conflict may run one again.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.expression import ClauseElement

from fastagi_server.store.connection import Connection
from fastagi_server.store.errors import StoreError, StoreUnavailableError, from_driver
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


BEGIN = "BEGIN IMMEDIATE"
"""Takes the lock at once: a transaction that reads first cannot wait for the lock later."""

_PRAGMAS = (
    f"busy_timeout = {LOCK_WAIT_MS}",
    "journal_mode = WAL",
    # An answered request is durable: with NORMAL a power failure takes the last seconds back,
    # and the outbox, which forgets what was delivered, could not bring them again.
    "synchronous = FULL",
    "foreign_keys = ON",
    f"journal_size_limit = {MAX_LOG_BYTES}",
)


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

    def __init__(self, path: Path) -> None:
        self._reader = _connect(path, READ_LOCK_WAIT_MS)
        self._is_open = True
        writing = _connect(path, LOCK_WAIT_MS)
        try:
            writing.command(BEGIN)
            writing.define(_definitions())
            writing.command("COMMIT")
        except StoreError:
            writing.close()
            self._reader.close()
            raise
        self._writer = Writer(writing, begin=BEGIN, max_waiting=MAX_WAITING, deadline=DEADLINE)

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads. Raises StoreError, and what the work raises."""
        if not self._is_open:
            raise StoreUnavailableError("the store is closed")
        return work(self._reader)

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction. Raises StoreError, and what the work raises."""
        return await self._writer.run(work)

    async def ping(self) -> None:
        """Raise StoreError unless the file can be read and changes are being made."""
        await self.read(lambda connection: connection.command("SELECT 1"))
        if not self._writer.is_running:
            raise StoreUnavailableError("the writer has stopped")

    async def close(self) -> None:
        """Finish the changes that wait, then let go of the file."""
        await self._writer.close()
        self._is_open = False
        self._reader.close()


def open_database(url: str) -> SqliteDatabase:
    """Open the database of this URL (`sqlite:///relative` or `sqlite:////absolute`).

    Creates the file, readable by its owner only, and the tables. Raises StoreError.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailableError("the database URL cannot be read") from error
    kind = parsed.get_backend_name()
    if kind != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise StoreUnavailableError(f"the database URL must be sqlite:///<file>, not {kind}")
    path = Path(str(parsed.database))
    _create_file(path)
    return SqliteDatabase(path)


def _create_file(path: Path) -> None:
    # The log and the shared memory beside the file inherit its mode; callers' numbers are in them.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"cannot open {path}: {error.strerror}") from error


def _connect(path: Path, lock_wait_ms: int) -> Connection:
    try:
        # Transactions are begun and ended by us alone. The writer's connection is made here and
        # used by its thread; no connection is ever used by two at a time.
        driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise from_driver(error) from error
    connection = Connection(driver, sqlite.dialect())
    try:
        for pragma in (*_PRAGMAS, f"busy_timeout = {lock_wait_ms}"):
            connection.command(f"PRAGMA {pragma}")
    except StoreError:
        connection.close()
        raise
    return connection


def _definitions() -> Iterator[ClauseElement]:
    for table in tables.sorted_tables:
        yield CreateTable(table, if_not_exists=True)
        for index in table.indexes:
            yield CreateIndex(index, if_not_exists=True)
