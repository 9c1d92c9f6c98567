"""Writes down what happened to browsers' legs, in order, without holding up any of them.

The record of a call that is led in Asterisk is kept there; of any other call from a browser, as
one to a number that the dialplan answers, by what its leg tells. Dialogs are kept for the next run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import NO_FACTS, Note
from fastagi_server.calls.models import EndFacts
from fastagi_server.calls.transitions import Trigger
from fastagi_server.signaling.dialogs import DialogRecord, DialogRecords
from fastagi_server.store.errors import StoreError
from fastagi_server.telemetry.measures import Measures

MAX_WAITING = 10_000
"""Entries that may wait for the store; what comes then is dropped and counted."""

LATE_SECONDS = (0.5, 1.0, 2.0)
"""Before each new attempt to write what the store did not take."""

CLOSE_SECONDS = 2.0

Entry = Callable[[], Awaitable[None]]

_log = structlog.stdlib.get_logger("gateway")


class Clerk:
    """Writes entries one after another while it runs; one that is written twice is as good."""

    def __init__(self, journal: CallJournal, dialogs: DialogRecords, *, measures: Measures) -> None:
        self._journal = journal
        self._dialogs = dialogs
        self._measures = measures
        self._entries = asyncio.Queue[Entry](MAX_WAITING)
        self._begun: Entry | None = None

    def note(self, call_id: str, trigger: Trigger, facts: EndFacts = NO_FACTS) -> None:
        """Note in the record of a call what its leg tells."""
        note = Note(trigger, datetime.now(UTC), facts)
        self._put(lambda: self._journal.note(call_id, note))

    def keep(self, record: DialogRecord) -> None:
        """Keep a dialog as it is now."""
        self._put(lambda: self._dialogs.save(record))

    def drop(self, leg_id: str) -> None:
        """Forget a dialog: it is over."""
        self._put(lambda: self._dialogs.remove(leg_id))

    async def run(self) -> None:
        """Write until cancelled; what is waiting then is written by `close`."""
        while True:
            self._begun = await self._entries.get()
            await self._write(self._begun)
            self._begun = None
            self._entries.task_done()

    async def idle(self) -> None:
        """Wait until everything has been written; for one that runs."""
        await self._entries.join()

    async def close(self) -> None:
        """Write what still waits, within two seconds; first what `run` was stopped at."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._begun is not None:
                    await self._write(self._begun)
                while not self._entries.empty():
                    await self._write(self._entries.get_nowait())
        except TimeoutError:
            self._measures.drops.add("gateway_entry", amount=self._entries.qsize() + 1)

    def _put(self, entry: Entry) -> None:
        try:
            self._entries.put_nowait(entry)
        except asyncio.QueueFull:
            self._measures.drops.add("gateway_entry")

    async def _write(self, entry: Entry) -> None:
        for pause in (*LATE_SECONDS, None):
            try:
                await entry()
            except StoreError as error:
                _log.warning("record_not_written", reason=str(error))
                if pause is None:
                    self._measures.drops.add("gateway_entry")
                    return
                await asyncio.sleep(pause)
            except Exception:  # noqa: BLE001 - one entry's trouble is not the others'
                _log.exception("record_not_written")
                return
            else:
                return
