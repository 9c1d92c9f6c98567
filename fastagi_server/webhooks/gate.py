"""Leaves a target alone that fails, and finds out when it is well again.

While attempts succeed the gate is open. After some failures in a row, or when the target asks for
it, one attempt is let through at a time, each after a pause with full jitter below a bound that
doubles, until one succeeds.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

FAILURES = 5
FIRST_BOUND_SECONDS = 0.5
LONGEST_BOUND_SECONDS = 60.0


def back_off_seconds(failures: int, uniform: Callable[[float, float], float]) -> float:
    """The pause after so many failures: full jitter below a doubling bound."""
    bound = FIRST_BOUND_SECONDS * 2.0 ** min(failures, 30)
    return uniform(0.0, min(bound, LONGEST_BOUND_SECONDS))


class Gate:
    """Of one target; `on_change` hears when it is left alone (True) and when no longer."""

    def __init__(
        self,
        *,
        on_change: Callable[[bool], None] = lambda _: None,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._on_change = on_change
        self._uniform = uniform
        self._sleep = sleep
        self._failures = 0
        self._asked_seconds = 0.0
        self._probe = asyncio.Lock()
        self.successes = 0
        """Attempts that have succeeded so far: whether the target takes anything at all."""

    @property
    def is_shut(self) -> bool:
        """Whether the target is left alone."""
        return self._failures >= FAILURES or self._asked_seconds > 0

    async def through(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Run an attempt when it is its turn; it reports to `succeeded` or `failed`."""
        if self.is_shut:
            async with self._probe:
                if self.is_shut:
                    failures = max(self._failures - FAILURES, 0) + 1
                    pause = back_off_seconds(failures, self._uniform)
                    await self._sleep(max(pause, self._asked_seconds))
                    await attempt()
                    return
        await attempt()

    def succeeded(self) -> None:
        """The target took something."""
        was_shut = self.is_shut
        self.successes += 1
        self._failures = 0
        self._asked_seconds = 0.0
        if was_shut:
            self._on_change(False)

    def failed(self, asked_seconds: float = 0.0) -> None:
        """The target did not; it asked to be left alone for so long, or 0."""
        was_shut = self.is_shut
        self._failures += 1
        self._asked_seconds = asked_seconds
        if self.is_shut and not was_shut:
            self._on_change(True)
