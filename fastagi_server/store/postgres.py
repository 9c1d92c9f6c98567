"""The store in a PostgreSQL database, which any number of processes may share.

Units of work are run by threads, each with a connection of its own. Transactions are READ
COMMITTED: rows that are about to change are locked as they are read, what must be unique is held
by the tables, and what is counted before it is added to holds a name. A transaction that loses to
another one nevertheless is run again.
"""

import select
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import psycopg
from sqlalchemy import URL, Dialect, Engine, bindparam, create_engine, func
from sqlalchemy import select as select_rows
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from fastagi_server.store.connection import Connection, Prepared, Row, T, Values, Work
from fastagi_server.store.errors import (
    StoreBusyError,
    StoreConflictError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from fastagi_server.store.lanes import Lanes

SEARCHES = 2
"""Connections for searches, so that no number of them keeps requests waiting."""

MAX_WAITING = 1000
"""Units of work that may wait for a connection."""

DEADLINE = 5.0
"""Seconds after which a unit of work is given up."""

ATTEMPTS = 5
"""How often a transaction is run that others get in the way of."""

CONNECT_SECONDS = 2
"""The least that libpq takes."""

LOCK_WAIT_MS = 2000
STATEMENT_MS = 4000
MIGRATION_MS = 60_000

IDLE_TRANSACTION_MS = 10_000
"""After this time the server takes back the locks of a process that has stopped in mid-work."""

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

_HOLD = select_rows(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0)))

_MIGRATION_LOCK = 0x5347455F564F4950
"""Any number that others of this database are unlikely to use: SGE_VOIP in ASCII."""

_BUSY = frozenset({"55P03", "57014", "53300", "57P03"})
"""Lock not available, statement timed out, too many connections, server starting or stopping."""

_CONFLICT = frozenset({"40001", "40P01", "23505"})
"""Serialisation failure, deadlock, and a row that somebody else has just added."""


class PostgresConnection(Connection):
    """A connection of psycopg, in autocommit mode: transactions are begun and ended by us."""

    _failure = psycopg.Error

    def __init__(self, driver: "psycopg.Connection[Any]") -> None:
        super().__init__(driver, _dialect())
        # A handle of our own on the connection's socket: its number cannot become another file's
        # while a thread is about to shut it.
        self._socket = socket.socket(fileno=socket.dup(driver.fileno()))

    @property
    def is_usable(self) -> bool:
        """Whether the server has said nothing since the last answer; its farewell is something."""
        if self._driver.closed:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def hold(self, name: str) -> None:
        """Within a transaction: wait for the others that hold this name, and keep them waiting."""
        self.rows(_HOLD, {"name": name})

    def interrupt(self) -> None:
        """Cut the connection; the server takes its transaction back."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the server. Closing twice is harmless."""
        super().close()
        self._socket.close()

    def _fetch(self, prepared: Prepared, values: Values) -> Sequence[Row]:
        # PostgreSQL takes no text with NUL, not even to look for: so no row has one.
        if any(isinstance(value, str) and "\0" in value for value in values.values()):
            return []
        return super()._fetch(prepared, values)

    def _explain(self, error: Any) -> StoreError:
        return explain(error)


class PostgresDatabase:
    """A PostgreSQL database with up-to-date tables. Nothing is connected before it is needed."""

    def __init__(self, server: "PostgresServer") -> None:
        self._lanes = Lanes(
            server.connect,
            lanes=server.connections,
            max_waiting=MAX_WAITING,
            deadline=DEADLINE,
            name="store",
        )
        self._searches = Lanes(
            server.connect,
            lanes=SEARCHES,
            max_waiting=MAX_WAITING,
            deadline=DEADLINE,
            name="store-search",
        )

    async def read(self, work: Work[T]) -> T:
        """Do work that reads a bounded number of rows. Raises StoreError, and what it raises."""
        return await self._lanes.run(work)

    async def search(self, work: Work[T]) -> T:
        """Do work that may read many rows. Raises StoreError, and what the work raises."""
        return await self._searches.run(work)

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction, again after a conflict. Raises StoreError, and what it does."""
        return await self._lanes.run(partial(_transact, work))

    async def ping(self) -> None:
        """Raise StoreError unless the server answers, and takes changes."""
        read_only = await self.read(lambda server: server.command("SHOW transaction_read_only"))
        if read_only != "off":
            raise StoreUnavailableError("the server is read-only")

    async def close(self) -> None:
        """Finish the work that waits, then close the connections."""
        await self._lanes.close()
        await self._searches.close()


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where a database in a server is, and how many connections requests may have."""

    url: URL
    connections: int

    def connect(self) -> PostgresConnection:
        """Connect within two seconds, with limits on every statement. Raises StoreError."""
        try:
            driver = psycopg.connect(**_options(self.url), autocommit=True)
        except psycopg.Error as error:
            raise explain(error) from error
        connection = PostgresConnection(driver)
        try:
            connection.command(_limits(LOCK_WAIT_MS, STATEMENT_MS))
        except StoreError:
            connection.close()
            raise
        return connection

    def open(self) -> PostgresDatabase:
        """Open the database, whose tables must be up to date."""
        return PostgresDatabase(self)

    def lock(self, command: Callable[[str], object]) -> None:
        """Begin a transaction that no other of this kind runs beside, whatever its process."""
        command(_limits(MIGRATION_MS, MIGRATION_MS))
        command("BEGIN")
        command(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    @contextmanager
    def migration_engine(self) -> Generator[Engine]:
        """An engine whose transactions have yet to begin, by `lock`."""
        engine = create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            # Else psycopg begins a transaction before `lock` can.
            connect_args={**_options(self.url), "autocommit": True},
            poolclass=NullPool,
        )
        try:
            yield engine
        except DBAPIError as error:
            raise explain(error.orig) from error
        finally:
            engine.dispose()


def explain(error: BaseException | None) -> StoreError:
    """The store's error for the driver's; no values are in the message."""
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        # Psycopg's own, of a value that it cannot send, such as a text with NUL.
        return StoreRefusedError(str(error))
    if not isinstance(error, psycopg.Error) or error.sqlstate is None:
        # The connection's own: it could not be made, or is gone. The rest of the text are hints.
        return StoreUnavailableError(str(error).partition("\n")[0])
    state = error.sqlstate
    message = f"{error.diag.message_primary} ({state})"
    if state in _BUSY:
        return StoreBusyError(message)
    if state in _CONFLICT:
        return StoreConflictError(message)
    if state[:2] in {"22", "23", "42"}:
        return StoreRefusedError(message)
    return StoreUnavailableError(message)


def _transact(work: Work[T], connection: Connection) -> T:
    attempt = 1
    while True:
        try:
            return _try(work, connection)
        except StoreConflictError:
            if attempt == ATTEMPTS:
                raise
            attempt += 1


def _try(work: Work[T], connection: Connection) -> T:
    connection.command(BEGIN)
    try:
        result = work(connection)
        connection.command("COMMIT")
    except BaseException:
        with suppress(StoreError):
            connection.command("ROLLBACK")
        raise
    return result


def _options(url: URL) -> Mapping[str, Any]:
    """What psycopg is told; the URL's own words go first, such as `?sslmode=verify-full`."""
    positional, named = _dialect().create_connect_args(url)
    assert not positional  # noqa: S101 - the dialect names all of them
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "fastagi-server",
        "tcp_user_timeout": int(DEADLINE * 1000),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        **named,
    }


@cache
def _dialect() -> Dialect:
    return create_engine("postgresql+psycopg://", paramstyle="format").dialect


def _limits(lock_ms: int, statement_ms: int) -> str:
    limits = {
        "lock_timeout": lock_ms,
        "statement_timeout": statement_ms,
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_MS,
    }
    return "; ".join(f"SET {name} = {value}" for name, value in limits.items())
