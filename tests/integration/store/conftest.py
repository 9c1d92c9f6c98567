"""Every promise of the store is held on both databases: a SQLite file and a real PostgreSQL."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fastagi_server.store.database import find_place
from fastagi_server.store.migrating import bring_up_to_date
from fastagi_server.store.opening import Store, open_store
from lab.postgres import Postgres, why_not


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for all tests; without one skip, saying why, and on CI fail."""
    reason = why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with Postgres.start() as running:
        yield running


@pytest.fixture(scope="session")
def with_tables(postgres: Postgres) -> str:
    """The name of a database that has the tables and nothing in them, to be copied."""
    name = postgres.create_database()
    bring_up_to_date(find_place(postgres.url(name)))
    return name


@pytest.fixture
def postgres_url(postgres: Postgres, with_tables: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with empty tables."""
    name = postgres.create_database(with_tables)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'calls.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with empty tables, of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store, on each kind of database in turn."""
    async with open_store(url) as store:
        yield store
