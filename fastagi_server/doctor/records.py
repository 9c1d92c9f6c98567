"""What is kept on disk or in PostgreSQL: the store, its tables' step, and the outbox."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from fastagi_server.doctor.case import SECONDS, Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.outbox import ledger
from fastagi_server.outbox.ledger import Statistics
from fastagi_server.settings import Settings

UPGRADE = "fastagi-server store upgrade"
OLD_SECONDS = 600.0
"""Age of the oldest registration in the outbox at which somebody should look."""

STORE_SECONDS = 6.0
"""Longer than a lock is waited for, and than PostgreSQL is given to let us in."""


async def look(case: Case) -> Findings:
    """The store, then the outbox."""
    yield await _store(case.settings)
    yield await _outbox(case.settings.fastagi_state_dir / "outbox.sqlite3")


async def _store(settings: Settings) -> Finding:
    from fastagi_server.store.errors import StoreBusyError, StoreError  # noqa: PLC0415 - SQLAlchemy

    if not settings.embedded:
        return ok("store", "the remote SGE API keeps the records")
    try:
        async with asyncio.timeout(STORE_SECONDS):
            return await asyncio.to_thread(_examine, settings)
    except TimeoutError:
        return fail("store", f"no answer in {STORE_SECONDS:g} s", "see FASTAGI_DATABASE_URL")
    except StoreBusyError as error:
        return fail("store", f"locked, or busy: {error}", "fuser -v FILE, or pg_stat_activity")
    except StoreError as error:
        return fail("store", str(error), "see FASTAGI_DATABASE_URL and df -h")


def _examine(settings: Settings) -> Finding:
    from fastagi_server.store.database import find_place  # noqa: PLC0415 - SQLAlchemy
    from fastagi_server.store.migrating import HEAD, NOTHING, UNVERSIONED, step_of  # noqa: PLC0415
    from fastagi_server.store.sqlite import SqliteFile  # noqa: PLC0415

    place = find_place(settings.database_url)
    if isinstance(place, SqliteFile) and not place.path.exists():
        return warn("store", f"{place.path} is not there yet; the service makes it", UPGRADE)
    step = step_of(place)
    if step == NOTHING:
        return warn("store", "has no tables yet; the service makes them", UPGRADE)
    if step.isdigit() and step > HEAD:
        why = f"its tables are at step {step}, and this version knows {HEAD}"
        return fail("store", why, "install the version that made them")
    with closing(place.connect()) as connection:
        is_sqlite = isinstance(place, SqliteFile)
        connection.command("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
        connection.command("ROLLBACK")
        if not is_sqlite and connection.command("SELECT pg_is_in_recovery()"):
            return fail("store", "this PostgreSQL is a standby: nothing can be written", "psql")
    if step == UNVERSIONED or step != HEAD:
        return warn("store", f"its tables are at step {step}, not {HEAD}", UPGRADE)
    return ok("store", f"can be written; its tables are at step {HEAD}")


async def _outbox(path: Path) -> Finding:
    if not await asyncio.to_thread(path.exists):
        return ok("outbox", "nothing has waited yet")
    try:
        async with asyncio.timeout(SECONDS):
            statistics = await asyncio.to_thread(_count, path)
    except TimeoutError:
        return fail("outbox", f"{path} does not answer", "df -h; fuser -v " + str(path))
    except sqlite3.Error as error:
        return fail("outbox", f"{path} cannot be read: {error}", f"ls -l {path}")
    if statistics.dead:
        why = f"{statistics.dead} registrations were given up"
        return warn("outbox", why, "fastagi-server outbox list")
    if statistics.pending and statistics.oldest_seconds > OLD_SECONDS:
        why = f"{statistics.pending} wait, the oldest for {statistics.oldest_seconds / 60:.0f} min"
        return warn("outbox", why, "fastagi-server outbox list --pending")
    return ok("outbox", f"{statistics.pending} wait")


def _count(path: Path) -> Statistics:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return ledger.statistics(connection, time.time())
