"""Deadlines of many sessions and exchanges, kept by one timer.

A timer of its own for each request costs more than parsing its answer, and nearly all of them
are cancelled unused; one that waits costs some hundred bytes. Deadlines come in almost the order
in which they were set, so one timer, set for the earliest and moved on when it fires, is nearly
free. It never fires more often than every `SWEEP_SECONDS`, however many pass one by one.
"""

import asyncio
from typing import Protocol

SWEEP_SECONDS = 0.01
"""How late a deadline may be noticed, and the least time between two looks at all of them."""


class Expiring(Protocol):
    """What has a deadline: `deadline` is an instant of the loop's clock, in seconds."""

    deadline: float

    def expire(self) -> None:
        """Give up; called once, when the deadline has passed."""
        ...


class DeadlineWatch:
    """Calls `expire` on each watched object whose deadline passes while it is watched."""

    def __init__(self) -> None:
        self._watched: set[Expiring] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = float("inf")

    def watch(self, subject: Expiring, deadline: float) -> None:
        """Expire `subject` at the instant `deadline` unless it is forgotten before."""
        subject.deadline = deadline
        self._watched.add(subject)
        if deadline < self._wakes_at:
            self._set_timer(deadline)

    def forget(self, subject: Expiring) -> None:
        """Stop watching `subject`; the timer stays and finds it gone."""
        self._watched.discard(subject)

    def close(self) -> None:
        """Stop the timer; nothing expires any more."""
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = when
        self._timer = asyncio.get_running_loop().call_at(when, self._sweep)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        self._timer = None
        self._wakes_at = float("inf")
        for subject in [each for each in self._watched if each.deadline <= now]:
            self._watched.discard(subject)
            subject.expire()
        if self._watched:
            soonest = min(subject.deadline for subject in self._watched)
            self._set_timer(max(soonest, now + SWEEP_SECONDS))
