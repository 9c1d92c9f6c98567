"""Threads with a connection each."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from fastagi_server.store import lanes as module
from fastagi_server.store.connection import Connection
from fastagi_server.store.errors import StoreBusyError, StoreError, StoreUnavailableError
from fastagi_server.store.lanes import Lanes


class _Line(Connection):
    """A connection to nothing: `wait` blocks until it is answered or interrupted."""

    _failure = OSError

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_alive = True
        self.is_closed = False
        self._interrupted = threading.Event()

    @property
    def is_usable(self) -> bool:
        return self.is_alive

    def hold(self, name: str) -> None:
        """Nobody else is there."""

    def interrupt(self) -> None:
        self.is_alive = False
        self._interrupted.set()

    def close(self) -> None:
        self.is_closed = True

    def wait(self) -> None:
        """Block as a server does that says no more."""
        assert self._interrupted.wait(30)
        raise StoreUnavailableError("the connection was cut")

    def _explain(self, error: object) -> StoreError:
        return StoreError(str(error))


class _Exchange:
    """Makes connections, and counts them; `fault` is raised instead while it is set."""

    def __init__(self) -> None:
        self.made: list[_Line] = []
        self.attempts = 0
        self.fault: StoreError | None = None

    def connect(self) -> _Line:
        """Make the next connection."""
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        self.made.append(_Line(len(self.made)))
        return self.made[-1]


class _Gate:
    """Holds a lane until it is opened, and says when it got there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self._opened = threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._opened.wait(30)

    def open(self) -> None:
        """Let the lane go on."""
        self._opened.set()


def number_of(connection: Connection) -> int:
    """A unit of work: which connection it runs on."""
    assert isinstance(connection, _Line)
    return connection.number


def block(connection: Connection) -> None:
    """A unit of work that ends only by interruption."""
    assert isinstance(connection, _Line)
    connection.wait()


@pytest.fixture
def exchange() -> _Exchange:
    """Where connections come from."""
    return _Exchange()


Open = Callable[..., Lanes]


@pytest.fixture
async def open_lanes(exchange: _Exchange) -> AsyncIterator[Open]:
    """Makes lanes that are closed at the end."""
    opened: list[Lanes] = []

    def open_them(lanes: int = 1, *, max_waiting: int = 100, deadline: float = 10.0) -> Lanes:
        made = Lanes(
            exchange.connect,
            lanes=lanes,
            max_waiting=max_waiting,
            deadline=deadline,
            name="test",
        )
        opened.append(made)
        return made

    yield open_them
    for lanes in opened:
        await lanes.close()


async def test_result_and_error_of_the_work(open_lanes: Open) -> None:
    """What the work returns or raises comes back."""
    lanes = open_lanes()

    def fail(_connection: Connection) -> None:
        raise KeyError("mine")

    assert await lanes.run(number_of) == 0
    with pytest.raises(KeyError, match="mine"):
        await lanes.run(fail)
    assert await lanes.run(number_of) == 0


async def test_work_at_the_same_time(open_lanes: Open, exchange: _Exchange) -> None:
    """As much work runs at once as there are lanes, each on a connection of its own."""
    lanes = open_lanes(3)
    meeting = threading.Barrier(3)

    def meet(connection: Connection) -> int:
        meeting.wait(30)
        return number_of(connection)

    numbers = await asyncio.gather(*(lanes.run(meet) for _ in range(3)))
    assert sorted(numbers) == [0, 1, 2]
    await asyncio.gather(*(lanes.run(number_of) for _ in range(50)))
    assert len(exchange.made) == 3


async def test_nothing_is_connected_before_it_is_needed(
    open_lanes: Open, exchange: _Exchange
) -> None:
    """Lanes that have no work have no connections."""
    lanes = open_lanes(3)
    assert exchange.attempts == 0
    await lanes.run(number_of)
    assert exchange.attempts == 1


async def test_dead_connection_is_replaced(open_lanes: Open, exchange: _Exchange) -> None:
    """A connection that died unused is closed, and the work runs on a new one."""
    lanes = open_lanes()
    await lanes.run(number_of)
    exchange.made[0].is_alive = False
    assert await lanes.run(number_of) == 1
    assert exchange.made[0].is_closed


async def test_deadline_of_running_work(open_lanes: Open, exchange: _Exchange) -> None:
    """Work that does not end is interrupted at its deadline, and the lane goes on."""
    lanes = open_lanes(deadline=0.01)
    with pytest.raises(StoreBusyError, match="did not answer in time"):
        await lanes.run(block)
    assert not exchange.made[0].is_alive
    await lanes.close()
    assert exchange.made[0].is_closed


async def test_deadline_of_waiting_work(open_lanes: Open) -> None:
    """Work that could not begin before its deadline is never begun."""
    lanes = open_lanes()
    gate = _Gate()
    begun: list[int] = []
    first = asyncio.create_task(lanes.run(gate))
    await gate.reached.wait()
    lanes._deadline = 0.01  # pyright: ignore[reportPrivateUsage]  # too short for the gate
    with pytest.raises(StoreBusyError, match="did not answer in time"):
        await lanes.run(lambda _connection: begun.append(1))
    lanes._deadline = 10.0  # pyright: ignore[reportPrivateUsage]
    gate.open()
    await first
    await lanes.close()
    assert begun == []


async def test_interruption_that_is_lost(
    open_lanes: Open, exchange: _Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that did not notice its interruption is interrupted again."""
    monkeypatch.setattr(module, "INTERRUPT_SECONDS", 0.001)
    lanes = open_lanes(deadline=0.01)
    interrupt = _Line.interrupt
    times: list[int] = []

    def miss_twice(line: _Line) -> None:
        times.append(1)
        if len(times) == 3:
            interrupt(line)

    monkeypatch.setattr(_Line, "interrupt", miss_twice)
    with pytest.raises(StoreBusyError):
        await lanes.run(block)
    lanes._deadline = 10.0  # pyright: ignore[reportPrivateUsage]
    assert await lanes.run(number_of) == 1


async def test_late_work_is_not_begun() -> None:
    """Work that was given up while its connection was made does not run on it."""
    begun: list[int] = []
    job = module._Job(lambda _connection: begun.append(1))  # pyright: ignore[reportPrivateUsage]
    job.give_up()
    job.do(_Line(0))
    assert begun == []
    assert not job.answer.done()


async def test_done_work_is_not_interrupted() -> None:
    """A connection whose work is done is left alone."""
    line = _Line(0)
    job = module._Job(number_of)  # pyright: ignore[reportPrivateUsage]
    job.do(line)
    job.give_up()
    assert line.is_alive
    assert job.answer.result() == 0


async def test_server_that_is_away(
    open_lanes: Open, exchange: _Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed attempt work is refused at once for a while, and then tried again."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 1000.0)
    lanes = open_lanes()
    exchange.fault = StoreUnavailableError("connection refused")
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="connection refused"):
            await lanes.run(number_of)
    assert exchange.attempts == 1
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    lanes._outage = None  # pyright: ignore[reportPrivateUsage]  # the time has passed
    with pytest.raises(StoreUnavailableError):
        await lanes.run(number_of)
    exchange.fault = None
    assert await lanes.run(number_of) == 0
    assert exchange.attempts == 3


async def test_too_many_wait(open_lanes: Open) -> None:
    """Work beyond the limit is refused at once."""
    lanes = open_lanes(max_waiting=1)
    gate = _Gate()
    first = asyncio.create_task(lanes.run(gate))
    await gate.reached.wait()
    second = asyncio.create_task(lanes.run(number_of))
    await asyncio.sleep(0)
    with pytest.raises(StoreBusyError, match="too many requests wait"):
        await lanes.run(number_of)
    gate.open()
    await asyncio.gather(first, second)


async def test_cut_off_request_leaves_whole_changes(open_lanes: Open) -> None:
    """Work that has begun is finished although nobody waits for it any more."""
    lanes = open_lanes()
    gate = _Gate()
    finished: list[int] = []

    def work(connection: Connection) -> None:
        gate(connection)
        finished.append(1)

    request = asyncio.create_task(lanes.run(work))
    await gate.reached.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    gate.open()
    await lanes.run(number_of)
    assert finished == [1]


async def test_close(open_lanes: Open, exchange: _Exchange) -> None:
    """Closing finishes what waits, closes the connections, and may be repeated."""
    lanes = open_lanes(2)
    waiting = [asyncio.create_task(lanes.run(number_of)) for _ in range(10)]
    await asyncio.sleep(0)
    await lanes.close()
    await lanes.close()
    assert len(await asyncio.gather(*waiting)) == 10
    assert all(line.is_closed for line in exchange.made)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await lanes.run(number_of)


async def test_work_that_was_done_is_no_failure(open_lanes: Open) -> None:
    """Where the event loop is so busy that it sees deadline and answer at once, this counts."""
    lanes = open_lanes(deadline=0.1)
    done = threading.Event()
    first = asyncio.create_task(lanes.run(number_of))
    second = asyncio.create_task(lanes.run(lambda _connection: done.set()))
    await asyncio.sleep(0)
    assert done.wait(30)
    threading.Event().wait(0.2)
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert results[0] == 0
