"""Brings what the logs of calls and rooms say into the stream, whichever process wrote it."""

import asyncio
from collections.abc import Callable

import structlog

from fastagi_server.events.models import Event
from fastagi_server.events.ports import EventLogs, LogReading, RecordsError

POLL_SECONDS = 1.0
"""How late events of other processes may come; those of this one are hinted at."""

REST_SECONDS = 0.02
"""Between two looks, so that a busy service reads fifty times a second and not a thousand."""

BATCH = 200

log = structlog.get_logger()


class Tail:
    """Reads the logs from their present end on and gives each event to `publish`."""

    def __init__(
        self,
        logs: EventLogs,
        publish: Callable[[Event], None],
        *,
        poll_seconds: float = POLL_SECONDS,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._logs = logs
        self._publish = publish
        self._poll_seconds = poll_seconds
        self._rest_seconds = rest_seconds
        self._hint = logs.open_hint()
        self._reading: LogReading | None = None
        self._is_blind = False

    async def run(self) -> None:
        """Read until cancelled; whatever fails is tried again."""
        while True:
            try:
                await self.look()
            except Exception:
                # A line that nobody understands must not end the other parts of the service.
                log.exception("event_tail_failed")
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._hint.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(self._rest_seconds)

    async def look(self) -> None:
        """Publish all that is new."""
        self._hint.clear()
        try:
            if self._reading is None:
                self._reading = await self._logs.open_reading(None)
            while batch := await self._reading.read(BATCH):
                for logged in batch:
                    self._publish(logged.event)
        except RecordsError as error:
            if not self._is_blind:
                log.warning("event_logs_unreadable", reason=str(error))
            self._is_blind = True
        else:
            self._is_blind = False
