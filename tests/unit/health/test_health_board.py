"""Looking at dependencies: since when, what was wrong, and looks that hang or fail."""

import asyncio
from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from fastagi_server.health.board import HealthBoard, Probe
from fastagi_server.health.states import Condition, State

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that somebody else moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Patient:
    """A dependency that is as the test says."""

    def __init__(self, condition: Condition = Condition()) -> None:  # noqa: B008 - frozen
        self.condition = condition
        self.looks = 0

    async def look(self) -> Condition:
        """Its condition."""
        self.looks += 1
        return self.condition


async def test_state_since_and_last_error() -> None:
    """A state holds since it was first seen, and an error is remembered once it is over."""
    clock, patient = Clock(), Patient()
    board = HealthBoard([Probe("store", patient.look)], now=clock)
    assert board.summary().dependencies == ()
    (found,) = (await board.check()).dependencies
    assert (found.name, found.is_needed, found.state) == ("store", True, State.UP)
    assert (found.since, found.last_error) == (NOON, "")

    clock.forward(10)
    patient.condition = Condition(State.DOWN, "store unavailable", "disk full")
    (found,) = (await board.check()).dependencies
    assert (found.state, found.reason) == (State.DOWN, "store unavailable")
    assert found.last_error == "store unavailable: disk full"
    assert found.since == NOON + timedelta(seconds=10)

    clock.forward(10)
    (found,) = (await board.check()).dependencies
    assert found.since == NOON + timedelta(seconds=10)

    patient.condition = Condition()
    (found,) = (await board.check()).dependencies
    assert (found.state, found.reason) == (State.UP, "")
    assert found.last_error == "store unavailable: disk full"
    assert found.since == NOON + timedelta(seconds=20)


async def test_since_of_who_knows_better() -> None:
    """A link knows since when it stands, though nobody looked then."""
    since = NOON - timedelta(hours=1)
    patient = Patient(Condition(State.DOWN, "lost", since=since))
    board = HealthBoard([Probe("ari", patient.look)], now=Clock())
    (found,) = (await board.check()).dependencies
    assert found.since == since


async def test_a_look_that_hangs() -> None:
    """What does not answer in time is down, and the others are seen all the same."""

    async def hang() -> Condition:
        await asyncio.Event().wait()
        raise AssertionError

    board = HealthBoard([Probe("store", hang), Probe("disk", Patient().look)], look_seconds=0.01)
    store, disk = (await board.check()).dependencies
    assert (store.state, store.reason) == (State.DOWN, "store does not answer")
    assert disk.state is State.UP


async def test_a_look_that_fails() -> None:
    """A fault in looking counts as one of the dependency; its text is told to nobody."""

    async def fail() -> Condition:
        raise KeyError("password=hunter2")

    with capture_logs() as logs:
        (found,) = (await HealthBoard([Probe("outbox", fail)]).check()).dependencies
    assert (found.state, found.last_error) == (State.DOWN, "outbox fails: KeyError")
    assert [line["event"] for line in logs] == ["health_look_failed", "health_changed"]


async def test_those_who_ask_together_share_a_look() -> None:
    """Many probes at once cost one look."""
    patient = Patient()
    board = HealthBoard([Probe("store", patient.look)])
    await asyncio.gather(*(board.check() for _ in range(50)))
    assert patient.looks == 1
    await board.check()
    assert patient.looks == 2


async def test_who_asks_may_go_away() -> None:
    """One that is cancelled takes the look from nobody else."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def look() -> Condition:
        begun.set()
        await go_on.wait()
        return Condition()

    board = HealthBoard([Probe("store", look)])
    impatient = asyncio.create_task(board.check())
    await begun.wait()
    patient = asyncio.create_task(board.check())
    impatient.cancel()
    go_on.set()
    assert (await patient).word == "ok"


async def test_changes_are_logged_once() -> None:
    """Each change of a state is a line, and a state that holds is none."""
    patient = Patient(Condition(State.DEGRADED, "dead letters", "3 were given up"))
    board = HealthBoard([Probe("outbox", patient.look)])
    with capture_logs() as logs:
        await board.check()
        await board.check()
        patient.condition = Condition()
        await board.check()
        patient.condition = Condition(State.DOWN)
        await board.check()
    assert [(line["state"], line["log_level"]) for line in logs] == [
        ("degraded", "info"),
        ("up", "info"),
        ("down", "warning"),
    ]
    assert logs[:2] == [
        {
            "event": "health_changed",
            "log_level": "info",
            "dependency": "outbox",
            "state": "degraded",
            "previous": "up",
            "reason": "dead letters: 3 were given up",
        },
        {
            "event": "health_changed",
            "log_level": "info",
            "dependency": "outbox",
            "state": "up",
            "previous": "degraded",
            "reason": "",
        },
    ]


async def test_run_looks_again_and_again() -> None:
    """Changes are seen though nobody asks."""
    looked = asyncio.Event()
    patient = Patient()

    async def look() -> Condition:
        if patient.looks == 2:
            looked.set()
        return await patient.look()

    board = HealthBoard([Probe("store", look)], every_seconds=0)
    running = asyncio.create_task(board.run())
    async with asyncio.timeout(10):
        await looked.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert board.summary().word == "ok"


async def test_probes_that_are_added_later() -> None:
    """The order is that of adding."""
    board = HealthBoard([Probe("store", Patient().look)])
    board.add(Probe("ari", Patient().look, is_needed=False))
    assert [d.name for d in (await board.check()).dependencies] == ["store", "ari"]
