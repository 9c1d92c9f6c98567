"""The events of one connection on their way to its owner: kept, decoded, handed on, in order.

    connected ── on_connected (reconciliation) ── on_event, on_event, ... ── on_lost
                 events meanwhile are kept ──────┘
                          ^                                   |
                          └── once events had to be dropped ──┘

Who reads the connection only puts messages here: Asterisk logs off a reader that lets it wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from fastagi_server.ami.decoding import read_event
from fastagi_server.ami.errors import AmiMessageError, AmiTooSlowError
from fastagi_server.ami.events import Event
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

KEPT_EVENTS = 50_000
"""Events that may wait, some 35 MB: two seconds of a PBX at a thousand calls a second."""

PREPARE_SECONDS = 30.0
BATCH_EVENTS = 100
"""Handed on before others have their turn on the loop."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who an AMI link works for.

    `on_connected` is awaited, for 30 s at most, when a connection is up and again whenever events
    had to be dropped; what arrives meanwhile is handed on afterwards. It may ask the link.
    `on_event` must not wait and should not raise: what it raises is logged. `on_lost` hears why,
    once for each connection for which `on_connected` was begun.
    """

    on_event: Callable[[Event], None]
    on_connected: Callable[[AsteriskRun], Awaitable[None]]
    on_lost: Callable[[str], None]


class EventFeed:
    """Carries the events of one connection of the link `name` to its owner."""

    def __init__(
        self,
        name: str,
        owner: Owner,
        measures: Measures,
        *,
        kept_events: int = KEPT_EVENTS,
        prepare_seconds: float = PREPARE_SECONDS,
    ) -> None:
        self._name = name
        self._owner = owner
        self._measures = measures
        self._kept_events = kept_events
        self._prepare_seconds = prepare_seconds
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._has_dropped = False
        self._is_ended = False

    def receive(self, messages: list[bytes], others: int) -> None:
        """Keep messages for later; those for which there is no room are dropped and counted."""
        if others:
            self._measures.ami_events.add("other", amount=others)
        room = self._kept_events - len(self._waiting)
        if len(messages) > room:
            self._drop(len(messages) - room)
        self._waiting.extend(messages[:room])
        self._news.set()

    async def run(self, run: AsteriskRun, up: Callable[[], None]) -> None:
        """Prepare and hand on until `end`; `up` is called when events begin to flow.

        Raises `AmiTooSlowError` and what `on_connected` raises.
        """
        while not self._is_ended:
            self._has_dropped = False
            await self._prepare(run)
            up()
            # Only once is every id void: what is prepared again is of the same run.
            run = replace(run, is_new=False)
            await self._hand_on()

    def end(self) -> None:
        """Let `run` end once all that waits is handed on."""
        self._is_ended = True
        self._news.set()

    def tell_lost(self, reason: str) -> None:
        """Tell the owner that the connection is lost."""
        try:
            self._owner.on_lost(reason)
        except Exception:
            log.exception("ami_lost_failed", link=self._name)

    async def _prepare(self, run: AsteriskRun) -> None:
        try:
            async with asyncio.timeout(self._prepare_seconds):
                await self._owner.on_connected(run)
        except TimeoutError:
            raise AmiTooSlowError("the reconciliation took too long") from None

    async def _hand_on(self) -> None:
        """Hand on what comes, until nothing waits and an end or a gap was reached."""
        while self._waiting or not (self._has_dropped or self._is_ended):
            if self._waiting:
                self._hand_on_batch()
                await asyncio.sleep(0)
            else:
                self._news.clear()
                await self._news.wait()

    def _hand_on_batch(self) -> None:
        now = datetime.now(UTC)
        oldest = None
        for _ in range(min(BATCH_EVENTS, len(self._waiting))):
            event = self._read(self._waiting.popleft(), now)
            if event is not None:
                oldest = oldest or event.at
                self._tell(event)
        if oldest is not None:
            lag = max((now - oldest).total_seconds(), 0.0)
            self._measures.ami_event_lag_seconds.observe(lag, self._name)

    def _read(self, message: bytes, now: datetime) -> Event | None:
        try:
            event = read_event(message, now)
        except AmiMessageError as error:
            self._measures.drops.add("ami_event_unreadable")
            log.warning("ami_event_unreadable", link=self._name, reason=str(error))
            return None
        self._measures.ami_events.add(type(event).__name__)
        return event

    def _tell(self, event: Event) -> None:
        try:
            self._owner.on_event(event)
        except Exception:
            log.exception("ami_event_failed", link=self._name, event_type=type(event).__name__)

    def _drop(self, count: int) -> None:
        self._measures.drops.add("ami_event", amount=count)
        if not self._has_dropped:
            self._has_dropped = True
            log.error("ami_events_dropped", link=self._name, kept=self._kept_events)
