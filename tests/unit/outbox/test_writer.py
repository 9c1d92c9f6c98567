"""The thread of the outbox: durable, in order, and honest about what failed."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from fastagi_server.outbox.database import open_database
from fastagi_server.outbox.errors import OutboxWriteError
from fastagi_server.outbox.writer import Writer


@asynccontextmanager
async def opened(path: Path, max_waiting: int = 1000) -> AsyncGenerator[Writer]:
    """A writer for the file `path`."""
    writer = Writer(open_database(path), max_waiting=max_waiting)
    try:
        yield writer
    finally:
        await writer.aclose()


def remember(connection: sqlite3.Connection, call: str) -> int:
    """Write a row; how many there are now."""
    connection.execute("INSERT INTO registered_calls VALUES (?, 'c', 0.0)", (call,))
    return len(connection.execute("SELECT 1 FROM registered_calls").fetchall())


def remember_in_vain(connection: sqlite3.Connection, call: str) -> None:
    """Write a row and then fail."""
    remember(connection, call)
    raise LookupError(call)


class Gate:
    """A job that holds up the thread until it is opened."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()

    def work(self, _: sqlite3.Connection) -> bool:
        """The job."""
        self._entered.set()
        return self._open.wait(10)

    async def entered(self) -> None:
        """Wait until the thread stands before the gate."""
        await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        """Let it pass."""
        self._open.set()


def rows(path: Path) -> list[str]:
    """What another process sees."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT call FROM registered_calls")]
    finally:
        connection.close()


async def test_result_means_committed(tmp_path: Path) -> None:
    """When a result is there, other processes see the change."""
    async with opened(tmp_path / "outbox.db") as writer:
        assert await writer.submit(lambda db: remember(db, "a")) == 1
        assert rows(tmp_path / "outbox.db") == ["a"]


async def test_jobs_that_wait_share_a_commit(tmp_path: Path) -> None:
    """What gathers behind a slow job is committed together, in the order of submission."""
    statements: list[str] = []
    gate = Gate()
    async with opened(tmp_path / "outbox.db") as writer:
        await writer.submit(lambda db: db.set_trace_callback(statements.append))
        slow = writer.submit(gate.work)
        await gate.entered()
        others = [writer.submit(partial(remember, call=f"{n:03}")) for n in range(100)]
        gate.open()
        assert await asyncio.gather(*others) == list(range(1, 101))
        assert await slow
    assert statements.count("COMMIT") == 3


async def test_failing_job_is_undone_alone(tmp_path: Path) -> None:
    """An exception goes to its submitter and undoes only what his job did."""
    gate = Gate()
    async with opened(tmp_path / "outbox.db") as writer:
        slow = writer.submit(gate.work)
        await gate.entered()
        before = writer.submit(lambda db: remember(db, "a"))
        failing = writer.submit(lambda db: remember_in_vain(db, "b"))
        after = writer.submit(lambda db: remember(db, "c"))
        gate.open()
        with pytest.raises(LookupError):
            await failing
        assert (await slow, await before, await after) == (True, 1, 2)
    assert rows(tmp_path / "outbox.db") == ["a", "c"]


async def test_error_of_the_database_fails_the_batch(tmp_path: Path) -> None:
    """When SQLite fails nothing of the batch counts, and the next batch works."""
    gate = Gate()
    async with opened(tmp_path / "outbox.db") as writer:
        slow = writer.submit(gate.work)
        await gate.entered()
        first = writer.submit(lambda db: remember(db, "a"))
        second = writer.submit(lambda db: remember(db, "a"))
        gate.open()
        assert await slow
        for result in (first, second):
            with pytest.raises(OutboxWriteError, match="UNIQUE"):
                await result
        assert await writer.submit(lambda db: remember(db, "a")) == 1


async def test_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    """A disk without room fails appends in words; with room again they work."""
    async with opened(tmp_path / "outbox.db") as writer:
        await writer.submit(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
        with pytest.raises(OutboxWriteError, match="disk is full"):
            await writer.submit(lambda db: remember(db, "x" * 100_000))
        await writer.submit(lambda db: db.execute("PRAGMA max_page_count = 10000").fetchall())
        assert await writer.submit(lambda db: remember(db, "a")) == 1


async def test_read_only_file_is_said(tmp_path: Path) -> None:
    """A file that may not be written fails appends in words."""
    async with opened(tmp_path / "outbox.db") as writer:
        await writer.submit(lambda db: db.execute("PRAGMA query_only = 1").fetchall())
        with pytest.raises(OutboxWriteError, match="read-only"):
            await writer.submit(lambda db: remember(db, "a"))


async def test_waiting_jobs_are_limited(tmp_path: Path) -> None:
    """A disk that hangs does not fill the memory."""
    gate = Gate()
    async with opened(tmp_path / "outbox.db", max_waiting=2) as writer:
        slow = [writer.submit(gate.work) for _ in range(2)]
        with pytest.raises(OutboxWriteError, match="too much waits"):
            writer.submit(lambda db: remember(db, "a"))
        gate.open()
        await asyncio.gather(*slow)
        assert await writer.submit(lambda db: remember(db, "a")) == 1


async def test_cancelled_submitter_does_not_undo(tmp_path: Path) -> None:
    """What was submitted is done even if nobody waits for it any more."""
    gate = Gate()
    async with opened(tmp_path / "outbox.db") as writer:
        slow = writer.submit(gate.work)
        await gate.entered()
        abandoned = writer.submit(lambda db: remember(db, "a"))
        abandoned.cancel()
        gate.open()
        await slow
    assert rows(tmp_path / "outbox.db") == ["a"]


async def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    """Nothing submitted before the end is lost, and nothing is taken afterwards."""
    async with opened(tmp_path / "outbox.db") as writer:
        result = writer.submit(lambda db: remember(db, "a"))
    assert await result == 1
    assert rows(tmp_path / "outbox.db") == ["a"]
    with pytest.raises(OutboxWriteError, match="closed"):
        writer.submit(lambda db: remember(db, "b"))
    await writer.aclose()


async def test_large_crowds_are_committed_in_several_batches(tmp_path: Path) -> None:
    """One commit takes a limited number of jobs, so that the first need not wait for the last."""
    statements: list[str] = []
    gate = Gate()
    async with opened(tmp_path / "outbox.db") as writer:
        await writer.submit(lambda db: db.set_trace_callback(statements.append))
        slow = writer.submit(gate.work)
        await gate.entered()
        others = [writer.submit(partial(remember, call=f"{n:03}")) for n in range(300)]
        gate.open()
        await asyncio.gather(slow, *others)
    assert statements.count("COMMIT") == 4
