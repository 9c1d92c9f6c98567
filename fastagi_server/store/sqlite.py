"""The store in a SQLite file, which several processes may share."""

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from fastagi_server.store.connection import Connection, T, Work
from fastagi_server.store.errors import (
    StoreBusyError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from fastagi_server.store.lanes import Lanes
from fastagi_server.store.writer import Writer

MAX_WAITING = 1000
"""Changes that may wait for the disk: some seconds of work for a slow one."""

DEADLINE = 5.0
"""Seconds after which a change is given up."""

LOCK_WAIT_MS = 2000
"""How long a change waits for another process that writes."""

LOCK_TRY_SECONDS = 0.001
"""How long a change that waits for the lock does not ask for it. SQLite's own wait asks ten times
a second in the end; a process that writes without a pause lets go of the lock for less than a
millisecond at a time, and was seen to keep others from it for more than two seconds."""

READ_LOCK_WAIT_MS = 50
"""How long a read waits. In WAL mode readers do not wait for writers; what is left is the moment
in which another process recovers the log after a crash."""

MIGRATION_WAIT_MS = 30_000
"""How long the tables' migration waits for another process, which may be migrating them too."""

MAX_SEARCHES = 50
"""Searches that may wait for the one thread that does them."""

SEARCH_SECONDS = 3.0
"""How long a search may take, waiting included."""

MAX_LOG_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size when it was checkpointed."""

_PRAGMAS = (
    f"busy_timeout = {LOCK_WAIT_MS}",  # to switch to WAL may need the lock
    "journal_mode = WAL",
    # An answered request is durable: with NORMAL a power failure takes the last seconds back,
    # and the outbox, which forgets what was delivered, could not bring them again.
    "synchronous = FULL",
    "foreign_keys = ON",
    f"journal_size_limit = {MAX_LOG_BYTES}",
)


class SqliteConnection(Connection):
    """A connection of Python's own driver."""

    _failure = sqlite3.Error

    def __init__(self, driver: sqlite3.Connection) -> None:
        super().__init__(driver, sqlite.dialect())

    @property
    def is_usable(self) -> bool:
        """Always: there is no server that could go away."""
        return True

    def hold(self, name: str) -> None:
        """Do nothing: a transaction that changes anything is the only one there is."""

    def interrupt(self) -> None:
        """Make the statement that another thread runs on this connection fail, now."""
        self._driver.interrupt()

    def _explain(self, error: Any) -> StoreError:
        return explain(error)


class SqliteDatabase:
    """A SQLite file with up-to-date tables.

    Reads run on the calling thread: to read rows by index from the page cache takes some
    hundredths of a millisecond, less than to hand the work to another thread and its answer
    back, and in WAL mode no writer can hold them up. So a read must be bounded: by key, or by an
    index and a limit. Searches have a thread of their own and changes the writer's.
    """

    def __init__(self, file: "SqliteFile") -> None:
        self._reader = file.connect(READ_LOCK_WAIT_MS)
        self._is_open = True
        try:
            writing = file.connect(0)
        except StoreError:
            self._reader.close()
            raise
        self._writer = Writer(writing, begin=take_lock, max_waiting=MAX_WAITING, deadline=DEADLINE)
        self._searches = Lanes(
            partial(file.connect, READ_LOCK_WAIT_MS),
            lanes=1,
            max_waiting=MAX_SEARCHES,
            deadline=SEARCH_SECONDS,
            name="store-search",
        )

    async def read(self, work: Work[T]) -> T:
        """Do work that reads a bounded number of rows. Raises StoreError, and what it raises."""
        if not self._is_open:
            raise StoreUnavailableError("the store is closed")
        return work(self._reader)

    async def search(self, work: Work[T]) -> T:
        """Do work that may read many rows. Raises StoreError, and what the work raises."""
        return await self._searches.run(work)

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
        await self._searches.close()
        self._is_open = False
        self._reader.close()


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """Where a database in a file is, or will be."""

    path: Path

    def connect(self, lock_wait_ms: int | None = None) -> SqliteConnection:
        """Open the file, made for its owner only if need be. Raises StoreError."""
        _create(self.path)
        connection = SqliteConnection(_open(self.path))
        try:
            for pragma in _PRAGMAS:
                connection.command(f"PRAGMA {pragma}")
            wait = LOCK_WAIT_MS if lock_wait_ms is None else lock_wait_ms
            connection.command(f"PRAGMA busy_timeout = {wait}")
        except StoreError:
            connection.close()
            raise
        return connection

    def open(self) -> SqliteDatabase:
        """Open the database, whose tables must be up to date. Raises StoreError."""
        return SqliteDatabase(self)

    def lock(self, command: Callable[[str], object]) -> None:
        """Begin a transaction that has the file for itself."""
        command(f"PRAGMA busy_timeout = {MIGRATION_WAIT_MS}")
        command("BEGIN EXCLUSIVE")

    @contextmanager
    def migration_engine(self) -> Generator[Engine]:
        """An engine whose transactions have yet to begin, by `lock`."""
        # References stay unchecked: to change a column SQLite makes the table anew, and to drop
        # the old one would take all rows along that refer to it.
        engine = create_engine("sqlite://", creator=partial(_open, self.path), poolclass=NullPool)
        try:
            yield engine
        except DBAPIError as error:
            raise explain(error.orig) from error
        finally:
            engine.dispose()


def take_lock(connection: Connection) -> None:
    """Begin a transaction with the write lock. Raises StoreBusyError when others keep it.

    The lock is taken at once: a transaction that reads first cannot wait for it later. The
    connection's own `busy_timeout` should be 0.
    """
    end = time.monotonic() + LOCK_WAIT_MS / 1000
    while True:
        try:
            connection.command("BEGIN IMMEDIATE")
        except StoreBusyError:
            if time.monotonic() >= end:
                raise
            time.sleep(LOCK_TRY_SECONDS)
        else:
            return


def explain(error: BaseException | None) -> StoreError:
    """The store's error for the driver's; no values are in the message."""
    # Errors that the sqlite3 module raises by itself carry no name.
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    message = f"{error} ({name})"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT")):
        return StoreBusyError(message)
    if isinstance(error, sqlite3.IntegrityError) or name == "SQLITE_ERROR":
        return StoreRefusedError(message)
    return StoreUnavailableError(message)


def _create(path: Path) -> None:
    # The log and the shared memory beside the file inherit its mode; callers' numbers are in them.
    # A file that exists is not even opened: to close it again would drop the locks that SQLite
    # holds on it in this process.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreUnavailableError(f"cannot open {path}: {error.strerror}") from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        # Transactions are begun and ended by us alone. A connection may be made on one thread
        # and used on another; none is ever used by two at a time.
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise explain(error) from error
