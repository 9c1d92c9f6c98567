"""Tells of changes at a pace that those who listen can bear.

Each change of one user is a frame for everybody who listens for him, up to ten thousand sockets,
and a page can change faster than all of them can be told.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastagi_server.presence.budget import TOLD_PER_SECOND
from fastagi_server.presence.models import Presence

CHANGE_SECONDS = 1.0
"""At most one change of a user is told in this time."""


@dataclass(slots=True)
class _Pause:
    """Until `timer` nothing is told of a user: listeners saw `told`, and he is `latest` now."""

    told: Presence
    latest: Presence
    timer: asyncio.TimerHandle


class Announcer:
    """Tells the first change of a user at once, and of those that follow the last, later.

    `tell` returns how many were told: the more of them, the longer is the pause, so that one user's
    changes are at most `told_per_second` frames in the long run. What is at the end of the pause as
    it was told before is not told again. A user takes room only for the length of his pause.
    """

    def __init__(
        self,
        tell: Callable[[Presence], int],
        *,
        change_seconds: float = CHANGE_SECONDS,
        told_per_second: float = TOLD_PER_SECOND,
    ) -> None:
        self._tell = tell
        self._change_seconds = change_seconds
        self._told_per_second = told_per_second
        self._pauses: dict[str, _Pause] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._pauses)

    def hear(self, presence: Presence) -> None:
        """Take a change; never waits. `PresenceBook.on_change` calls it."""
        pause = self._pauses.get(presence.user)
        if pause is not None:
            pause.latest = presence
        elif not self._is_closed:
            self._announce(presence)

    def close(self) -> None:
        """Tell of nothing any more, and stop the timers."""
        self._is_closed = True
        for pause in self._pauses.values():
            pause.timer.cancel()
        self._pauses.clear()

    def _announce(self, presence: Presence) -> None:
        count = self._tell(presence)
        seconds = max(self._change_seconds, count / self._told_per_second)
        timer = asyncio.get_running_loop().call_later(seconds, self._end_pause, presence.user)
        self._pauses[presence.user] = _Pause(presence, presence, timer)

    def _end_pause(self, user: str) -> None:
        pause = self._pauses.pop(user)
        if _visible(pause.latest) != _visible(pause.told):
            self._announce(pause.latest)


def _visible(presence: Presence) -> tuple[str, str | None]:
    """What a frame tells of a state, besides since when."""
    return presence.status, presence.message
