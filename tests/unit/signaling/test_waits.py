"""Who is woken by what."""

from contextlib import ExitStack

import pytest

from fastagi_server.signaling.errors import TooManyWaitsError
from fastagi_server.signaling.waits import MAX_WAITS, Waits


def test_wakes_the_addressee_only() -> None:
    """A message wakes all waits of its addressee in its call, and no others."""
    waits = Waits()
    with (
        waits.enter("one", "alice") as first,
        waits.enter("one", "alice") as second,
        waits.enter("two", "alice") as elsewhere,
        waits.enter("one", "bob") as other,
    ):
        waits.wake("one", "alice")
        bells = (first, second, elsewhere, other)
        assert [bell.is_set() for bell in bells] == [True, True, False, False]
        assert waits.users("one") == {"alice", "bob"}
    assert waits.users("one") == frozenset()


def test_nobody_is_there_to_wake() -> None:
    """A message for whom nobody waits wakes nobody."""
    waits = Waits()
    waits.wake("one", "alice")
    assert waits.users("one") == frozenset()


def test_places_are_given_back() -> None:
    """A user has so many waits at once, in all calls together, whatever ends them."""
    waits = Waits()
    with ExitStack() as stack:
        for number in range(MAX_WAITS):
            stack.enter_context(waits.enter(f"call-{number}", "alice"))
        with pytest.raises(TooManyWaitsError), waits.enter("one", "alice"):
            pass
        with waits.enter("one", "bob"):
            assert waits.users("one") == {"bob"}
    with pytest.raises(ZeroDivisionError), waits.enter("one", "alice"):
        _ = 1 / 0
    with waits.enter("one", "alice"):
        assert waits.users("one") == {"alice"}


def test_close() -> None:
    """The end wakes everybody, and whoever comes later does not wait."""
    waits = Waits()
    with waits.enter("one", "alice") as bell:
        waits.close()
        assert bell.is_set()
    with waits.enter("one", "bob") as late:
        assert late.is_set()
