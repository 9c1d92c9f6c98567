"""What happens on one event socket, whoever opened it: read, decode, hand on, in order.

    socket up ── on_connected (reconciliation) ── on_event, on_event, ... ── on_lost
                 events meanwhile are kept ──────┘

The reader does nothing else: Asterisk drops a reader that lets it wait. What `on_event` has to do
is the business of `dispatch`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import UTC, datetime

import structlog
from websockets.exceptions import ConnectionClosed

from fastagi_server.ari.errors import AriAnswerError, AriTooSlowError, AriUnreachableError
from fastagi_server.ari.events import ApplicationReplaced, Event, UnknownEvent, read_event
from fastagi_server.ari.reading import NEVER
from fastagi_server.supervise import UP, StandAsideError
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

REPLACED = "replaced"
REPLACED_SECONDS = 120.0
"""How long an application is left to whoever took it: a fight over it would never end."""

KEPT_EVENTS = 100_000
"""Events that may wait for a reconciliation to end."""

PREPARE_SECONDS = 30.0

MAX_MESSAGE_BYTES = 1_048_576
PING_SECONDS = 5.0
"""Between two pings, and for the pong to each. Pongs that nobody asked for crash some Asterisks;
websockets sends none."""
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 1.0


def link_reporter(name: str, measures: Measures) -> Callable[[str], None]:
    """Counts a link's states in the measures."""
    measures.ari_link_up.set(0.0, name)

    def report(state: str) -> None:
        measures.ari_link_up.set(1.0 if state == UP else 0.0, name)
        measures.ari_link_changes.add(name, state)

    return report


class EventFeed:
    """Carries the events of a link's sockets, one socket at a time, to its owner.

    `on_connected` is awaited, for 30 s at most, when a socket is up; what arrives meanwhile is
    kept and handed on afterwards, in order. `on_event` must not wait and should not raise: what it
    raises is logged. `on_lost` hears why, once for each `on_connected` begun.
    """

    def __init__(
        self,
        name: str,
        *,
        on_event: Callable[[Event], None],
        on_connected: Callable[[], Awaitable[None]],
        on_lost: Callable[[str], None],
        measures: Measures,
        kept_events: int = KEPT_EVENTS,
        prepare_seconds: float = PREPARE_SECONDS,
    ) -> None:
        self._name = name
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._measures = measures
        self._kept_events = kept_events
        self._prepare_seconds = prepare_seconds
        self._kept: deque[Event] | None = None

    async def serve(self, messages: AsyncIterable[str | bytes], up: Callable[[], None]) -> None:
        """Serve one socket to its end; `up` is called once its events flow.

        Raises `AriUnreachableError` when the socket is lost, `StandAsideError` when an application
        was taken by another socket, and what `on_connected` raises.
        """
        self._kept = deque()
        reader = asyncio.create_task(self._read(messages), name=f"{self._name}-reader")
        preparing = asyncio.create_task(self._prepare(), name=f"{self._name}-prepare")
        reason = "stopped"
        try:
            await asyncio.wait({reader, preparing}, return_when=asyncio.FIRST_COMPLETED)
            if preparing.done():
                await preparing
                self._hand_on_kept()
                up()
            await reader
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise
        finally:
            self._kept = None
            for task in (reader, preparing):
                task.cancel()
            await asyncio.gather(reader, preparing, return_exceptions=True)
            self._tell_lost(reason)

    async def _prepare(self) -> None:
        try:
            async with asyncio.timeout(self._prepare_seconds):
                await self._on_connected()
        except TimeoutError:
            raise AriTooSlowError("the reconciliation took too long") from None

    async def _read(self, messages: AsyncIterable[str | bytes]) -> None:
        try:
            async for message in messages:
                self._receive(message)
        except ConnectionClosed as error:
            raise AriUnreachableError(f"the event socket is lost: {error}") from error
        raise AriUnreachableError("the event socket was closed by Asterisk")

    def _receive(self, message: str | bytes) -> None:
        try:
            event = read_event(message)
        except AriAnswerError as error:
            self._measures.drops.add("ari_event_unreadable")
            log.warning("ari_event_unreadable", link=self._name, reason=str(error))
            return
        self._count(event)
        if self._kept is None:
            self._hand_on(event)
        elif len(self._kept) < self._kept_events:
            self._kept.append(event)
        else:
            self._measures.drops.add("ari_event_kept")
            raise AriUnreachableError("too many events came before the reconciliation ended")
        if isinstance(event, ApplicationReplaced):
            reason = f"another socket took the application {event.application}"
            log.error("ari_application_replaced", link=self._name, application=event.application)
            raise StandAsideError(reason, state=REPLACED, seconds=REPLACED_SECONDS)

    def _count(self, event: Event) -> None:
        kind = "unknown" if isinstance(event, UnknownEvent) else type(event).__name__
        self._measures.ari_events.add(kind)
        if event.timestamp is not NEVER:
            lag = (datetime.now(UTC) - event.timestamp).total_seconds()
            self._measures.ari_event_lag_seconds.observe(max(lag, 0.0), self._name)

    def _hand_on_kept(self) -> None:
        kept, self._kept = self._kept, None
        for event in kept or ():
            self._hand_on(event)

    def _hand_on(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:
            log.exception("ari_event_failed", link=self._name, event_type=type(event).__name__)

    def _tell_lost(self, reason: str) -> None:
        try:
            self._on_lost(reason)
        except Exception:
            log.exception("ari_lost_failed", link=self._name)
