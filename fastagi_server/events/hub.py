"""The stream of one process: one ring of the last events, and readers with a place in it each.

A reader has no queue of its own. It reads where it stands, so that any number of slow readers
costs nothing, and one that is so slow that the ring has gone round is told how many events it has
lost. A cursor is `<boot>-<number>`: of another boot's, or of one too old, nothing is left either.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakSet

import structlog

from fastagi_server.events.filters import TypeFilter
from fastagi_server.events.models import GAP, Event, encode
from fastagi_server.telemetry.measures import Measures

_log = structlog.stdlib.get_logger("events")

RING_SIZE = 10_000
"""Events that can be read again: at a busy PBX's thousand a second ten seconds, some 10 MB."""

MAX_READERS = 20
LOOK_AHEAD = 1000
"""Events that are looked at for one reader at a time, so that no reader holds up the others."""


class TooManyReadersError(Exception):
    """There are as many readers as there may be."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """An event as it is streamed: the cursor behind it, and its JSON, which has that as id."""

    cursor: str
    document: bytes


class EventHub:
    """Takes events and hands them to readers; `publish` never waits.

    `size` is the number of events kept, `max_readers` that of readers at a time, `boot` a word
    that no other run of the service has.
    """

    def __init__(
        self,
        *,
        measures: Measures,
        size: int = RING_SIZE,
        max_readers: int = MAX_READERS,
        boot: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._measures = measures
        self._size = size
        self._max_readers = max_readers
        self._boot = boot or secrets.token_hex(6)
        self._now = now
        self._ring: list[Event | None] = [None] * size
        self._documents: list[Streamed | None] = [None] * size
        self._next = 1
        # One that its owner has lost, and so cannot close, is none any more.
        self._readers = WeakSet[Reader]()
        self._listeners: list[Callable[[Event], None]] = []
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    def publish(self, event: Event) -> None:
        """Add an event at the end of the stream."""
        place = self._next % self._size
        self._ring[place] = event
        self._documents[place] = None
        self._next += 1
        for reader in self._readers:
            reader.hear(event.type)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - one part's mistake must not end the stream for all
                _log.exception("event_listener_failed", type=event.type)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have every event from now on told at once to a part of this program.

        It must not wait, and should not raise: what it raises is logged.
        """
        self._listeners.append(listener)

    def close(self) -> None:
        """Let readers read what is there, and then end."""
        self._is_closed = True
        for reader in self._readers:
            reader.hear(GAP)

    def open_reader(self, wanted: TypeFilter, after: str | None = None) -> "Reader":
        """A reader of what is wanted, behind this cursor or from now on.

        Raises TooManyReadersError. The reader must be closed.
        """
        if len(self._readers) >= self._max_readers:
            raise TooManyReadersError
        place = self._number_behind(after) if after else self._next
        reader = Reader(self, wanted, place, is_following=not after)
        self._readers.add(reader)
        self._measures.event_streams.set(len(self._readers))
        return reader

    # -- for readers ------------------------------------------------------------------------------

    def forget(self, reader: "Reader") -> None:
        """A reader has ended."""
        self._readers.discard(reader)
        self._measures.event_streams.set(len(self._readers))

    @property
    def oldest(self) -> int:
        """The number of the oldest event in the ring."""
        return max(self._next - self._size, 1)

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self._next

    def cursor(self, number: int) -> str:
        """The cursor behind the event with this number."""
        return f"{self._boot}-{number}"

    def event(self, number: int) -> Event:
        """The event with this number, which must be in the ring."""
        event = self._ring[number % self._size]
        assert event is not None  # noqa: S101 - numbers from `oldest` to `end` are filled
        return event

    def streamed(self, number: int) -> Streamed:
        """The same as it is streamed; written once for all readers."""
        place = number % self._size
        document = self._documents[place]
        if document is None:
            cursor = self.cursor(number)
            document = Streamed(cursor, encode(self.event(number), cursor))
            self._documents[place] = document
        return document

    def gap(self, number: int, lost: int | None) -> Streamed:
        """The marker that events before this number were lost."""
        cursor = self.cursor(number - 1)
        return Streamed(cursor, encode(Event(GAP, self._now(), data={"lost": lost}), cursor))

    def drop(self, lost: int) -> None:
        """So many events are gone that a reader was too slow for."""
        self._measures.drops.add("stream_event", amount=lost)

    def _number_behind(self, cursor: str) -> int | None:
        boot, _, number = cursor.rpartition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit()):
            return None
        behind = int(number[:18]) + 1
        return behind if behind <= self._next else None


class Reader:
    """A place in the stream; None as the place is one that nobody knows any more.

    Who comes back after an hour was not too slow: for a reader that is not following, what was
    lost before it first takes something does not count as dropped.
    """

    def __init__(
        self, hub: EventHub, wanted: TypeFilter, place: int | None, *, is_following: bool
    ) -> None:
        self._hub = hub
        self._wanted = wanted
        self._place = place
        self._is_following = is_following
        self._news = asyncio.Event()
        self._news.set()

    @property
    def cursor(self) -> str:
        """The cursor behind what was taken, wanted or not."""
        place = self._hub.oldest if self._place is None else self._place
        return self._hub.cursor(place - 1)

    def take(self, limit: int) -> Sequence[Streamed]:
        """At most `limit` events, of those that are there now; a gap before them counts as one."""
        taken: list[Streamed] = []
        oldest = self._hub.oldest
        was_following, self._is_following = self._is_following, True
        if self._place is None or self._place < oldest:
            lost = None if self._place is None else oldest - self._place
            if was_following and lost is not None:
                self._hub.drop(lost)
            taken.append(self._hub.gap(oldest, lost))
            self._place = oldest
        end = min(self._hub.end, self._place + LOOK_AHEAD)
        while self._place < end and len(taken) < limit:
            event_type = self._hub.event(self._place).type
            if event_type == GAP or self._wanted.wants(event_type):
                taken.append(self._hub.streamed(self._place))
            self._place += 1
        if self._place == self._hub.end:
            self._news.clear()
        return taken

    @property
    def is_behind(self) -> bool:
        """Whether there may be something to take."""
        return self._place is None or self._place < self._hub.end

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to come."""
        return self._hub.is_closed and not self.is_behind

    async def wait(self, seconds: float) -> None:
        """Wait until there may be something to take, or the end, but so long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass

    def hear(self, event_type: str) -> None:
        """An event of this type has come."""
        if self._wanted.wants(event_type) or event_type == GAP:
            self._news.set()

    def close(self) -> None:
        """Read no more. Closing twice is harmless."""
        self._hub.forget(self)
