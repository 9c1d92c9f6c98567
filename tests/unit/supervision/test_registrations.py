"""With a remote API supervision knows and says what the AGI routes know and say."""

from collections.abc import Mapping

import pytest
from watched import NOON, Pbx, Scene, answers, at, born, dials, hangs_up, rings

from fastagi_server.ami.errors import AmiRefusedError, AmiUnreachableError
from fastagi_server.calls.models import CallStatus
from fastagi_server.calls.sighting import Report, Seen
from fastagi_server.calls.sightings import Sightings
from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    Outcome,
    RegisteredCall,
    Registration,
    Statement,
    Status,
)
from fastagi_server.registration.ports import Standing
from fastagi_server.registration.registrar import Registrar
from fastagi_server.supervision.ports import BookError, Registered
from fastagi_server.supervision.registrations import RegistrarBook
from fastagi_server.telemetry.measures import Measures

SYSTEMS = ("pbx1", "host")


class Api:
    """A remote API that takes everything."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, object]] = []

    async def register(self, registration: Registration, *, deadline: float) -> RegisteredCall:
        """See CallsApi."""
        self.said.append(("register", registration.unique_id, None))
        return RegisteredCall(f"call-{registration.unique_id}", None)

    async def accept(self, call_id: str, answered_at: object, *, deadline: float) -> None:
        """See CallsApi."""
        self.said.append(("accept", call_id, answered_at))

    async def end(self, call_id: str, ending: Ending, *, deadline: float) -> None:
        """See CallsApi."""
        facts = (ending.hangup_cause, ending.dial_status, ending.ring_ms, ending.answered_ms)
        self.said.append(("end", call_id, facts))

    async def status(self, call_id: str, *, deadline: float) -> str:
        """See CallsApi."""
        return "initiating"


class Outbox:
    """An outbox in which nothing waits."""

    async def append(self, statement: Statement) -> None:
        """See Outbox."""
        raise AssertionError(statement)

    async def standing(self, provisional_id: str) -> Standing:
        """See Outbox."""
        return Standing(waits=False, call_id=None)


class Variables(Pbx):
    """An Asterisk whose channels have the variable SGE_CALL_ID, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.call_ids: dict[str, str] = {}
        self.is_away = False

    async def action(self, name: str, fields: Mapping[str, str] | None = None) -> dict[str, str]:
        """Getvar."""
        if fields is None or "Channel" not in fields:
            return await super().action(name, fields)
        if self.is_away:
            raise AmiUnreachableError("cut")
        if fields["Channel"] not in self.call_ids:
            raise AmiRefusedError(name, "No such channel")
        return {"Value": self.call_ids[fields["Channel"]]}


def registration(number: int = 0, system: str = "pbx1") -> Registration:
    """What the AGI route says of a channel."""
    return Registration(system, f"17.{number}", "", "", "", "1001", "", "", ("SIP/1001",), "audio")


class Remote:
    """A scene whose book is that of a registrar."""

    def __init__(self) -> None:
        self.api, self.pbx = Api(), Variables()
        self.measures = Measures()
        self.registrar = Registrar(self.api, Outbox(), measures=self.measures)
        self.book = RegistrarBook(
            self.registrar, technology="SIP", measures=self.measures, max_known=2
        )
        self.book.attach(self.pbx)
        self.scene = Scene(book=self.book)

    @property
    def said(self) -> list[str]:
        """What the API was told, in order."""
        return [word for word, _, _ in self.api.said]


@pytest.fixture
def remote() -> Remote:
    """A supervision for a remote API."""
    return Remote()


async def test_a_call_of_which_agi_said_only_the_beginning(remote: Remote) -> None:
    """Its answer and its end are told, the end once and with all that is known."""
    await remote.registrar.register(registration(system="host"))
    await remote.scene.happen(born(0), dials(1, 1), rings(1, 2), answers(1, 5), hangs_up(0, 9))
    assert remote.said == ["register", "accept"]
    await remote.scene.turn(2)
    assert remote.api.said[1:] == [
        ("accept", "call-17.0", at(5)),
        ("end", "call-17.0", (16, "ANSWER", 3000, 4000)),
    ]


async def test_a_call_of_which_agi_said_all(remote: Remote) -> None:
    """Nothing is said twice."""
    await remote.registrar.register(registration(system="host"))
    await remote.scene.happen(born(0), dials(1, 1), rings(1, 2))
    key = registration(system="host").key
    await remote.registrar.accept(Acceptance(key, "call-17.0", NOON))
    await remote.scene.happen(answers(1, 5))
    await remote.registrar.end(Ending(registration(system="host"), "call-17.0", 16))
    await remote.scene.happen(hangs_up(0, 9))
    await remote.scene.turn(3)
    assert remote.said == ["register", "accept", "end"]


async def test_a_call_that_another_worker_registered(remote: Remote) -> None:
    """The channel itself knows its call."""
    remote.pbx.call_ids["PJSIP/1000-00000000"] = "call-x"
    await remote.scene.happen(born(0), dials(1, 1), rings(1, 2))
    await remote.scene.happen(answers(1, 5), hangs_up(0, 9))
    await remote.scene.turn(2)
    assert [(word, call_id) for word, call_id, _ in remote.api.said] == [
        ("accept", "call-x"),
        ("end", "call-x"),
    ]
    second = Seen("17.2", "17.2", "PJSIP/1002-00000002")
    remote.pbx.call_ids["PJSIP/1002-00000002"] = "call-y"
    found = await remote.book.find([Sightings().sees(second)], SYSTEMS)
    assert found == {"17.2": Registered("call-y", CallStatus.INITIATING)}
    assert await remote.book.active(SYSTEMS) == found


async def test_a_channel_without_a_call(remote: Remote) -> None:
    """Neither one whose variable is empty, nor one that Asterisk does not know any more."""
    remote.pbx.call_ids["PJSIP/1002-00000002"] = ""
    channels = [
        Sightings().sees(Seen("17.2", "17.2", "PJSIP/1002-00000002")),
        Sightings().sees(Seen("17.3", "17.3", "PJSIP/1002-00000003")),
    ]
    assert await remote.book.find(channels, SYSTEMS) == {}


async def test_a_link_that_is_cut_while_asking(remote: Remote) -> None:
    """Nobody knows whether the channel is registered."""
    remote.pbx.is_away = True
    with pytest.raises(BookError, match="cut"):
        await remote.book.find([Sightings().sees(Seen("17.2", "17.2", "x"))], SYSTEMS)


async def test_a_call_that_is_lost(remote: Remote) -> None:
    """It is ended at once: there is no more to wait for."""
    await remote.registrar.register(registration(system="host"))
    sightings = Sightings()
    sightings.sees(Seen("17.0", "17.0"))
    found = await remote.book.find([sightings.sees(Seen("17.0", "17.0"))], ("host",))
    sightings.claim("17.0", found["17.0"].call_id, found["17.0"].status)
    for report in sightings.compare((), at(9), is_certain=True):
        await remote.book.write(report)
    assert remote.api.said[-1] == ("end", "call-17.0", (None, "", None, None))
    assert await remote.book.active(("host",)) == {}


async def test_the_oldest_is_forgotten(remote: Remote) -> None:
    """Of more calls than were agreed, and counted."""
    for number in range(3):
        await remote.registrar.register(registration(number))
    assert list(await remote.book.active(SYSTEMS)) == ["17.1", "17.2"]
    assert remote.measures.drops.values == {("known_registration",): 1}


async def test_calls_that_have_ended_make_room(remote: Remote) -> None:
    """A long call is not forgotten for short ones that came and went, and nothing is counted."""
    await remote.registrar.register(registration(0))
    for number in range(1, 4):
        await remote.registrar.register(registration(number))
        await remote.registrar.end(Ending(registration(number), f"call-17.{number}", 16))
    assert list(await remote.book.active(SYSTEMS)) == ["17.0"]
    assert remote.measures.drops.values == {}
    for number in (4, 5):
        await remote.registrar.register(registration(number))
    assert list(await remote.book.active(SYSTEMS)) == ["17.4", "17.5"]
    assert remote.measures.drops.values == {("known_registration",): 1}


async def test_a_refused_registration_is_none(remote: Remote) -> None:
    """Nor is what is said of calls that nobody knows."""
    remote.book.hear(registration(), Outcome(Status.REFUSED))
    remote.book.hear(Acceptance("agi-x", "call-x"), Outcome(Status.REGISTERED, "call-x"))
    assert await remote.book.active(SYSTEMS) == {}


async def test_reports_of_unknown_calls(remote: Remote) -> None:
    """What was forgotten is told nobody."""
    sightings = Sightings()
    sightings.sees(Seen("17.0", "17.0"))
    sightings.claim("17.0", "call-x", CallStatus.CONNECTED)
    reports: list[Report] = sightings.ends(Seen("17.0", "17.0"), 16, at(9))
    for report in reports:
        await remote.book.write(report)
    assert remote.api.said == []
