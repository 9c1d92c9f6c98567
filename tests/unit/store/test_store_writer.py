"""The thread that makes all changes."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fastagi_server.store.connection import Connection
from fastagi_server.store.errors import (
    StoreBusyError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from fastagi_server.store.sqlite import SqliteConnection
from fastagi_server.store.writer import MAX_BATCH, Writer


class _Numbers(SqliteConnection):
    """A database with one table of unique numbers, and how often it committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits = 0
        driver = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        super().__init__(driver)
        self.command("PRAGMA journal_mode = WAL")
        self.command("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")

    def command(self, sql: str) -> object:
        self.commits += sql == "COMMIT"
        return super().command(sql)

    def committed(self) -> list[int]:
        """The numbers that another connection sees."""
        other = sqlite3.connect(self.path)
        found = [number for (number,) in other.execute("SELECT number FROM numbers ORDER BY 1")]
        other.close()
        return found


@pytest.fixture
def numbers(tmp_path: Path) -> _Numbers:
    """A database that its writer will close."""
    return _Numbers(tmp_path / "numbers.db")


def _begin(connection: Connection) -> None:
    connection.command("BEGIN IMMEDIATE")


def writer_of(numbers: _Numbers, *, max_waiting: int = 200) -> Writer:
    """A writer on that database."""
    return Writer(numbers, begin=_begin, max_waiting=max_waiting, deadline=10.0)


@pytest.fixture
async def writer(numbers: _Numbers) -> AsyncIterator[Writer]:
    """A writer that is closed at the end."""
    writer = writer_of(numbers)
    yield writer
    await writer.close()


def add(number: int) -> Callable[[Connection], int]:
    """A unit of work that adds a number and returns it."""

    def work(connection: Connection) -> int:
        connection.command(f"INSERT INTO numbers VALUES ({number})")
        return number

    return work


class _Gate:
    """Holds the writer's thread until it is opened, and says when it got there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self._opened = threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._opened.wait(30)

    def open(self) -> None:
        """Let the thread go on."""
        self._opened.set()


async def test_result_of_the_work(writer: Writer, numbers: _Numbers) -> None:
    """The work's result comes back once the change is committed."""
    assert await writer.run(add(7)) == 7
    assert numbers.committed() == [7]


async def test_failed_work_changes_nothing(writer: Writer, numbers: _Numbers) -> None:
    """What the work raises comes back, and what it did is undone."""

    def work(connection: Connection) -> None:
        add(1)(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await writer.run(work)
    assert numbers.committed() == []


async def test_waiting_work_shares_a_commit(writer: Writer, numbers: _Numbers) -> None:
    """What arrives during one transaction is committed together, failures taken out."""
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(add(number))) for number in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    gate.open()
    results: list[object] = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert results[:3] == [None, 1, 2]
    assert isinstance(results[3], StoreRefusedError)
    assert results[4] == 3
    assert numbers.committed() == [1, 2, 3]
    assert numbers.commits == 2


async def test_batches_are_bounded(writer: Writer, numbers: _Numbers) -> None:
    """However much waits, one transaction holds a limited part of it."""
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(add(number))) for number in range(MAX_BATCH + 1)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *waiting)
    assert numbers.commits == 3


async def test_too_many_wait(numbers: _Numbers) -> None:
    """Work beyond the limit is refused at once and not done."""
    writer = writer_of(numbers, max_waiting=1)
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    second = asyncio.create_task(writer.run(add(1)))
    await asyncio.sleep(0)
    with pytest.raises(StoreBusyError, match="too many changes wait"):
        await writer.run(add(2))
    gate.open()
    await asyncio.gather(first, second)
    await writer.close()
    assert numbers.committed() == [1]


async def test_deadline_of_waiting_work(writer: Writer, numbers: _Numbers) -> None:
    """Work that could not begin before its deadline is refused and not done later."""
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    writer._deadline = 0.01  # pyright: ignore[reportPrivateUsage]  # too short for the gate
    with pytest.raises(StoreBusyError, match="did not take the change in time"):
        await writer.run(add(1))
    writer._deadline = 10.0  # pyright: ignore[reportPrivateUsage]
    gate.open()
    await first
    await writer.close()
    assert numbers.committed() == []


async def test_cut_off_request_leaves_whole_changes(writer: Writer, numbers: _Numbers) -> None:
    """Work that has begun is finished although nobody waits for it any more."""
    gate = _Gate()

    def work(connection: Connection) -> None:
        add(1)(connection)
        gate(connection)
        add(2)(connection)

    request = asyncio.create_task(writer.run(work))
    await gate.reached.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    gate.open()
    await writer.run(add(3))
    assert numbers.committed() == [1, 2, 3]


async def test_lost_transaction_fails_everybody(writer: Writer, numbers: _Numbers) -> None:
    """When the database gives up a transaction, all who were in it are told."""

    def fail(_connection: Connection) -> None:
        raise StoreUnavailableError("database or disk is full")

    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(work)) for work in (add(1), fail, add(2))]
    await asyncio.sleep(0)
    gate.open()
    results: list[object] = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(result) for result in results[1:]] == [StoreUnavailableError] * 3
    assert numbers.committed() == []


async def test_locked_database(writer: Writer, numbers: _Numbers) -> None:
    """When another process holds the lock, the change is refused, and the next one is not."""
    blocker = sqlite3.connect(numbers.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="SQLITE_BUSY"):
        await writer.run(add(1))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await writer.run(add(2)) == 2
    assert numbers.committed() == [2]


async def test_change_that_was_made_is_no_failure(
    numbers: _Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the event loop is so busy that it sees deadline and commit at once, this counts."""
    monkeypatch.setattr("fastagi_server.store.writer.MAX_BATCH", 1)
    writer = Writer(numbers, begin=_begin, max_waiting=9, deadline=0.1)
    changes = [asyncio.create_task(writer.run(add(number))) for number in (1, 2)]
    await asyncio.sleep(0)
    too_late = time.monotonic() + 0.2
    # When the second one is there, the first one has been answered.
    while numbers.committed() != [1, 2] or time.monotonic() < too_late:
        threading.Event().wait(0.01)
    first, _ = await asyncio.gather(*changes, return_exceptions=True)
    assert first == 1
    await writer.close()


async def test_failed_commit_fails_everybody(
    writer: Writer, numbers: _Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that a change is durable when its commit failed."""
    command = numbers.command

    def fail(sql: str) -> object:
        if sql == "COMMIT":
            raise StoreUnavailableError("disk I/O error")
        return command(sql)

    monkeypatch.setattr(numbers, "command", fail)
    with pytest.raises(StoreError, match="disk I/O error"):
        await writer.run(add(1))
    monkeypatch.undo()
    assert await writer.run(add(2)) == 2
    assert numbers.committed() == [2]


async def test_close_finishes_what_waits(writer: Writer, numbers: _Numbers) -> None:
    """Closing waits for the work that was given before."""
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    second = asyncio.create_task(writer.run(add(1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, second, closing)
    assert numbers.committed() == [1]


async def test_closed_writer(writer: Writer) -> None:
    """A closed writer refuses work, and may be closed again."""
    await writer.close()
    await writer.close()
    assert not writer.is_running
    with pytest.raises(StoreUnavailableError, match="closed"):
        await writer.run(add(1))
