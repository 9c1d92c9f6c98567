"""A link that is kept up: pauses, states and what is remembered."""

import asyncio
from collections.abc import Callable

import pytest

from fastagi_server.supervise import LinkStatus, StandAsideError, Supervisor


class Stage:
    """A supervisor with a clock of its own, whose pauses take no time."""

    def __init__(self, *outcomes: Exception | float | None) -> None:
        self.outcomes = list(outcomes)
        self.states: list[str] = []
        self.ceilings: list[tuple[float, float]] = []
        self.now = 0.0
        self.status = LinkStatus("pbx", self.states.append)
        self.supervisor = Supervisor(
            self.status,
            self._attempt,
            expected=(ConnectionError,),
            uniform=self._uniform,
            sleep=self._sleep,
            clock=lambda: self.now,
        )

    async def _attempt(self, up: Callable[[], None]) -> None:
        """The next outcome: an error, None for a refusal to come up, or the seconds it held."""
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            up()
            self.now += outcome

    def _uniform(self, low: float, high: float) -> float:
        self.ceilings.append((low, high))
        return high

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if not self.outcomes:
            raise asyncio.CancelledError

    async def run(self) -> None:
        """Run until the outcomes are used up."""
        with pytest.raises(asyncio.CancelledError):
            await self.supervisor.run()


async def test_pauses_grow_from_a_fifth_of_a_second_to_ten() -> None:
    """Each is drawn from zero to a ceiling that doubles, and no try is the last."""
    stage = Stage(*[ConnectionError("refused")] * 9)
    await stage.run()
    assert stage.ceilings == [
        (0.0, ceiling) for ceiling in (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0)
    ]


async def test_a_link_that_held_begins_anew() -> None:
    """After ten seconds up, the next pause is a short one."""
    stage = Stage(ConnectionError("a"), ConnectionError("b"), 10.0, ConnectionError("c"))
    await stage.run()
    assert [high for _, high in stage.ceilings] == [0.2, 0.4, 0.2, 0.4]


async def test_a_link_that_flaps_is_left_alone_for_longer() -> None:
    """Up for a moment is not up: it would be tried five times a second for ever."""
    stage = Stage(0.1, 0.1, 0.1)
    await stage.run()
    assert [high for _, high in stage.ceilings] == [0.2, 0.4, 0.8]


async def test_states_are_told_once_each() -> None:
    """Connecting, up, lost, and stopped at the end."""
    stage = Stage(ConnectionError("refused"), 1.0)
    await stage.run()
    assert stage.states == ["lost", "connecting", "up", "lost", "stopped"]


async def test_the_last_error_is_remembered() -> None:
    """Also when the link is up again."""
    status = Stage(ConnectionError("refused by pbx"), None).status
    assert status.last_error == ""
    stage = Stage(ConnectionError("refused by pbx"))
    await stage.run()
    assert stage.status.last_error == "refused by pbx"
    assert stage.status.state == "stopped"


async def test_a_link_that_ends_without_an_error_is_lost_too() -> None:
    """The other side said goodbye."""
    stage = Stage(3.0)
    await stage.run()
    assert stage.status.last_error == "the link ended"


async def test_a_mistake_in_an_attempt_ends_nothing() -> None:
    """An error that nobody expected is shown with its type and tried again."""
    stage = Stage(KeyError("oops"), 1.0)
    await stage.run()
    assert stage.states == ["lost", "connecting", "up", "lost", "stopped"]
    stage = Stage(KeyError("oops"))
    await stage.run()
    assert stage.status.last_error == "KeyError: 'oops'"


async def test_a_link_that_must_stand_aside_does_so_for_long() -> None:
    """Half to all of the time it was told, in the state it was told."""
    stage = Stage(StandAsideError("taken", state="replaced", seconds=120.0), 1.0)
    await stage.run()
    assert stage.ceilings[0] == (60.0, 120.0)
    assert stage.states == ["replaced", "connecting", "up", "lost", "stopped"]


async def test_since_moves_with_the_state_only() -> None:
    """An operator sees how long it has been so."""
    status = LinkStatus("pbx", lambda _state: None)
    begun = status.since
    status.become("connecting")
    assert status.since == begun
    status.become("up")
    assert status.since >= begun
    assert status.since.tzinfo is not None


async def test_an_error_without_a_change_of_state_is_kept() -> None:
    """The reason may change while the link is down all the time."""
    told: list[str] = []
    status = LinkStatus("pbx", told.append)
    status.become("lost", "first")
    status.become("lost", "second")
    status.become("up")
    assert told == ["lost", "up"]
    assert status.last_error == "second"
