"""Present values: asked for when they are shown, never waited for, never shown when unknown."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from fastagi_server.telemetry import collecting
from fastagi_server.telemetry.collecting import Collectors
from fastagi_server.telemetry.kinds import Gauge


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Asterisk:
    """Brings a number of channels, after `hold` is set; or fails."""

    def __init__(self, gauge: Gauge) -> None:
        self.gauge = gauge
        self.asked = 0
        self.failure: Exception | None = None
        self.hold = asyncio.Event()
        self.hold.set()

    async def collect(self) -> None:
        """Count."""
        self.asked += 1
        await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        self.gauge.set(self.asked)


@pytest.fixture
def up() -> Gauge:
    """Which collectors brought their values."""
    return Gauge()


@pytest.fixture
def clock() -> Clock:
    """The time of the collectors."""
    return Clock()


@pytest.fixture
async def collectors(up: Gauge, clock: Clock) -> AsyncGenerator[Collectors]:
    """Collectors, closed at the end."""
    made = Collectors(up, clock)
    yield made
    await made.close()


@pytest.fixture
def asterisk(collectors: Collectors) -> Asterisk:
    """A collector of theirs."""
    gauge = Gauge()
    made = Asterisk(gauge)
    collectors.add("asterisk", (gauge,), made.collect)
    return made


async def test_values_are_there(collectors: Collectors, asterisk: Asterisk, up: Gauge) -> None:
    """Who asks has the values when the asking returns."""
    await collectors.refresh()
    assert asterisk.gauge.values == {(): 1}
    assert up.values == {("asterisk",): 1}


async def test_fresh_values_are_kept(
    collectors: Collectors, asterisk: Asterisk, clock: Clock
) -> None:
    """Within a second nobody is asked again."""
    await collectors.refresh()
    clock.now += 0.9
    await collectors.refresh()
    assert asterisk.asked == 1
    clock.now += 0.1
    await collectors.refresh()
    assert asterisk.asked == 2


async def test_failure_takes_the_values_away(
    collectors: Collectors, asterisk: Asterisk, clock: Clock, up: Gauge
) -> None:
    """A collector that fails shows nothing, and that it failed."""
    await collectors.refresh()
    clock.now += 1.0
    asterisk.failure = RuntimeError("no Asterisk")
    await collectors.refresh()
    assert asterisk.gauge.values == {}
    assert up.values == {("asterisk",): 0}


async def test_slow_collector_is_not_waited_for(
    collectors: Collectors,
    asterisk: Asterisk,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The asking returns without the values; they are shown the next time, after one question."""
    monkeypatch.setattr(collecting, "PATIENCE_SECONDS", 0.0)
    asterisk.hold.clear()
    await collectors.refresh()
    clock.now += 10.0
    await collectors.refresh()
    assert asterisk.asked == 1
    assert asterisk.gauge.values == {}
    asterisk.hold.set()
    monkeypatch.setattr(collecting, "PATIENCE_SECONDS", 30.0)
    await collectors.refresh()
    assert asterisk.gauge.values == {(): 1}


async def test_stuck_collector_is_given_up(
    collectors: Collectors, asterisk: Asterisk, up: Gauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never ends has failed at its deadline."""
    monkeypatch.setattr(collecting, "PATIENCE_SECONDS", 30.0)
    monkeypatch.setattr(collecting, "DEADLINE_SECONDS", 0.0)
    asterisk.hold.clear()
    await collectors.refresh()
    assert up.values == {("asterisk",): 0}


async def test_close_ends_what_runs(
    collectors: Collectors, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the close no task is left and nobody is asked."""
    monkeypatch.setattr(collecting, "PATIENCE_SECONDS", 0.0)
    asterisk.hold.clear()
    await collectors.refresh()
    await collectors.close()
    assert [task for task in asyncio.all_tasks() if "collect" in task.get_name()] == []
    await collectors.refresh()
    assert asterisk.asked == 1
