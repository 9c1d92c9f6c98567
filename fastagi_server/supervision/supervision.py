"""Keeps the records of calls true by what the manager interface tells.

    event -> Sightings -> reports -> the record, one after another for each call

What no event told is found by looking at the PBX after each connect and every 30 s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from fastagi_server.ami.errors import AmiError, AmiRefusedError
from fastagi_server.ami.events import Event
from fastagi_server.ami.snapshots import AsteriskRun, ShownContact
from fastagi_server.ari.dispatch import OrderedDispatch
from fastagi_server.calls.sighting import Report, Seen, Sighting
from fastagi_server.calls.sightings import Sightings
from fastagi_server.supervision.census import Census, Counts
from fastagi_server.supervision.happenings import Missed, OnSighting, happening_of
from fastagi_server.supervision.ports import BookError, CallBook, IsLed, PbxLook
from fastagi_server.supervision.reading import read, show
from fastagi_server.supervision.strangers import Stranger, Strangers
from fastagi_server.telemetry.measures import Measures

TURN_SECONDS = 0.5
"""One turn of the sightings: a call's story is told to the end one second after its end."""

LOOK_SECONDS = 30.0
LATE_SECONDS = 10.0
"""Between two looks at the PBX, and between two askings for calls that are registered late."""

WORK_SECONDS = 60.0
ASKED_AT_ONCE = 100
"""Channels whose records are looked for in one read."""

SYSTEM_VARIABLE = "SGE_SYSTEM"
"""The global of the dialplan under whose value it registers calls."""

_log = structlog.stdlib.get_logger("supervision")


class Supervision:
    """Watches the calls of one Asterisk. `receive`, `connected` and `lost` are for its link.

    `is_led` says whose calls are none of ours. `system_name` is what calls are registered under
    where the dialplan gives no name of its own. `on_sighting` is told of everything that happens.
    """

    def __init__(
        self,
        book: CallBook,
        *,
        system_name: str,
        strangers: Strangers,
        measures: Measures,
        is_led: IsLed,
        on_sighting: OnSighting | None = None,
    ) -> None:
        self._book = book
        self._systems: Collection[str] = (system_name,)
        self._system_name = system_name
        self._strangers = strangers
        self._measures = measures
        self._is_led = is_led
        self._on_sighting = on_sighting
        self._sightings = Sightings()
        self._census = Census()
        self._drops = 0
        self._is_refused = False
        self._pbx: PbxLook | None = None
        self._is_watching = False
        self._blind: str | None = None
        self._owes_certainty = False
        self._news = asyncio.Event()
        self._looking = asyncio.Lock()
        self._dispatch = OrderedDispatch[Report](
            self._write,
            key=lambda report: report.sighting.call_id,
            on_overflow=lambda _: None,  # the next look puts it right
            measures=measures,
            name="call_report",
        )

    @property
    def is_watching(self) -> bool:
        """Whether events come, so that records can be held to be true."""
        return self._is_watching

    @property
    def systems(self) -> Collection[str]:
        """The names under which the dialplan of this PBX registers calls."""
        return self._systems

    @property
    def census(self) -> Census:
        """What is known of bridges, addresses of phones and devices."""
        return self._census

    def counts(self) -> Counts:
        """How many channels, bridges and registered endpoints there are."""
        return Counts(
            self._sightings.live, self._census.bridges, self._census.registered_endpoints()
        )

    def not_registered(self) -> Sequence[Stranger]:
        """The live channels that reached an extension without being registered."""
        return self._strangers.live()

    # -- for the link -----------------------------------------------------------------------------

    def attach(self, pbx: PbxLook) -> None:
        """Where to look at the PBX; to be told before the link runs."""
        self._pbx = pbx

    def receive(self, event: Event) -> None:
        """Take one event; never waits."""
        self._put(read(self._sightings, event))
        self._census.receive(event)
        if self._on_sighting is not None:
            happening = happening_of(event)
            if happening is not None:
                self._on_sighting(happening)

    async def connected(self, run: AsteriskRun) -> None:
        """Look at what is there, before events are handed on. Raises AmiError."""
        self._tell_missed()
        if run.is_new:
            self._put(self._sightings.compare((), _now(), is_certain=True))
        self._owes_certainty = True
        self._is_watching = True
        try:
            await self.look()
        except BookError as error:
            # Events are worth having all the same; the next look makes up for it.
            _log.warning("supervision_postponed", reason=str(error))

    def lost(self, reason: str) -> None:
        """No events come for a while."""
        self._is_watching = False
        self._blind = reason
        _log.warning("supervision_blind", reason=reason)

    def _tell_missed(self) -> None:
        """Tell that what happened before now was not heard, unless this is the first connect."""
        why, self._blind = self._blind, "events were dropped"
        if why is not None and self._on_sighting is not None:
            self._on_sighting(Missed(_now(), why))

    # -- work -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn, ask and look until cancelled; what fails is logged and done again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_every(TURN_SECONDS, self.turn), name="supervision-turns")
                tasks.create_task(_every(LATE_SECONDS, self.ask_again), name="supervision-late")
                tasks.create_task(_every(LOOK_SECONDS, self.look), name="supervision-looks")
                tasks.create_task(self._ask_for_news(), name="supervision-asks")
        finally:
            await self._dispatch.close()

    async def turn(self) -> None:
        """Finish stories, and report whose registration is missed. Raises BookError."""
        self._put(self._sightings.turn())
        drops = self._sightings.drops + self._census.drops
        if drops > self._drops:
            self._measures.drops.add("sighting", amount=drops - self._drops)
            self._drops = drops
        self._strangers.tidy()
        overdue = self._strangers.take_overdue()
        try:
            await self._ask(overdue)
        except BookError:
            for sighting in overdue:
                self._strangers.watch(sighting)
            raise
        for sighting in overdue:
            if sighting.may_be_registered and not self._is_led(sighting.unique_id):
                self._strangers.report(sighting)

    async def ask_again(self) -> None:
        """Ask for calls that were registered after all was seen of them. Raises BookError."""
        await self._ask(self._sightings.unclaimed(), is_late=True)

    async def look(self) -> None:
        """Make records and sightings agree with what is there. Raises AmiError, BookError.

        A call whose channel is not there is lost: at the first look after a connect at once, later
        only when the look before missed it too, because its end may be on its way.
        """
        pbx = self._pbx
        if pbx is None or not self._is_watching:
            return
        async with self._looking:
            self._systems = await self._ask_systems(pbx)
            registered = await self._book.active(self._systems)
            channels, bridges = await pbx.channels(), await pbx.bridges()
            contacts = await _contacts(pbx)
            now = _now()
            self._census.show(bridges, contacts)
            self._put(show(self._sightings, channels, bridges, now), is_late=True)
            for unique_id, call in registered.items():
                if not self._is_led(unique_id):
                    self._sightings.sees(Seen(unique_id, self._linked_id(unique_id)))
                    claimed = self._sightings.claim(unique_id, call.call_id, call.status)
                    self._put(claimed, is_late=True)
            present = {shown.channel.unique_id for shown in channels}
            missing = self._sightings.compare(present, now, is_certain=self._owes_certainty)
            self._put(missing, is_late=True)
            self._owes_certainty = False

    async def idle(self) -> None:
        """Wait until all that was taken so far has been asked for and written."""
        await self._ask(self._wanted())
        await self._dispatch.idle()

    # -- inside -----------------------------------------------------------------------------------

    def _linked_id(self, unique_id: str) -> str:
        known = self._sightings.get(unique_id)
        return unique_id if known is None else known.linked_id

    async def _ask_systems(self, pbx: PbxLook) -> Collection[str]:
        try:
            answer = await pbx.action("Getvar", {"Variable": SYSTEM_VARIABLE})
        except AmiRefusedError as error:
            if not self._is_refused:
                self._is_refused = True
                _log.warning("system_name_unknown", assumed=self._system_name, reason=str(error))
            return (self._system_name,)
        # The dialplan's own name comes first: calls that are registered here get that.
        return tuple(filter(None, dict.fromkeys((answer.get("Value", ""), self._system_name))))

    def _put(self, reports: Iterable[Report], *, is_late: bool = False) -> None:
        for report in reports:
            self._dispatch.put(replace(report, is_late=True) if is_late else report)
        for sighting in self._sightings.take_reached():
            self._strangers.watch(sighting)
        if self._sightings.is_wanting:
            self._news.set()

    async def _ask_for_news(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await _try(lambda: self._ask(self._wanted()))

    def _wanted(self) -> list[Sighting]:
        return self._sightings.take_wanted()

    async def _ask(self, wanted: Sequence[Sighting], *, is_late: bool = False) -> None:
        """Claim those of the channels that are registered."""
        for start in range(0, len(wanted), ASKED_AT_ONCE):
            found = await self._book.find(wanted[start : start + ASKED_AT_ONCE], self._systems)
            for unique_id, call in found.items():
                claimed = self._sightings.claim(unique_id, call.call_id, call.status)
                self._put(claimed, is_late=is_late)

    async def _write(self, _call_id: str, report: Report) -> None:
        if self._is_led(report.sighting.unique_id):
            return
        try:
            await self._book.write(report)
        except BookError as error:
            # The next look finds the record behind the sighting, and says it again.
            _log.warning("call_not_recorded", call=report.sighting.call_id, reason=str(error))
            return
        if not report.is_late:
            lag = (_now() - report.note.at).total_seconds()
            self._measures.call_record_lag_seconds.observe(max(lag, 0.0))


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _try(work)


async def _try(work: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(WORK_SECONDS):
            await work()
    except (AmiError, BookError, TimeoutError) as error:
        _log.warning("supervision_postponed", reason=str(error) or "out of time")
    except Exception:  # noqa: BLE001 - whatever it was, the next try may do better
        _log.exception("supervision_failed")


async def _contacts(pbx: PbxLook) -> Sequence[ShownContact]:
    try:
        return await pbx.contacts()
    except AmiRefusedError:  # an Asterisk without PJSIP
        return ()


def _now() -> datetime:
    return datetime.now(UTC)
