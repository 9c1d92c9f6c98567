"""The circuit breaker, state by state."""

from fastagi_server.sge.breaker import Breaker, State


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def state(breaker: Breaker) -> State:
    """Where it stands now."""
    return breaker.state


def fail(breaker: Breaker, times: int = 1) -> None:
    """Requests that fail."""
    for _ in range(times):
        ticket = breaker.admit()
        assert ticket is not None
        breaker.failed(ticket)


def succeed(breaker: Breaker, times: int = 1) -> None:
    """Requests that work."""
    for _ in range(times):
        ticket = breaker.admit()
        assert ticket is not None
        breaker.succeeded(ticket)


def test_closed_breaker_admits_everything() -> None:
    """While the API works nothing is held back."""
    breaker = Breaker(clock=Clock())
    succeed(breaker, 1000)
    assert state(breaker) is State.CLOSED
    assert breaker.wait_seconds == 0.0


def test_opens_after_failures_in_a_row() -> None:
    """Five failures in a row, by default, and no more requests."""
    breaker = Breaker(clock=Clock())
    fail(breaker, 4)
    assert state(breaker) is State.CLOSED
    fail(breaker)
    assert state(breaker) is State.OPEN
    assert breaker.admit() is None


def test_success_interrupts_a_row() -> None:
    """Failures now and then do not open it."""
    breaker = Breaker(clock=Clock(), window_minimum=1000)
    for _ in range(20):
        fail(breaker, 4)
        succeed(breaker)
    assert state(breaker) is State.CLOSED


def test_opens_when_half_of_a_window_fails() -> None:
    """An API that fails every other request is left alone as well."""
    breaker = Breaker(clock=Clock(), window_minimum=20)
    for _ in range(9):
        fail(breaker)
        succeed(breaker)
    assert state(breaker) is State.CLOSED
    succeed(breaker)
    fail(breaker)
    assert state(breaker) is State.OPEN


def test_windows_forget() -> None:
    """Failures of an earlier window do not count for the ratio."""
    clock = Clock()
    breaker = Breaker(clock=clock, window_minimum=20, window_seconds=10.0)
    for _ in range(9):
        fail(breaker)
        succeed(breaker)
    clock.now += 10.0
    succeed(breaker)
    fail(breaker)
    assert state(breaker) is State.CLOSED


def test_row_of_failures_outlives_a_window() -> None:
    """With few requests a row of failures still opens it, however long it takes."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(5):
        fail(breaker)
        clock.now += 60.0
    assert state(breaker) is State.OPEN


def test_one_probe_after_the_pause() -> None:
    """When the pause is over one request may try; its success opens the way for all."""
    clock = Clock()
    breaker = Breaker(clock=clock, first_pause_seconds=1.0)
    fail(breaker, 5)
    assert breaker.wait_seconds == 1.0
    clock.now += 0.5
    assert breaker.admit() is None
    clock.now += 0.5
    probe = breaker.admit()
    assert probe is not None
    assert state(breaker) is State.HALF_OPEN
    assert breaker.admit() is None
    assert breaker.wait_seconds == 0.25
    breaker.succeeded(probe)
    assert state(breaker) is State.CLOSED
    fail(breaker, 4)
    assert state(breaker) is State.CLOSED


def test_failed_probes_double_the_pause() -> None:
    """An API that stays down is asked less and less often, down to a limit."""
    clock = Clock()
    breaker = Breaker(clock=clock, first_pause_seconds=1.0, longest_pause_seconds=4.0)
    fail(breaker, 5)
    pauses = [breaker.wait_seconds]
    for _ in range(4):
        clock.now += breaker.wait_seconds
        fail(breaker)
        pauses.append(breaker.wait_seconds)
    assert pauses == [1.0, 2.0, 4.0, 4.0, 4.0]
    clock.now += 4.0
    succeed(breaker)
    fail(breaker, 5)
    assert breaker.wait_seconds == 1.0


def test_abandoned_probe_makes_room() -> None:
    """A caller who hangs up during the probe does not leave the API alone for ever."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    fail(breaker, 5)
    clock.now += 1.0
    probe = breaker.admit()
    assert probe is not None
    breaker.abandoned(probe)
    assert state(breaker) is State.OPEN
    assert breaker.wait_seconds == 0.0
    succeed(breaker)
    assert state(breaker) is State.CLOSED


def test_results_of_another_time_are_ignored() -> None:
    """A request sent before the breaker opened says nothing about the API now."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    old = breaker.admit()
    older = breaker.admit()
    assert old is not None
    assert older is not None
    fail(breaker, 5)
    breaker.succeeded(old)
    assert state(breaker) is State.OPEN
    clock.now += 1.0
    probe = breaker.admit()
    breaker.failed(older)
    breaker.abandoned(older)
    assert state(breaker) is State.HALF_OPEN
    assert probe is not None
    breaker.succeeded(probe)
    assert state(breaker) is State.CLOSED


def test_changes_are_told() -> None:
    """Whoever watches hears of each change of state, in order."""
    clock = Clock()
    heard: list[State] = []
    breaker = Breaker(clock=clock, on_change=heard.append)
    fail(breaker, 5)
    clock.now += 1.0
    succeed(breaker)
    assert heard == [State.OPEN, State.HALF_OPEN, State.CLOSED]
