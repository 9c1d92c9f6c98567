"""Channels that reached an extension without anybody having registered their call."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

import structlog

from fastagi_server.calls.sighting import Sighting
from fastagi_server.telemetry.measures import Measures

GRACE_SECONDS = 10.0
"""How long a call may go on before its registration is missed: AGI waits for SGE for two."""

MAX_WAITING = 10_000
MAX_KNOWN = 1_000

EVERY_CONTEXT = "*"
LOCAL = "Local/"

_log = structlog.stdlib.get_logger("supervision")


@dataclass(frozen=True, slots=True)
class Stranger:
    """A live channel whose call is not registered, and when that was noticed."""

    unique_id: str
    name: str
    context: str
    exten: str
    since: datetime


class Strangers:
    """Watches channels that dialled or talked in one of `contexts`, `*` for all.

    Not meant are dialled legs, halves of Local channels, and what a Stasis application leads.
    """

    def __init__(
        self,
        contexts: Collection[str],
        measures: Measures,
        *,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._contexts = frozenset(contexts)
        self._measures = measures
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._waiting: deque[tuple[float, Sighting]] = deque()
        self._known: dict[str, tuple[Sighting, Stranger]] = {}

    def watch(self, sighting: Sighting) -> None:
        """A channel has dialled or talked for the first time."""
        if not self._is_meant(sighting):
            return
        if len(self._waiting) >= MAX_WAITING:
            self._measures.drops.add("stranger")
            return
        self._waiting.append((self._clock() + self._grace_seconds, sighting))

    def take_overdue(self) -> list[Sighting]:
        """Those whose time is over and of whom no call is known."""
        overdue: list[Sighting] = []
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            _, sighting = self._waiting.popleft()
            if self._is_meant(sighting):
                overdue.append(sighting)
        return overdue

    def report(self, sighting: Sighting) -> None:
        """Nobody knows the call of this channel: say so."""
        stranger = Stranger(
            sighting.unique_id,
            sighting.name,
            sighting.reached_in or sighting.context,
            sighting.exten,
            datetime.now(UTC),
        )
        self._measures.calls_not_registered.add()
        _log.warning(
            "call_not_registered",
            unique_id=stranger.unique_id,
            channel=stranger.name,
            context=stranger.context,
            extension=stranger.exten,
        )
        if sighting.ended_at is None and len(self._known) < MAX_KNOWN:
            self._known[sighting.unique_id] = sighting, stranger

    def live(self) -> list[Stranger]:
        """Those that are there now, at most 1,000, the first ones."""
        return [stranger for _, stranger in self._still_strange()]

    def tidy(self) -> None:
        """Forget those that are gone, or registered after all."""
        self._known = {
            stranger.unique_id: (sighting, stranger) for sighting, stranger in self._still_strange()
        }

    def _still_strange(self) -> Iterator[tuple[Sighting, Stranger]]:
        for sighting, stranger in self._known.values():
            if sighting.ended_at is None and sighting.may_be_registered:
                yield sighting, stranger

    def _is_meant(self, sighting: Sighting) -> bool:
        if not sighting.may_be_registered or sighting.name.startswith(LOCAL):
            return False
        if EVERY_CONTEXT in self._contexts:
            return True
        return sighting.context in self._contexts or sighting.reached_in in self._contexts
