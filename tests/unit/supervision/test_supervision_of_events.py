"""Events become reports in the records of calls; what no event told is found by looking."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from watched import (
    NOON,
    RESTARTED,
    RUN,
    Scene,
    answers,
    born,
    bridge,
    dials,
    hangs_up,
    rings,
    shown,
)

from fastagi_server.ami.snapshots import ShownContact
from fastagi_server.calls.models import CallStatus, EndFacts
from fastagi_server.supervision.happenings import Happening, Missed
from fastagi_server.supervision.ports import BookError
from fastagi_server.supervision.supervision import Supervision


@pytest.fixture
async def scene() -> Scene:
    """A supervision that is connected to an empty Asterisk."""
    scene = Scene()
    await scene.supervision.connected(RUN)
    return scene


async def test_the_life_of_a_call(scene: Scene) -> None:
    """Every event of a registered call is in its record, in order, with the rest of the story."""
    scene.book.register(0)
    await scene.happen(born(0), born(1), dials(1, 1), rings(1, 2))
    await scene.happen(answers(1, 5), hangs_up(1, 9), hangs_up(0, 9))
    await scene.turn(2)
    assert scene.book.told == [
        ("call-0", "ring"),
        ("call-0", "accept"),
        ("call-0", "end"),
        ("call-0", "end"),
    ]
    assert scene.book.written[-1].note.facts == EndFacts(
        16, "ANSWER", 3000, 4000, scene.book.written[-1].note.at
    )
    assert scene.book.systems == {("host", "pbx1")}


async def test_a_call_that_is_not_registered(scene: Scene) -> None:
    """It is asked for when something happens to it, and nothing is written."""
    await scene.happen(born(0), born(1), dials(1, 1), rings(1, 2), answers(1, 5))
    await scene.turn(5)
    assert scene.book.written == []
    assert set(scene.book.asked) == {"17.0"}


async def test_registered_minutes_later(scene: Scene) -> None:
    """What was seen meanwhile is told when the record is there."""
    await scene.happen(born(0), dials(1, 1), rings(1, 2), answers(1, 5), hangs_up(0, 9))
    scene.book.register(0)
    await scene.supervision.ask_again()
    await scene.turn(2)
    assert scene.book.told == [("call-0", "accept"), ("call-0", "end"), ("call-0", "end")]
    assert all(report.is_late for report in scene.book.written)
    assert scene.measures.call_record_lag_seconds.values == {}


async def test_what_our_applications_lead_is_left_to_them(scene: Scene) -> None:
    """Reports of a channel that is led here are not written, and no record of it is lost."""
    scene.book.register(0)
    scene.led.add("17.0")
    await scene.happen(born(0), dials(1, 1), rings(1, 2), hangs_up(0, 3))
    await scene.supervision.connected(RUN)
    await scene.turn(3)
    assert scene.book.written == []


async def test_a_record_whose_channel_is_gone(scene: Scene) -> None:
    """After a connect it is lost at once: nobody will ever tell its end."""
    scene.book.register(7, CallStatus.CONNECTED)
    await scene.supervision.connected(RUN)
    await scene.supervision.idle()
    (report,) = scene.book.written
    assert report.sighting.call_id == "call-7"
    assert (report.note.facts.reason, report.note.facts.hangup_cause) == ("lost", None)


async def test_a_channel_that_a_later_look_misses(scene: Scene) -> None:
    """Once may be a matter of time; twice is the end."""
    scene.book.register(0)
    await scene.happen(born(0), dials(1, 1), rings(1, 2))
    await scene.supervision.look()
    await scene.supervision.idle()
    assert scene.book.told == [("call-0", "ring")]
    await scene.supervision.look()
    await scene.supervision.idle()
    assert scene.book.told == [("call-0", "ring"), ("call-0", "end")]


async def test_after_a_restart_of_asterisk_every_call_is_lost(scene: Scene) -> None:
    """Even where a new channel has the id of an old one."""
    scene.book.register(0)
    await scene.happen(born(0), dials(1, 1), rings(1, 2))
    scene.pbx.shown = [shown(0)]
    await scene.supervision.connected(RESTARTED)
    await scene.supervision.idle()
    assert scene.book.told[:2] == [("call-0", "ring"), ("call-0", "end")]
    assert {report.note.facts.reason for report in scene.book.written[1:]} == {"lost"}


async def test_what_is_there_after_our_own_restart(scene: Scene) -> None:
    """A call that was answered while nobody looked is connected now, and goes on."""
    scene.book.register(0, CallStatus.RINGING)
    scene.pbx.shown = [shown(0, bridge_id="b"), shown(1, bridge_id="b", application="AppDial")]
    scene.pbx.bridged = [bridge()]
    await scene.supervision.connected(RUN)
    await scene.supervision.idle()
    assert scene.book.told == [("call-0", "accept")]
    await scene.happen(hangs_up(1, 3), hangs_up(0, 3))
    assert scene.book.told[1:] == [("call-0", "end")]


async def test_a_phone_that_rings_after_our_own_restart(scene: Scene) -> None:
    """Its caller's call is ringing."""
    scene.book.register(0)
    scene.pbx.shown = [shown(0, "Ring"), shown(1, "Ringing", application="AppDial")]
    await scene.supervision.connected(RUN)
    await scene.supervision.idle()
    assert scene.book.told == [("call-0", "ring")]


async def test_a_store_that_is_away(scene: Scene) -> None:
    """What could not be written is written by the next look, once."""
    scene.book.register(0)
    await scene.happen(born(0), dials(1, 1), rings(1, 2))
    scene.book.is_away = True
    await scene.happen(answers(1, 5), hangs_up(0, 9))
    with pytest.raises(BookError):
        await scene.supervision.look()
    await scene.turn(3)
    scene.book.is_away = False
    await scene.supervision.look()
    await scene.supervision.idle()
    await scene.turn(2)
    assert [trigger for _, trigger in scene.book.told] == ["ring", "accept", "end", "end"]
    assert scene.book.written[-1].note.facts.answered_ms == 4000


async def test_a_store_that_is_away_for_a_moment(scene: Scene) -> None:
    """The rest of the story makes up for what could not be written."""
    scene.book.register(0)
    await scene.happen(born(0), dials(1, 1), rings(1, 2))
    scene.book.is_away = True
    await scene.happen(answers(1, 5), hangs_up(0, 9))
    scene.book.is_away = False
    await scene.turn(2)
    assert scene.book.told == [("call-0", "ring"), ("call-0", "end")]
    assert scene.book.written[-1].note.facts.answered_ms == 4000


async def test_a_store_that_is_away_at_the_connect(scene: Scene) -> None:
    """Events are taken all the same, and the next look is as certain as the first."""
    scene.book.register(7, CallStatus.CONNECTED)
    scene.book.is_away = True
    await scene.supervision.connected(RUN)
    assert scene.supervision.is_watching
    scene.book.is_away = False
    await scene.supervision.look()
    await scene.supervision.idle()
    assert scene.book.told == [("call-7", "end")]


async def test_what_was_not_heard_is_told() -> None:
    """After a lost link, and after events that were dropped, whoever listens hears of a gap."""
    told: list[Happening] = []
    supervision = Scene(on_sighting=told.append).supervision
    await supervision.connected(RUN)
    assert told == []
    supervision.lost("the connection was cut")
    assert told == []
    await supervision.connected(RUN)
    await supervision.connected(RUN)
    assert [each.why for each in told if isinstance(each, Missed)] == [
        "the connection was cut",
        "events were dropped",
    ]
    assert len(told) == 2


async def test_nothing_is_looked_at_while_there_is_no_link(scene: Scene) -> None:
    """Without events nobody can say what is true."""
    scene.supervision.lost("cut")
    scene.book.register(7, CallStatus.CONNECTED)
    await scene.supervision.look()
    await scene.supervision.look()
    assert not scene.supervision.is_watching
    assert scene.book.written == []


@pytest.mark.parametrize(("system", "known"), [("", {"host"}), (None, {"host"})])
async def test_a_dialplan_without_a_name(scene: Scene, system: str | None, known: set[str]) -> None:
    """Calls are looked for under the service's own name for the PBX."""
    scene.pbx.system = system
    await scene.supervision.look()
    await scene.supervision.look()
    assert set(scene.supervision.systems) == known


async def test_counts(scene: Scene) -> None:
    """Channels by events, bridges and endpoints by both, an Asterisk without PJSIP included."""
    scene.pbx.shown, scene.pbx.bridged = [shown(0), shown(1)], [bridge()]
    scene.pbx.reachable = [
        ShownContact("1001", "1001", "sip:1001@a", "Reachable", "", 0, 0.0),
        ShownContact("1001", "1001", "sip:1001@b", "Reachable", "", 0, 0.0),
        ShownContact("1002", "1002", "sip:1002@a", "Unreachable", "", 0, 0.0),
    ]
    await scene.supervision.look()
    counts = scene.supervision.counts()
    assert (counts.channels, counts.bridges, counts.registered_endpoints) == (2, 1, 1)
    await scene.happen(hangs_up(0, 3))
    scene.pbx.reachable = None
    await scene.supervision.look()
    counts = scene.supervision.counts()
    assert (counts.channels, counts.registered_endpoints) == (1, 0)


@pytest.fixture
async def running(scene: Scene) -> AsyncGenerator[Supervision]:
    """A supervision that does its work by itself."""
    task = asyncio.create_task(scene.supervision.run())
    yield scene.supervision
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_event_is_enough(scene: Scene, running: Supervision) -> None:
    """Nobody needs to ask: a registered call is found when it begins to ring."""
    scene.book.register(0)
    running.receive(dials(1, 1))
    running.receive(rings(1, 2))
    async with asyncio.timeout(5):
        await scene.book.news.wait()
    assert scene.book.told == [("call-0", "ring")]
    assert scene.book.written[0].note.at > NOON
