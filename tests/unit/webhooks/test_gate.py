"""The gate before a target."""

import asyncio

import pytest

from fastagi_server.webhooks.gate import FAILURES, Gate, back_off_seconds


class Stage:
    """A gate whose pauses are remembered and last no time."""

    def __init__(self) -> None:
        self.changes: list[bool] = []
        self.pauses: list[float] = []
        self.attempts = 0
        self.gate = Gate(
            on_change=self.changes.append, uniform=lambda _low, high: high, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def attempt(self) -> None:
        """One attempt, of which the test reports."""
        self.attempts += 1


@pytest.fixture
def stage() -> Stage:
    """A gate that is open."""
    return Stage()


async def test_it_shuts_after_failures_in_a_row(stage: Stage) -> None:
    """A success in between begins the count anew."""
    for _ in range(FAILURES - 1):
        stage.gate.failed()
    stage.gate.succeeded()
    for _ in range(FAILURES - 1):
        stage.gate.failed()
    assert not stage.gate.is_shut
    stage.gate.failed()
    assert stage.gate.is_shut
    stage.gate.failed()
    stage.gate.succeeded()
    assert stage.changes == [True, False]


async def test_pauses_grow_while_it_is_shut(stage: Stage) -> None:
    """An open gate costs no pause; a shut one a longer one for each further failure, to a limit."""
    await stage.gate.through(stage.attempt)
    assert stage.pauses == []
    for _ in range(FAILURES):
        stage.gate.failed()
    for _ in range(8):
        await stage.gate.through(stage.attempt)
        stage.gate.failed()
    assert stage.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert stage.attempts == 9


async def test_one_at_a_time_passes_a_shut_gate() -> None:
    """While one finds out how the target is the others wait, and go on once it is well."""
    shut = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await shut.wait()

    gate = Gate(sleep=sleep)
    for _ in range(FAILURES):
        gate.failed()
    passed: list[int] = []

    async def pass_through(number: int) -> None:
        async def attempt() -> None:
            passed.append(number)
            gate.succeeded()

        await gate.through(attempt)

    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(pass_through(number))
        await asyncio.sleep(0)
        assert passed == []
        shut.set()
    assert passed == [0, 1, 2]


async def test_a_target_that_asks_is_left_alone(stage: Stage) -> None:
    """What the target asks for counts from its first answer on, and is waited for in full."""
    stage.gate.failed(120.0)
    assert stage.gate.is_shut
    await stage.gate.through(stage.attempt)
    assert stage.pauses == [120.0]
    stage.gate.succeeded()
    assert not stage.gate.is_shut


def test_back_off_has_full_jitter() -> None:
    """A pause is drawn from zero to a bound that doubles up to a minute."""
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return low

    assert [back_off_seconds(failures, uniform) for failures in (1, 2, 7, 10_000)] == [0.0] * 4
    assert bounds == [(0.0, 1.0), (0.0, 2.0), (0.0, 60.0), (0.0, 60.0)]
