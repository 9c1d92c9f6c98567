"""The thread that makes all changes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from fastagi_server.store.errors import StoreBusyError, StoreUnavailableError
from fastagi_server.store.writer import MAX_BATCH, Writer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with one table of unique numbers."""
    engine = create_engine(f"sqlite:///{tmp_path / 'writer.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    event.listen(engine, "connect", _manual_transactions)
    event.listen(engine, "begin", _begin)
    engine.dispose()
    yield engine
    engine.dispose()


@pytest.fixture
async def writer(engine: Engine) -> AsyncIterator[Writer]:
    """A writer on that database."""
    writer = Writer(engine, max_waiting=200, deadline=10.0)
    yield writer
    await writer.close()


def _manual_transactions(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def add(number: int) -> Callable[[Connection], int]:
    """A unit of work that adds a number and returns it."""

    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return number

    return work


def numbers(engine: Engine) -> list[int]:
    """What was committed."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT number FROM numbers ORDER BY 1")).scalars())


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


async def test_result_of_the_work(writer: Writer, engine: Engine) -> None:
    """The work's result comes back once the change is committed."""
    assert await writer.run(add(7)) == 7
    assert numbers(engine) == [7]


async def test_failed_work_changes_nothing(writer: Writer, engine: Engine) -> None:
    """What the work raises comes back, and what it did is undone."""

    def work(connection: Connection) -> None:
        add(1)(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await writer.run(work)
    assert numbers(engine) == []


async def test_waiting_work_shares_a_commit(writer: Writer, engine: Engine) -> None:
    """What arrives during one transaction is committed together, failures taken out."""
    commits: list[Connection] = []
    event.listen(engine, "commit", commits.append)
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(add(number))) for number in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    gate.open()
    results: list[object] = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert results[:3] == [None, 1, 2]
    assert isinstance(results[3], StoreUnavailableError)
    assert isinstance(results[3].__cause__, IntegrityError)
    assert results[4] == 3
    assert numbers(engine) == [1, 2, 3]
    assert len(commits) == 2


async def test_batches_are_bounded(writer: Writer, engine: Engine) -> None:
    """However much waits, one transaction holds a limited part of it."""
    commits: list[Connection] = []
    event.listen(engine, "commit", commits.append)
    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(add(number))) for number in range(MAX_BATCH + 1)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *waiting)
    assert len(commits) == 3


async def test_too_many_wait(engine: Engine) -> None:
    """Work beyond the limit is refused at once and not done."""
    writer = Writer(engine, max_waiting=1, deadline=10.0)
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
    assert numbers(engine) == [1]


async def test_deadline_of_waiting_work(writer: Writer, engine: Engine) -> None:
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
    assert numbers(engine) == []


async def test_cut_off_request_leaves_whole_changes(writer: Writer, engine: Engine) -> None:
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
    assert numbers(engine) == [1, 2, 3]


async def test_lost_transaction_fails_everybody(writer: Writer, engine: Engine) -> None:
    """When the database gives up a transaction, all who were in it are told."""

    def fail(_connection: Connection) -> None:
        raise OperationalError("", {}, RuntimeError("disk"))

    gate = _Gate()
    first = asyncio.create_task(writer.run(gate))
    await gate.reached.wait()
    waiting = [asyncio.create_task(writer.run(work)) for work in (add(1), fail, add(2))]
    await asyncio.sleep(0)
    gate.open()
    results: list[object] = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(result) for result in results[1:]] == [StoreUnavailableError] * 3
    assert numbers(engine) == []


async def test_locked_database(tmp_path: Path, writer: Writer, engine: Engine) -> None:
    """When another process holds the lock for too long, the change is refused, and the next not."""
    blocker = create_engine(f"sqlite:///{tmp_path / 'writer.db'}")
    event.listen(blocker, "connect", _manual_transactions)
    event.listen(engine, "connect", _no_patience)
    with blocker.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="SQLITE_BUSY"):
            await writer.run(add(1))
        connection.exec_driver_sql("ROLLBACK")
    blocker.dispose()
    assert await writer.run(add(2)) == 2


def _no_patience(connection: object, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout = 0")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


async def test_close_finishes_what_waits(writer: Writer, engine: Engine) -> None:
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
    assert numbers(engine) == [1]


async def test_closed_writer(writer: Writer) -> None:
    """A closed writer refuses work, and may be closed again."""
    await writer.close()
    await writer.close()
    assert not writer.is_running
    with pytest.raises(StoreUnavailableError, match="closed"):
        await writer.run(add(1))
