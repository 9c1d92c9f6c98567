"""What was read of the logs and is on its way, and so up to where all is delivered."""

from collections.abc import Mapping
from datetime import datetime

from fastagi_server.events.ports import Logged, Positions


class Window:
    """Events on their way, by log in the order in which they were read."""

    def __init__(self) -> None:
        self._under_way: dict[str, dict[int, datetime]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def enter(self, logged: Logged) -> None:
        """An event is on its way."""
        self._under_way.setdefault(logged.log, {})[logged.number] = logged.event.at
        self._size += 1

    def leave(self, logged: Logged) -> None:
        """It was delivered, or given up."""
        del self._under_way[logged.log][logged.number]
        self._size -= 1

    def reached(self, read: Positions) -> Mapping[str, int]:
        """Up to where each log is done, of which so much was read."""
        return {log: self._first(log, number) for log, number in read.items()}

    @property
    def oldest(self) -> datetime | None:
        """When the oldest event on its way happened, of the first in each log."""
        firsts = [next(iter(each.values())) for each in self._under_way.values() if each]
        return min(firsts, default=None)

    def _first(self, log: str, number: int) -> int:
        return next(iter(self._under_way.get(log, ())), number + 1) - 1
