"""Who waits for a message at this moment."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager

from fastagi_server.signaling.errors import TooManyWaitsError

MAX_WAITS = 4
"""Of one user at once, in all of his calls: as many pages as he may have open."""


class Waits:
    """Wakes whoever waits for a message to a user in a call."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, dict[asyncio.Event, str]] = defaultdict(dict)
        self._counts = Counter[str]()
        self._is_closed = False

    @contextmanager
    def enter(self, call_id: str, user: str) -> Generator[asyncio.Event]:
        """An event that is set by the next message from now on. Raises TooManyWaitsError."""
        if self._counts[user] >= MAX_WAITS:
            raise TooManyWaitsError
        bell = asyncio.Event()
        if self._is_closed:
            bell.set()
        self._counts[user] += 1
        self._bells[call_id][bell] = user
        try:
            yield bell
        finally:
            self._leave(call_id, user, bell)

    def wake(self, call_id: str, user: str) -> None:
        """There is a message for this user in this call."""
        for bell, waiting in self._bells.get(call_id, {}).items():
            if waiting == user:
                bell.set()

    def users(self, call_id: str) -> frozenset[str]:
        """Who waits in this call."""
        return frozenset(self._bells.get(call_id, {}).values())

    def close(self) -> None:
        """End every wait now, and those to come at once."""
        self._is_closed = True
        for bells in self._bells.values():
            for bell in bells:
                bell.set()

    def _leave(self, call_id: str, user: str, bell: asyncio.Event) -> None:
        del self._bells[call_id][bell]
        if not self._bells[call_id]:
            del self._bells[call_id]
        self._counts[user] -= 1
        if not self._counts[user]:
            del self._counts[user]
