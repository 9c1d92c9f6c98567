"""The laws of the circuit breaker hold for any story."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastagi_server.sge.breaker import Breaker, State


class BreakerStory(RuleBasedStateMachine):
    """Requests begin and end in any order while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.opened_at = 0.0
        self.states: list[State] = []
        self.breaker = Breaker(
            clock=lambda: self.now,
            on_change=self.note,
            consecutive_limit=3,
            window_minimum=6,
            window_seconds=5.0,
            first_pause_seconds=1.0,
            longest_pause_seconds=8.0,
        )
        self.under_way: list[int] = []
        self.probe: int | None = None

    def note(self, state: State) -> None:
        """Remember each change."""
        self.states.append(state)
        if state is State.OPEN:
            self.opened_at = self.now

    @rule(seconds=st.floats(0.0, 10.0))
    def time_passes(self, seconds: float) -> None:
        """The clock goes on."""
        self.now += seconds

    @rule()
    def request_begins(self) -> None:
        """Ask for admission, and check laws 1 and 2."""
        before = self.breaker.state
        wait_seconds = self.breaker.wait_seconds
        ticket = self.breaker.admit()
        if before is State.CLOSED:
            assert ticket is not None
        if before is State.HALF_OPEN:
            assert ticket is None
        if before is State.OPEN:
            assert (ticket is not None) == (wait_seconds == 0.0)
            self.probe = ticket
        if ticket is not None:
            self.under_way.append(ticket)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), result=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def request_ends(self, data: st.DataObject, result: str) -> None:
        """One of those under way comes back, and check laws 3 and 4."""
        ticket = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        before = self.breaker.state
        getattr(self.breaker, result)(ticket)
        if before is State.CLOSED:
            return
        if before is State.HALF_OPEN and ticket == self.probe:
            expected = State.CLOSED if result == "succeeded" else State.OPEN
            assert self.breaker.state is expected
            self.probe = None
        else:
            assert self.breaker.state is before

    @invariant()
    def pauses_are_bounded(self) -> None:
        """However often the API fails, it is asked again within the longest pause."""
        assert 0.0 <= self.breaker.wait_seconds <= 8.0

    @invariant()
    def states_follow_the_drawing(self) -> None:
        """Only the drawn transitions happen."""
        drawn = {
            (State.CLOSED, State.OPEN),
            (State.OPEN, State.HALF_OPEN),
            (State.HALF_OPEN, State.OPEN),
            (State.HALF_OPEN, State.CLOSED),
        }
        story = [State.CLOSED, *self.states]
        assert set(pairwise(story)) <= drawn


BreakerStory.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestBreakerStory = BreakerStory.TestCase
