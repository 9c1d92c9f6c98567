"""How much one user may have told to others."""

import pytest

from fastagi_server.presence.budget import BroadcastBudget
from fastagi_server.telemetry.measures import Measures


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """The time of the tests, in seconds."""
    return Clock()


@pytest.fixture
def measures() -> Measures:
    """What is counted."""
    return Measures()


@pytest.fixture
def budget(clock: Clock, measures: Measures) -> BroadcastBudget:
    """Ten listeners a second, and thirty at once."""
    return BroadcastBudget(measures=measures, told_per_second=10.0, burst_seconds=3.0, clock=clock)


def test_frames_are_allowed_up_to_the_burst(budget: BroadcastBudget, measures: Measures) -> None:
    """Ten listeners three times at once are allowed, and a fourth time is refused and counted."""
    for _ in range(3):
        assert budget.allows("alice")
        budget.charge("alice", 10)
    assert not budget.allows("alice")
    assert measures.drops.values == {("presence_broadcast",): 1.0}


def test_the_budget_grows_again(budget: BroadcastBudget, clock: Clock) -> None:
    """With the time there is room for another frame, and not for two."""
    budget.charge("alice", 30)
    clock.seconds += 0.5
    assert budget.allows("alice")
    budget.charge("alice", 10)
    assert not budget.allows("alice")


def test_a_large_group_is_paid_for_afterwards(budget: BroadcastBudget, clock: Clock) -> None:
    """One frame may have more listeners than the burst, and then its sender waits for it."""
    budget.charge("alice", 1000)
    clock.seconds += 96.5
    assert not budget.allows("alice")
    clock.seconds += 1.0
    assert budget.allows("alice")


def test_each_user_has_his_own(budget: BroadcastBudget) -> None:
    """What one user says costs nobody else."""
    budget.charge("alice", 1000)
    assert not budget.allows("alice")
    assert budget.allows("bob")


def test_what_nobody_hears_costs_nothing(budget: BroadcastBudget) -> None:
    """A frame without listeners is not charged."""
    for _ in range(100):
        budget.charge("alice", 0)
    assert budget.allows("alice")
    assert len(budget) == 0


def test_who_has_paid_is_forgotten(budget: BroadcastBudget, clock: Clock) -> None:
    """Users are remembered only while they are ahead of their rate."""
    budget.charge("alice", 10)
    budget.charge("bob", 20)
    assert len(budget) == 2
    clock.seconds += 1.5
    budget.charge("carol", 0)
    assert len(budget) == 1
    clock.seconds += 1.0
    budget.charge("carol", 10)
    assert len(budget) == 1
