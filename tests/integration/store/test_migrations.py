"""How the tables of a database come to be those of the schema, on both kinds of database."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as EngineConnection
from sqlalchemy import inspect, make_url

from fastagi_server.calls.listing import CallQuery
from fastagi_server.calls.models import CallStatus
from fastagi_server.store import migrating, schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Place, find_place, open_database
from fastagi_server.store.errors import StoreRefusedError, StoreUnavailableError
from fastagi_server.store.opening import open_store

FIRST_RELEASE = Path(__file__).with_name("first_release.sql")
OLD_TABLES = ("api_keys", "calls", "call_events", "call_parties", "idempotency_keys")


@contextmanager
def looking(place: Place) -> Generator[EngineConnection]:
    """A connection of SQLAlchemy's own, to look at the tables with."""
    with place.migration_engine() as engine, engine.connect() as connection:
        yield connection


def steps() -> ScriptDirectory:
    """The steps as Alembic sees them."""
    config = Config()
    config.set_main_option("script_location", str(migrating.STEPS))
    return ScriptDirectory.from_config(config)


def differences(place: Place) -> list[object]:
    """What Alembic would change to make the tables those of the schema."""
    with looking(place) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, schema.tables)
        return found


def command(place: Place, *statements: str) -> object:
    """Run statements on a database; returns the last one's first value."""
    connection = place.connect()
    results = [connection.command(statement) for statement in statements]
    connection.close()
    return results[-1]


@pytest.fixture
def old_url(sqlite_url: str) -> str:
    """A file of the release that had no migrations, with rows in all of its tables."""
    with closing(sqlite3.connect(str(make_url(sqlite_url).database))) as old:
        old.executescript(FIRST_RELEASE.read_text())
        old.commit()
    return sqlite_url


def test_steps_lead_to_the_schema(empty_url: str) -> None:
    """The steps, from the first to the last, make the very tables that the schema declares."""
    place = find_place(empty_url)
    migrating._migrate(place)  # pyright: ignore[reportPrivateUsage]  # not the short way
    assert differences(place) == []
    assert migrating.step_of(place) == migrating.HEAD


def test_short_way_leads_there_too(empty_url: str) -> None:
    """An empty database gets the tables at once, and is at the last step."""
    place = find_place(empty_url)
    assert migrating.bring_up_to_date(place) == "nothing"
    assert differences(place) == []
    assert migrating.bring_up_to_date(place) == migrating.HEAD


def test_both_ways_make_the_same_columns(tmp_path: Path) -> None:
    """Columns have one order, whichever way a table came to be."""
    places = [find_place(f"sqlite:///{tmp_path}/{name}.db") for name in ("short", "long")]
    migrating.bring_up_to_date(places[0])
    migrating._migrate(places[1])  # pyright: ignore[reportPrivateUsage]
    for table in schema.tables.sorted_tables:
        orders: list[list[str]] = []
        for place in places:
            with looking(place) as connection:
                columns = inspect(connection).get_columns(table.name)
                orders.append([column["name"] for column in columns])
        assert orders == [[column.name for column in table.columns]] * 2


def test_last_step() -> None:
    """The program names the last of the steps, and there is one way to it."""
    assert steps().get_heads() == [migrating.HEAD]


async def test_database_of_the_first_release(old_url: str) -> None:
    """A database that is older than the steps is taken over with every row."""
    place = find_place(old_url)
    before = {name: command(place, f"SELECT count(*) FROM {name}") for name in OLD_TABLES}
    async with open_store(old_url) as store:
        ended = await store.calls.get("call-1")
        assert ended is not None
        assert ended.start_time == datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
        assert (ended.status, ended.hangup_cause) == (CallStatus.ENDED, 16)
        assert [event.kind for event in await store.calls.events("call-1")] == ["created", "ended"]
        (active,) = await store.calls.active("bob", 10)
        assert active.id == "call-2"
        listed = await store.calls.page(CallQuery(party="alice"), None, 10)
        assert listed == [active, ended]
    after = {name: command(place, f"SELECT count(*) FROM {name}") for name in OLD_TABLES}
    assert before == after == dict(zip(OLD_TABLES, (1, 2, 3, 4, 1), strict=True))
    assert command(place, "PRAGMA integrity_check") == "ok"
    assert command(place, "PRAGMA foreign_key_check") is None
    assert differences(place) == []


async def test_many_open_an_old_database_at_once(old_url: str) -> None:
    """Of many that open a database at the same moment one migrates it, and all find it done."""
    place = find_place(old_url)
    await asyncio.gather(*(asyncio.to_thread(migrating.bring_up_to_date, place) for _ in range(6)))
    assert migrating.step_of(place) == migrating.HEAD
    assert command(place, "SELECT count(*) FROM alembic_version") == 1
    assert command(place, "SELECT count(*) FROM call_events") == 3


async def test_many_open_an_empty_database_at_once(empty_url: str) -> None:
    """Of many that open an empty database at the same moment one makes the tables."""
    place = find_place(empty_url)
    await asyncio.gather(*(asyncio.to_thread(migrating.bring_up_to_date, place) for _ in range(6)))
    assert command(place, "SELECT count(*) FROM alembic_version") == 1
    assert differences(place) == []


async def test_many_take_the_steps_at_once(empty_url: str) -> None:
    """Migrations of several processes keep out of each other's way."""
    place = find_place(empty_url)
    migrate = migrating._migrate  # pyright: ignore[reportPrivateUsage]
    await asyncio.gather(*(asyncio.to_thread(migrate, place) for _ in range(4)))
    assert command(place, "SELECT count(*) FROM alembic_version") == 1
    assert differences(place) == []


def test_database_of_a_newer_program(url: str) -> None:
    """A database that a newer program has migrated is refused in words and left alone."""
    place = find_place(url)
    migrating.bring_up_to_date(place)
    command(place, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailableError, match=r"newer version .* at step 9999"):
        open_database(url)
    assert migrating.step_of(place) == "9999"


def test_failed_step_changes_nothing(old_url: str) -> None:
    """When a step fails the database is as it was, and can be migrated when the cause is gone."""
    place = find_place(old_url)
    command(place, "CREATE TABLE room_events (somebody_elses INTEGER)")
    with pytest.raises(StoreRefusedError, match="already exists"):
        open_database(old_url)
    assert migrating.step_of(place) == "unversioned"
    assert differences(place) != []
    assert command(place, "SELECT count(*) FROM pragma_table_info('calls')") == 18
    command(place, "DROP TABLE room_events")
    assert migrating.bring_up_to_date(place) == "unversioned"
    assert differences(place) == []


def test_alembic_is_loaded_for_migrations_only(sqlite_url: str) -> None:
    """To open a new database, or one that is up to date, loads no Alembic and no PostgreSQL."""
    program = (
        "import sys; from fastagi_server.store.migrating import bring_up_to_date;"
        " from fastagi_server.store.database import find_place;"
        f" place = find_place({sqlite_url!r}); bring_up_to_date(place); bring_up_to_date(place);"
        " print({'alembic', 'mako', 'psycopg'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "set()\n"


def test_rows_without_the_new_columns(old_url: str) -> None:
    """A column that came later is empty in the rows there were, and reads as None."""
    place = find_place(old_url)
    migrating.bring_up_to_date(place)
    connection = place.connect()
    assert _qualities(connection) == [[None], [None]]
    connection.close()


def _qualities(connection: Connection) -> list[list[object]]:
    return connection.rows(schema.calls.select().with_only_columns(schema.calls.c.quality), {})
