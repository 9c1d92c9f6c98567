"""Statements of SQLAlchemy on a connection of the driver."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.schema import CreateTable

from fastagi_server.store.connection import MAX_MADE, MAX_PREPARED, Connection
from fastagi_server.store.errors import StoreRefusedError, StoreUnavailableError
from fastagi_server.store.schema import Json, Moment
from fastagi_server.store.sqlite import SqliteConnection

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(10)),
    Column("at", Moment),
    Column("facts", Json),
    Column("is_good", Boolean),
)
THING = select(things).where(things.c.id == bindparam("sought"))
ALL = select(things.c.id, things.c.name).order_by(things.c.id).limit(bindparam("limit"))
ADD = insert(things)
RENAME = update(things).where(things.c.id == bindparam("sought")).values(name=bindparam("new_name"))
NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection to an empty table."""
    connection = SqliteConnection(sqlite3.connect(":memory:", isolation_level=None))
    connection.define([CreateTable(things)])
    yield connection
    connection.close()


def thing(number: int) -> dict[str, object]:
    """The values of a row."""
    return {"id": number, "name": "Zoë", "at": NOON, "facts": {"a": [1, None]}, "is_good": True}


def test_values_survive(connection: Connection) -> None:
    """Values are encoded and decoded by their types, None included."""
    nothing = {"id": 2, "name": None, "at": None, "facts": None, "is_good": None}
    assert connection.run(ADD, thing(1), nothing) == 2
    assert connection.row(THING, {"sought": 1}) == [1, "Zoë", NOON, {"a": [1, None]}, True]
    assert connection.row(THING, {"sought": 2}) == [2, None, None, None, None]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_moments_are_exact(connection: Connection, moment: datetime) -> None:
    """A moment comes back to the microsecond."""
    connection.run(ADD, thing(1) | {"at": moment})
    row = connection.row(THING, {"sought": 1})
    assert row is not None
    assert row[2] == moment
    assert row[2].utcoffset() == timedelta(0)


def test_no_row(connection: Connection) -> None:
    """What is not there is None, or an empty list."""
    assert connection.row(THING, {"sought": 1}) is None
    assert connection.rows(ALL, {"limit": 5}) == []


def test_limit(connection: Connection) -> None:
    """A parameter that the statement brings itself is filled in."""
    connection.run(ADD, thing(1), thing(2), thing(3))
    assert connection.rows(ALL, {"limit": 2}) == [[1, "Zoë"], [2, "Zoë"]]


def test_number_of_changed_rows(connection: Connection) -> None:
    """Changes and deletions tell how many rows they met."""
    connection.run(ADD, thing(1), thing(2))
    rename = update(things).where(things.c.id == bindparam("sought")).values(is_good=False)
    assert connection.run(rename, {"sought": 1}) == 1
    assert connection.run(rename, {"sought": 9}) == 0
    assert connection.run(rename) == 0
    assert connection.run(delete(things).where(things.c.id < bindparam("end")), {"end": 9}) == 2


def test_command(connection: Connection) -> None:
    """A command gives its first value, or None."""
    assert connection.command("SELECT 7") == 7
    assert connection.command("BEGIN") is None
    assert connection.command("ROLLBACK") is None


def test_refused_statements(connection: Connection) -> None:
    """What the database refuses is an error of the store, and repeats no values."""
    connection.run(ADD, thing(1))
    with pytest.raises(StoreRefusedError, match="UNIQUE constraint failed") as refusal:
        connection.run(ADD, thing(1))
    assert "Zoë" not in str(refusal.value)
    with pytest.raises(StoreRefusedError, match="no such table"):
        connection.command("SELECT 1 FROM missing")


def test_compiled_statements_are_bounded(connection: Connection) -> None:
    """However many statements are composed, a limited number of them is kept compiled."""
    for number in range(2 * MAX_PREPARED):
        assert connection.rows(ALL.where(things.c.id == number), {"limit": 1}) == []
    assert len(connection._prepared) <= MAX_PREPARED  # pyright: ignore[reportPrivateUsage]


class Named:
    """What is made of a row of ALL; every one is another."""

    def __init__(self, columns: list[object]) -> None:
        self.columns = columns


def test_a_row_that_did_not_change_is_made_once(connection: Connection) -> None:
    """The value of an earlier look is given again; that of a changed row is a new one."""
    connection.run(ADD, thing(1), thing(2))
    before = connection.objects(ALL, {"limit": 5}, Named)
    assert connection.run(RENAME, {"sought": 1, "new_name": "Bo"}) == 1
    after = connection.objects(ALL, {"limit": 5}, Named)
    assert [each.columns for each in before] == [[1, "Zoë"], [2, "Zoë"]]
    assert [each.columns for each in after] == [[1, "Bo"], [2, "Zoë"]]
    assert after[0] is not before[0]
    assert after[1] is before[1]


def test_what_was_once_is_made_again_as_it_was(connection: Connection) -> None:
    """A row that is changed back is what it was; one that is gone is not given."""
    connection.run(ADD, thing(1), thing(2))
    for name in ("Bo", "Zoë"):
        connection.run(RENAME, {"sought": 1, "new_name": name})
        found = connection.objects(ALL, {"limit": 5}, Named)
        assert [each.columns for each in found] == [[1, name], [2, "Zoë"]]
    connection.run(delete(things).where(things.c.id == bindparam("sought")), {"sought": 1})
    assert [each.columns for each in connection.objects(ALL, {"limit": 5}, Named)] == [[2, "Zoë"]]


def test_each_way_of_making_has_its_own_values(connection: Connection) -> None:
    """The same row is one thing to one reader and another to the next."""
    connection.run(ADD, thing(1))
    assert connection.objects(ALL, {"limit": 5}, tuple) == [(1, "Zoë")]
    assert connection.objects(ALL, {"limit": 5}, len) == [2]
    assert connection.objects(ALL, {"limit": 5}, tuple) == [(1, "Zoë")]


def test_made_values_are_bounded(connection: Connection) -> None:
    """Many rows are read in parts or at once; a limited number of their values is kept."""
    connection.run(ADD, *map(thing, range(2 * MAX_MADE)))
    page = ALL.where(things.c.id >= bindparam("first"))
    for first in range(0, 2 * MAX_MADE, 300):
        found = connection.objects(page, {"first": first, "limit": 300}, Named)
        assert found[0].columns == [first, "Zoë"]
    kept = connection._made  # pyright: ignore[reportPrivateUsage]
    assert len(kept) <= MAX_MADE
    kept.clear()
    assert len(connection.objects(ALL, {"limit": 2 * MAX_MADE}, Named)) == 2 * MAX_MADE
    assert not kept


def test_closed_connection(connection: Connection) -> None:
    """A closed connection is of no use, and may be closed again."""
    connection.close()
    connection.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        connection.rows(ALL, {"limit": 1})
