"""Brings the tables of a database up to date before anybody uses them.

An empty database gets the tables of `schema` at once; one of an earlier release is taken through
the steps since then by Alembic, which is not loaded otherwise: that takes longer than all else
that a service does when it starts. Either way the database is locked, so that of several processes
that start together one does it and the others find it done; and all of it is one transaction, so
that a failure leaves the database as it was.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection as EngineConnection
from sqlalchemy import Engine, event
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.expression import ClauseElement

from fastagi_server.store.connection import Connection
from fastagi_server.store.errors import StoreRefusedError, StoreUnavailableError
from fastagi_server.store.schema import tables

HEAD = "0004"
"""The last step that this program knows."""

NOTHING = "nothing"
UNVERSIONED = "unversioned"

STEPS = Path(__file__).with_name("migrations")

_VERSION = "SELECT version_num FROM alembic_version"
_IS_OLD = "SELECT count(*) FROM calls"
_CREATE_VERSION = """CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
)"""
_ADD_VERSION = f"""INSERT INTO alembic_version
    SELECT '{HEAD}' WHERE NOT EXISTS (SELECT 1 FROM alembic_version)"""  # noqa: S608 - a constant

_log = structlog.get_logger("store")


class Migratable(Protocol):
    """Where a database is whose tables can be brought up to date; all of it raises StoreError."""

    def connect(self) -> Connection:
        """Connect to the database, which may be empty."""
        ...

    def lock(self, command: Callable[[str], object]) -> None:
        """Begin a transaction, by these commands, that keeps out those of other processes."""
        ...

    def migration_engine(self) -> AbstractContextManager[Engine]:
        """An engine whose transactions have yet to begin, by `lock`."""
        ...


def bring_up_to_date(place: Migratable) -> str:
    """Make the tables, or migrate them; returns the step that the database was at before.

    That is `nothing` for an empty database and `unversioned` for one that is older than the steps
    are. Raises StoreError, with nothing changed; StoreUnavailableError for one of a newer program.
    """
    before = step_of(place)
    if before == NOTHING:
        _create(place)
    if before != HEAD and step_of(place) != HEAD:
        _migrate(place)
        _log.info("store_migrated", before=before, after=HEAD)
    return before


def step_of(place: Migratable) -> str:
    """The last step that a database has taken, `nothing` or `unversioned`. Raises StoreError."""
    connection = place.connect()
    try:
        step: str | None = _ask(connection, _VERSION)
        if step is None:
            return NOTHING if _ask(connection, _IS_OLD) is None else UNVERSIONED
        return step
    finally:
        connection.close()


def _ask(connection: Connection, query: str) -> Any:
    try:
        return connection.command(query)
    except StoreRefusedError:  # there is no such table
        return None


def _create(place: Migratable) -> None:
    connection = place.connect()
    try:
        place.lock(connection.command)
        connection.define(_definitions())
        connection.command(_CREATE_VERSION)
        connection.command(_ADD_VERSION)
        connection.command("COMMIT")
    finally:
        connection.close()


def _definitions() -> Iterator[ClauseElement]:
    # Another process may have been first.
    for table in tables.sorted_tables:
        yield CreateTable(table, if_not_exists=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield CreateIndex(index, if_not_exists=True)


def _migrate(place: Migratable) -> None:
    def begin(connection: EngineConnection) -> None:
        place.lock(connection.exec_driver_sql)

    with place.migration_engine() as engine:
        event.listen(engine, "begin", begin)
        with engine.begin() as connection:
            _take_steps(connection)


def _take_steps(connection: EngineConnection) -> None:
    # Alembic takes 0.2 s to load.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(STEPS))
    config.attributes["connection"] = connection
    version = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreUnavailableError(
            f"the database was made by a newer version of this program: it is at step {version},"
            f" and this version knows the steps up to {HEAD}"
        )
    command.upgrade(config, HEAD)
