"""Opening a database, and the promises it makes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from fastagi_server.store import calls as stored_calls
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database, find_place, open_database
from fastagi_server.store.errors import StoreBusyError, StoreRefusedError, StoreUnavailableError
from fastagi_server.store.sqlite import SqliteDatabase, take_lock


def pragma(name: str) -> Callable[[Connection], object]:
    """A unit of work that reads one setting of its connection."""

    def work(connection: Connection) -> object:
        return connection.command(f"PRAGMA {name}")

    return work


async def setting(database: Database, name: str) -> object:
    """The setting as reads see it."""
    return await database.read(pragma(name))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database in a folder that does not exist yet."""
    return f"sqlite:///{tmp_path / 'state' / 'calls.db'}"


async def test_opening_makes_the_file(url: str, tmp_path: Path) -> None:
    """The folder and the tables are made, and nobody but the owner may read the file or its log."""
    database = open_database(url)
    await database.write(_add_key)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "state").iterdir()}
    await database.close()
    assert modes == {"calls.db": "0o600", "calls.db-wal": "0o600", "calls.db-shm": "0o600"}


async def test_settings_of_connections(url: str) -> None:
    """The file has a write-ahead log, commits reach the disk, and references are checked."""
    database = open_database(url)
    assert await setting(database, "journal_mode") == "wal"
    assert await setting(database, "synchronous") == 2
    assert await setting(database, "foreign_keys") == 1
    assert await setting(database, "busy_timeout") == 50
    assert await setting(database, "journal_size_limit") == 64 * 1024 * 1024
    assert await database.write(pragma("busy_timeout")) == 0
    await database.close()


async def test_opening_again(url: str) -> None:
    """A database that exists is opened as it is."""
    first = open_database(url)
    second = open_database(url)
    await first.ping()
    await second.ping()
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    ("bad_url", "complaint"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://user:secret@host/db", "must be sqlite:///<file> or .*, not mysql"),
        ("postgresql://user:secret@host", "must be sqlite:///<file> or"),
        ("sqlite://", "must be sqlite:///<file>"),
        ("sqlite:///:memory:", "must be sqlite:///<file>"),
    ],
)
def test_urls_that_are_refused(bad_url: str, complaint: str) -> None:
    """A URL that names no file is refused without showing its password."""
    with pytest.raises(StoreUnavailableError, match=complaint) as refusal:
        open_database(bad_url)
    assert "secret" not in str(refusal.value)


def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A path that is a folder is refused in words."""
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        open_database(f"sqlite:///{tmp_path}")


def test_file_that_is_no_database(tmp_path: Path) -> None:
    """A file with something else in it is refused and left alone."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear reader")


async def test_read_error_is_mapped(url: str) -> None:
    """What the driver raises on reading leaves as an error of the store."""
    database = open_database(url)
    with pytest.raises(StoreRefusedError, match="no such table"):
        await database.read(lambda connection: connection.command("SELECT 1 FROM missing"))
    await database.close()


async def test_reads_see_what_was_committed(url: str) -> None:
    """A read after a change sees it, though both have connections of their own."""
    database = open_database(url)
    await database.write(_add_key)
    names = select(schema.api_keys.c.name)
    assert await database.read(lambda connection: connection.rows(names, {})) == [["n"]]
    await database.close()


def _add_key(connection: Connection) -> None:
    connection.command("INSERT INTO api_keys VALUES (x'00', 'n', '[]', 0, NULL)")


async def test_another_process_holds_the_lock(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on while another process writes; a change is refused when that takes too long."""
    monkeypatch.setattr("fastagi_server.store.sqlite.LOCK_WAIT_MS", 10)
    database = open_database(url)
    other = sqlite3.connect(tmp_path / "state" / "calls.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await database.ping()
    with pytest.raises(StoreBusyError):
        await database.write(_add_key)
    other.execute("ROLLBACK")
    other.close()
    await database.write(_add_key)
    await database.close()


def test_lock_is_asked_for_often(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the lock takes it in the moment in which a busy process has let go of it."""
    waiting = find_place(url).connect()
    waiting.command("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "state" / "calls.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            other.execute("COMMIT")

    monkeypatch.setattr("fastagi_server.store.sqlite.time.sleep", pause)
    take_lock(waiting)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    waiting.command("COMMIT")
    assert pauses == [0.001] * 20
    other.close()
    waiting.close()


async def test_first_opening_while_another_process_writes(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first opening is refused when the lock is held for too long; a later one needs no lock."""
    monkeypatch.setattr("fastagi_server.store.sqlite.MIGRATION_WAIT_MS", 10)
    (tmp_path / "state").mkdir()
    other = sqlite3.connect(tmp_path / "state" / "calls.db", isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError):
        open_database(url)
    other.execute("ROLLBACK")
    await open_database(url).close()
    other.execute("BEGIN IMMEDIATE")
    await open_database(url).close()
    other.execute("ROLLBACK")
    other.close()


async def test_stopped_writer(url: str) -> None:
    """A database whose writer has stopped can be read but is not ready."""
    database = open_database(url)
    assert isinstance(database, SqliteDatabase)
    await database._writer.close()  # pyright: ignore[reportPrivateUsage]  # a fault from inside
    assert await setting(database, "journal_mode") == "wal"
    with pytest.raises(StoreUnavailableError, match="the writer has stopped"):
        await database.ping()
    await database.close()


async def test_closed_database(url: str) -> None:
    """A closed database refuses in the words of the store."""
    database = open_database(url)
    await database.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.read(_add_key)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.write(_add_key)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.ping()


async def test_indexes_are_used(url: str) -> None:
    """Active calls and those to forget are read from indexes in their order, without sorting."""
    database = open_database(url)

    def plans(connection: Connection) -> list[object]:
        driver = connection._driver  # pyright: ignore[reportPrivateUsage]  # SQL of a test only
        return [
            row[3]
            for query in (
                stored_calls.ALL_ACTIVE,
                stored_calls.ACTIVE_OF_PARTY,
                stored_calls.LONG_ENDED,
            )
            for row in driver.execute(
                f"EXPLAIN QUERY PLAN {query.compile(dialect=sqlite.dialect(paramstyle='named'))}",
                {"limit": 1, "party": "x", "param_1": 0, "horizon": 0},
            )
        ]

    steps = [str(step) for step in await database.read(plans)]
    assert len(steps) == 4
    assert all(step.startswith("SEARCH") and "INDEX" in step for step in steps)
    await database.close()


async def test_search_that_takes_too_long(url: str) -> None:
    """A search is interrupted at its deadline; reads, changes and other searches go on."""
    database = open_database(url)
    assert isinstance(database, SqliteDatabase)
    searches = database._searches  # pyright: ignore[reportPrivateUsage]
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    searches._deadline = 0.05  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(StoreBusyError, match="did not answer in time"):
        await database.search(lambda connection: connection.command(endless))
    searches._deadline = 10.0  # pyright: ignore[reportPrivateUsage]
    await database.write(_add_key)
    assert await database.search(lambda connection: connection.command("SELECT 7")) == 7
    await database.close()


def test_schema_is_portable() -> None:
    """Every table can be made in PostgreSQL too."""
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    for table in schema.tables.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))


def test_every_foreign_key_has_an_index() -> None:
    """A call can be discarded without reading whole tables."""
    for table in schema.tables.sorted_tables:
        indexed = {index.columns[0].name for index in table.indexes}
        indexed.add(next(iter(table.primary_key.columns)).name)
        assert {key.parent.name for key in table.foreign_keys} <= indexed


async def test_tables_are_those_of_the_schema(url: str) -> None:
    """The file has the tables, columns and indexes that the schema declares."""
    await open_database(url).close()
    engine = create_engine(url)
    inspector = inspect(engine)
    for table in schema.tables.sorted_tables:
        columns = [column["name"] for column in inspector.get_columns(table.name)]
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert columns == [column.name for column in table.columns]
        assert indexes == {index.name for index in table.indexes}
    engine.dispose()
