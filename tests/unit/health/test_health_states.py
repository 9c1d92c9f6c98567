"""What the states of dependencies come to."""

from datetime import UTC, datetime

import pytest

from fastagi_server.health.states import Condition, Dependency, State, Summary

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dependency(name: str, state: State, *, is_needed: bool = True) -> Dependency:
    """A dependency whose reason is its name."""
    reason = "" if state is State.UP else f"{name} is ill"
    return Dependency(name, is_needed, state, NOON, reason, "")


@pytest.mark.parametrize(
    ("state", "is_needed", "word", "is_ready"),
    [
        (State.UP, True, "ok", True),
        (State.DEGRADED, True, "degraded", True),
        (State.DOWN, True, "down", False),
        (State.UP, False, "ok", True),
        (State.DEGRADED, False, "degraded", True),
        (State.DOWN, False, "degraded", True),
    ],
)
def test_word(state: State, is_needed: bool, word: str, is_ready: bool) -> None:  # noqa: FBT001
    """Only what is needed and down makes the service unready."""
    summary = Summary(
        (dependency("a", State.UP), dependency("b", state, is_needed=is_needed)),
    )
    assert (summary.word, summary.is_ready) == (word, is_ready)


def test_reasons() -> None:
    """All reasons are told, in the order of the dependencies, and only those that hold."""
    summary = Summary(
        (
            dependency("a", State.DOWN),
            dependency("b", State.UP),
            dependency("c", State.DEGRADED),
        )
    )
    assert summary.reason == "a is ill, c is ill"
    assert summary.state_of("c") is State.DEGRADED
    assert summary.state_of("unknown") is State.UP


def test_nothing_to_depend_on() -> None:
    """A service that depends on nothing is well."""
    assert (Summary(()).word, Summary(()).is_ready, Summary(()).reason) == ("ok", True, "")


def test_error_of_a_condition() -> None:
    """Reason and detail are one text; either may be missing."""
    assert Condition(State.DOWN, "store unavailable", "disk full").error == (
        "store unavailable: disk full"
    )
    assert Condition(State.DOWN, "store unavailable").error == "store unavailable"
    assert Condition().error == ""
