"""How much one user may have told to others.

One frame to a channel costs as many frames as the channel has listeners, so that the number of
frames that a user sends says little of what he costs.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from fastagi_server.telemetry.measures import Measures

TOLD_PER_SECOND = 2000.0
"""Frames to listeners, of one user in the long run: less than a tenth of what one processor can
tell, at some 35 microseconds each."""

BURST_SECONDS = 5.0
"""For so long at that rate a user may be ahead of it."""


class BroadcastBudget:
    """Counts, for each user, the listeners of what he says.

    A frame is allowed while the user is less than `burst_seconds` ahead of `told_per_second`, and
    charged whole: a large group can be told something, and then he waits for as long as that took
    of his rate. `clock` gives seconds. A user takes room while he is ahead, and no longer.
    """

    def __init__(
        self,
        *,
        measures: Measures,
        told_per_second: float = TOLD_PER_SECOND,
        burst_seconds: float = BURST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measures = measures
        self._told_per_second = told_per_second
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._paid_until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._paid_until)

    def allows(self, user: str) -> bool:
        """Whether the user may say something to others now; if not, it is counted."""
        if self._paid_until.get(user, 0.0) < self._clock() + self._burst_seconds:
            return True
        self._measures.drops.add("presence_broadcast")
        return False

    def charge(self, user: str, listeners: int) -> None:
        """The user has told something to so many."""
        now = self._clock()
        self._forget_settled(now)
        if listeners:
            begin = max(now, self._paid_until.pop(user, 0.0))
            self._paid_until[user] = begin + listeners / self._told_per_second

    def _forget_settled(self, now: float) -> None:
        while self._paid_until:
            user, until = next(iter(self._paid_until.items()))
            if until > now:
                return
            del self._paid_until[user]
