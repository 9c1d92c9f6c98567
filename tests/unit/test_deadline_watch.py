"""Many deadlines, one timer."""

import asyncio

from fastagi_server.deadlines import DeadlineWatch


class Subject:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.expired = asyncio.Event()

    def expire(self) -> None:
        """Note it."""
        assert not self.expired.is_set()
        self.expired.set()


async def test_subject_expires_at_its_deadline() -> None:
    """What is not forgotten in time is told so, not before its time."""
    deadlines, subject = DeadlineWatch(), Subject()
    when = asyncio.get_running_loop().time() + 0.01
    deadlines.watch(subject, when)
    await subject.expired.wait()
    assert asyncio.get_running_loop().time() >= when - 0.001


async def test_forgotten_subject_does_not_expire() -> None:
    """What ended in time hears nothing."""
    deadlines, forgotten, other = DeadlineWatch(), Subject(), Subject()
    now = asyncio.get_running_loop().time()
    deadlines.watch(forgotten, now + 0.005)
    deadlines.watch(other, now + 0.01)
    deadlines.forget(forgotten)
    await other.expired.wait()
    assert not forgotten.expired.is_set()


async def test_earlier_deadline_set_later_is_kept() -> None:
    """The one timer is moved forward for a more urgent subject, and on for the others."""
    deadlines, late, early = DeadlineWatch(), Subject(), Subject()
    now = asyncio.get_running_loop().time()
    deadlines.watch(late, now + 0.02)
    deadlines.watch(early, now + 0.005)
    await early.expired.wait()
    assert not late.expired.is_set()
    await late.expired.wait()


async def test_past_deadline_expires_at_once() -> None:
    """A deadline that has passed already is noticed in the next turn of the loop."""
    deadlines, subject = DeadlineWatch(), Subject()
    deadlines.watch(subject, asyncio.get_running_loop().time() - 1.0)
    await subject.expired.wait()


async def test_closed_deadlines_expire_nothing() -> None:
    """After the end no timer is left behind."""
    deadlines, subject, other = DeadlineWatch(), Subject(), Subject()
    now = asyncio.get_running_loop().time()
    deadlines.watch(subject, now + 0.001)
    deadlines.close()
    still = DeadlineWatch()
    still.watch(other, now + 0.01)
    await other.expired.wait()
    assert not subject.expired.is_set()
