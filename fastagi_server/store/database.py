"""A database as the repositories see it, and how one is opened.

Repositories hand over units of work, plain functions of a connection, and do not know which
thread, transaction or database runs them.
"""

from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from fastagi_server.store.connection import T, Work
from fastagi_server.store.errors import StoreUnavailableError
from fastagi_server.store.migrating import Migratable, bring_up_to_date
from fastagi_server.store.sqlite import SqliteFile

CONNECTIONS = 8
"""Connections of one process for requests; PostgreSQL takes 100 unless told otherwise."""


class Database(Protocol):
    """Runs units of work. Each method raises StoreError, and what the work raises.

    Every statement of a read or a search sees the latest committed state; two statements of one
    may see two states.
    """

    async def read(self, work: Work[T]) -> T:
        """Do work that reads a bounded number of rows: by key, or by an index and a limit."""
        ...

    async def search(self, work: Work[T]) -> T:
        """Do work that reads and may have to look at many rows, within some seconds."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction of its own and return its result once that is durable."""
        ...

    async def ping(self) -> None:
        """Raise StoreError unless the database can be read and written."""
        ...

    async def close(self) -> None:
        """Finish the changes that wait, then let go of the database."""
        ...


class Place(Migratable, Protocol):
    """Where a database is."""

    def open(self) -> Database:
        """Open the database, whose tables must be up to date. Raises StoreError."""
        ...


def open_database(url: str, *, connections: int = CONNECTIONS) -> Database:
    """Open the database of this URL, with its tables made or brought up to date.

    `sqlite:///relative` or `sqlite:////absolute` is a file, made readable by its owner only;
    `postgresql://user:password@host:port/database` a database that exists, which gets `connections`
    for requests and two for searches. Raises StoreError.
    """
    place = find_place(url, connections=connections)
    bring_up_to_date(place)
    return place.open()


def find_place(url: str, *, connections: int = CONNECTIONS) -> Place:
    """Where the database of a URL is. Raises StoreUnavailableError for one we cannot open."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailableError("the database URL cannot be read") from error
    kind = parsed.get_backend_name()
    if kind == "postgresql" and parsed.database:
        from fastagi_server.store.postgres import PostgresServer  # noqa: PLC0415 - few need it

        return PostgresServer(parsed, connections)
    if kind != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise StoreUnavailableError(
            "the database URL must be sqlite:///<file> or"
            f" postgresql://<user>@<host>/<database>, not {kind}"
        )
    return SqliteFile(Path(str(parsed.database)))
