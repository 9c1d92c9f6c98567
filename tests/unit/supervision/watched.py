"""An Asterisk and a book of calls in memory, and events of calls."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from fastagi_server.ami import events
from fastagi_server.ami.errors import AmiRefusedError
from fastagi_server.ami.snapshots import AsteriskRun, ShownChannel, ShownContact
from fastagi_server.calls.models import CallStatus
from fastagi_server.calls.sighting import Report, Sighting
from fastagi_server.supervision.happenings import OnSighting
from fastagi_server.supervision.ports import BookError, CallBook, Registered
from fastagi_server.supervision.strangers import Strangers
from fastagi_server.supervision.supervision import Supervision
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = AsteriskRun(version="22.10.1", system="", started="2026-01-01 10:00:00", is_new=False)
RESTARTED = AsteriskRun(version="22.10.1", system="", started="2026-01-01 11:00:00", is_new=True)


def at(seconds: float) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(seconds=seconds)


def channel(
    number: int,
    state: str = "Up",
    *,
    name: str = "",
    linked: int = 0,
    context: str = "sky-genesis-voip",
) -> events.Channel:
    """A channel, by default a leg of the call of channel 0."""
    return events.Channel(
        unique_id=f"17.{number}",
        linked_id=f"17.{linked}",
        name=name or f"PJSIP/100{number}-0000000{number}",
        state=state,
        caller_number=f"100{number}",
        caller_name="",
        connected_number="",
        exten="1001",
        context=context,
        account_code="",
    )


def bridge(name: str = "b", kind: str = "basic") -> events.Bridge:
    """A bridge."""
    return events.Bridge(name, kind, "simple_bridge", "", "", 2)


def born(number: int, seconds: float = 0.0) -> events.Newchannel:
    """Newchannel."""
    return events.Newchannel(at(seconds), "", channel(number))


def rings(number: int, seconds: float) -> events.Newstate:
    """Newstate."""
    return events.Newstate(at(seconds), "", channel(number, "Ringing"))


def dials(number: int, seconds: float) -> events.DialBegin:
    """DialBegin by channel 0."""
    return events.DialBegin(at(seconds), "", channel(0), channel(number), "1001")


def answers(number: int, seconds: float) -> events.DialEnd:
    """DialEnd of a call of channel 0."""
    return events.DialEnd(at(seconds), "", channel(0), channel(number), "ANSWER")


def hangs_up(number: int, seconds: float, cause: int = 16) -> events.Hangup:
    """Hangup."""
    return events.Hangup(at(seconds), "", channel(number), cause, "Normal Clearing")


def shown(
    number: int, state: str = "Up", bridge_id: str = "", application: str = "Dial"
) -> ShownChannel:
    """A channel in a list of channels."""
    return ShownChannel(channel(number, state), bridge_id, application, "", 5)


class Pbx:
    """An Asterisk that has what a test puts there; `system` is its SGE_SYSTEM, None is refused."""

    def __init__(self) -> None:
        self.shown: list[ShownChannel] = []
        self.bridged: list[events.Bridge] = []
        self.reachable: list[ShownContact] | None = []
        self.system: str | None = "pbx1"

    async def channels(self) -> list[ShownChannel]:
        """See PbxLook."""
        return self.shown

    async def bridges(self) -> list[events.Bridge]:
        """See PbxLook."""
        return self.bridged

    async def contacts(self) -> list[ShownContact]:
        """See PbxLook."""
        if self.reachable is None:
            raise AmiRefusedError("PJSIPShowContacts", "Invalid/unknown command")
        return self.reachable

    async def action(self, name: str, fields: Mapping[str, str] | None = None) -> dict[str, str]:
        """The global SGE_SYSTEM."""
        assert (name, fields) == ("Getvar", {"Variable": "SGE_SYSTEM"})
        if self.system is None:
            raise AmiRefusedError(name, "Permission denied")
        return {"Response": "Success", "Value": self.system}


class Book:
    """A book of registered calls: by unique id what each is, and all that was written."""

    def __init__(self) -> None:
        self.registered: dict[str, Registered] = {}
        self.written: list[Report] = []
        self.asked: list[str] = []
        self.systems: set[tuple[str, ...]] = set()
        self.is_away = False
        self.news = asyncio.Event()

    def register(self, number: int, status: CallStatus = CallStatus.INITIATING) -> None:
        """Have a channel registered as call-number."""
        self.registered[f"17.{number}"] = Registered(f"call-{number}", status)

    async def find(
        self, channels: Collection[Sighting], systems: Collection[str]
    ) -> Mapping[str, Registered]:
        """See CallBook."""
        self._check()
        self.systems.add(tuple(sorted(systems)))
        wanted = [each.unique_id for each in channels]
        self.asked += wanted
        return {each: self.registered[each] for each in wanted if each in self.registered}

    async def active(self, systems: Collection[str]) -> Mapping[str, Registered]:
        """See CallBook."""
        self._check()
        return {
            unique_id: call
            for unique_id, call in self.registered.items()
            if call.status is not CallStatus.ENDED
        }

    async def write(self, report: Report) -> None:
        """See CallBook."""
        self._check()
        self.written.append(report)
        self.news.set()
        call_id = report.sighting.call_id
        self.registered[report.sighting.unique_id] = Registered(call_id, report.sighting.noted)

    def _check(self) -> None:
        if self.is_away:
            raise BookError("the store is closed")

    @property
    def told(self) -> list[tuple[str, str]]:
        """The calls and what was written of them, in order."""
        return [(each.sighting.call_id, each.note.trigger.value) for each in self.written]


class Clock:
    """Seconds, as a test lets them pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """What it says."""
        return self.seconds


class Scene:
    """Supervision of an Asterisk in memory."""

    def __init__(
        self,
        contexts: Collection[str] = ("sky-genesis-voip",),
        on_sighting: OnSighting | None = None,
        book: CallBook | None = None,
    ) -> None:
        self.pbx, self.book, self.clock = Pbx(), Book(), Clock()
        self.measures = Measures()
        self.led: set[str] = set()
        self.supervision = Supervision(
            book or self.book,
            system_name="host",
            strangers=Strangers(contexts, self.measures, grace_seconds=10, clock=self.clock),
            measures=self.measures,
            is_led=lambda unique_id: unique_id in self.led,
            on_sighting=on_sighting,
        )
        self.supervision.attach(self.pbx)

    async def happen(self, *happening: events.Event) -> None:
        """Let events come, and everything be done that follows from them."""
        for event in happening:
            self.supervision.receive(event)
        await self.supervision.idle()

    async def turn(self, turns: int = 1) -> None:
        """Let time pass."""
        for _ in range(turns):
            await self.supervision.turn()
        await self.supervision.idle()
