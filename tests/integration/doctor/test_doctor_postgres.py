"""The doctor on a store in a real PostgreSQL: well, without tables, with a missing database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_case import found, settings_of, told

from fastagi_server.store.database import find_place
from fastagi_server.store.migrating import HEAD, bring_up_to_date
from lab import postgres
from lab.postgres import Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL; where there is none skip, saying why, and on CI fail."""
    reason = postgres.why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with Postgres.start() as running:
        yield running


async def store(folder: Path, url: str) -> tuple[str, str]:
    """Level and reason of what is found of the store."""
    settings = settings_of(folder, fastagi_database_url=url)
    ((level, why),) = told(await found(settings, "store"), "store")
    return level, why


async def test_tables(server: Postgres, tmp_path: Path) -> None:
    """None yet, then those of this version."""
    url = server.url(server.create_database())
    assert await store(tmp_path, url) == ("warn", "has no tables yet; the service makes them")
    bring_up_to_date(find_place(url))
    assert await store(tmp_path, url) == ("ok", f"can be written; its tables are at step {HEAD}")


async def test_no_such_database(server: Postgres, tmp_path: Path) -> None:
    """The server's own words."""
    level, why = await store(tmp_path, server.url("nowhere"))
    assert level == "fail"
    assert "nowhere" in why
