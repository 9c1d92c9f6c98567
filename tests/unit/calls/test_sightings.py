"""What events of the PBX say of calls that its dialplan leads."""

from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.calls.models import CallStatus, EndFacts
from fastagi_server.calls.sighting import Place, Report, Seen
from fastagi_server.calls.sightings import LEG_TURNS, REMEMBER_TURNS, Sightings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALLER = Seen("17.0", "17.0", "PJSIP/1002-00000000", "1001", "sky-genesis-voip", "1002", "Bob")
PHONE = Seen("17.1", "17.0", "PJSIP/1001-00000001", "1001", "sky-genesis-voip")
OTHER = Seen("17.2", "17.0", "PJSIP/1004-00000002", "1001", "sky-genesis-voip")
TALK = Place("4711", "basic", "simple_bridge")


def after(seconds: float) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(seconds=seconds)


def told(reports: list[Report]) -> list[tuple[str, float]]:
    """What is reported, and how many seconds after noon it happened."""
    return [
        (report.note.trigger.value, (report.note.at - NOON).total_seconds()) for report in reports
    ]


@pytest.fixture
def sightings() -> Sightings:
    """Sightings of a registered caller."""
    sightings = Sightings()
    sightings.sees(CALLER)
    assert sightings.claim("17.0", "c", CallStatus.INITIATING) == []
    return sightings


def settled(sightings: Sightings) -> EndFacts:
    """The rest of the story, told two turns after the end."""
    assert sightings.turn() == []
    (report,) = sightings.turn()
    assert report.is_late
    return report.note.facts


def test_an_answered_call(sightings: Sightings) -> None:
    """It rings, is answered when Dial says so, and ends with how long both took."""
    assert sightings.dials(CALLER, PHONE) == []
    assert told(sightings.rings(PHONE, after(1))) == [("ring", 1)]
    assert told(sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(4))) == [("accept", 4)]
    assert sightings.enters(PHONE, TALK, after(4.001)) == []
    assert sightings.enters(CALLER, TALK, after(4.002)) == []
    assert sightings.ends(PHONE, 16, after(9)) == []
    (end,) = sightings.ends(CALLER, 16, after(9.5))
    assert end.note.facts == EndFacts(hangup_cause=16, ended_at=after(9.5))
    assert end.sighting.call_id == "c"
    assert settled(sightings) == EndFacts(16, "ANSWER", 3000, 5500, after(9.5))


@pytest.mark.parametrize(
    ("status", "cause", "told_cause"),
    [("BUSY", 17, 17), ("NOANSWER", 19, 19), ("CANCEL", 127, 16), ("CHANUNAVAIL", 20, 20)],
)
def test_an_unanswered_call(sightings: Sightings, status: str, cause: int, told_cause: int) -> None:
    """It ends with Dial's word and the PBX's cause, where that says anything."""
    sightings.dials(CALLER, PHONE)
    sightings.rings(PHONE, after(1))
    assert sightings.stops_dialling(CALLER, PHONE, status, after(3)) == []
    assert told(sightings.ends(CALLER, cause, after(20))) == [("end", 20)]
    assert settled(sightings) == EndFacts(told_cause, status, 2000, None, after(20))


def test_a_call_that_never_called_anybody(sightings: Sightings) -> None:
    """A prompt is no answer: there is no talking time and no DIALSTATUS."""
    sightings.ends(CALLER, 16, after(5))
    assert settled(sightings) == EndFacts(16, None, None, None, after(5))


def test_the_first_of_two_phones_to_answer(sightings: Sightings) -> None:
    """What becomes of the other one says nothing of the call."""
    sightings.dials(CALLER, PHONE)
    sightings.dials(CALLER, OTHER)
    sightings.rings(OTHER, after(1))
    sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(3))
    sightings.stops_dialling(CALLER, OTHER, "CANCEL", after(3.01))
    sightings.ends(OTHER, 26, after(3.02))
    assert told(sightings.ends(CALLER, 16, after(5))) == [("end", 5)]
    assert settled(sightings) == EndFacts(16, "ANSWER", 2000, 2000, after(5))


def test_a_conversation_that_was_not_dialled(sightings: Sightings) -> None:
    """Who is in a bridge with somebody else talks, since the second of them came."""
    assert sightings.enters(OTHER, TALK, after(1)) == []
    assert told(sightings.enters(CALLER, TALK, after(2))) == [("accept", 2)]


def test_the_one_who_waited_is_answered_when_another_comes(sightings: Sightings) -> None:
    """Alone in a bridge nobody talks."""
    assert sightings.enters(CALLER, TALK, after(1)) == []
    assert told(sightings.enters(OTHER, TALK, after(2))) == [("accept", 2)]


def test_waiting_in_a_holding_bridge_is_no_conversation(sightings: Sightings) -> None:
    """However many are parked there."""
    lot = Place("lot", "base", "holding_bridge")
    assert sightings.enters(OTHER, lot, after(1)) == []
    assert sightings.enters(CALLER, lot, after(2)) == []


@pytest.mark.parametrize("phone", [CALLER, PHONE], ids=["caller", "callee"])
def test_hold_by_either_phone(sightings: Sightings, phone: Seen) -> None:
    """The call is on hold until the phone takes the others back, however often it is said."""
    sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(1))
    assert told(sightings.holds(phone, after(2), is_held=True)) == [("hold", 2)]
    assert sightings.holds(phone, after(2), is_held=True) == []
    assert told(sightings.holds(phone, after(3), is_held=False)) == [("resume", 3)]
    assert sightings.holds(phone, after(2), is_held=True) == []


def test_a_holder_who_is_gone(sightings: Sightings) -> None:
    """Nobody holds the call any more."""
    sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(1))
    sightings.holds(PHONE, after(2), is_held=True)
    assert told(sightings.ends(PHONE, 16, after(3))) == [("resume", 3)]


def test_a_hold_in_the_next_call_of_a_conference(sightings: Sightings) -> None:
    """Of two registered callers with one linked id only the one who holds is on hold."""
    sightings.sees(OTHER)
    sightings.claim("17.2", "d", CallStatus.CONNECTED)
    sightings.enters(CALLER, TALK, after(1))
    sightings.enters(OTHER, TALK, after(1))
    (hold,) = sightings.holds(OTHER, after(2), is_held=True)
    assert hold.sighting.call_id == "d"


def test_a_hold_that_nobody_saw(sightings: Sightings) -> None:
    """A record that says on hold keeps it until a phone says otherwise."""
    sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(1))
    assert sightings.claim("17.0", "c", CallStatus.ON_HOLD) == []
    assert told(sightings.holds(PHONE, after(3), is_held=False)) == [("resume", 3)]


def test_the_dialplan_said_it_first(sightings: Sightings) -> None:
    """What the record knows is not said again, nor taken back."""
    sightings.claim("17.0", "c", CallStatus.CONNECTED)
    assert sightings.rings(PHONE, after(1)) == []
    assert sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(2)) == []


def test_an_ended_record_gets_the_rest_of_the_story(sightings: Sightings) -> None:
    """A channel that goes on after its call was ended tells the cause when it is gone."""
    sightings.claim("17.0", "c", CallStatus.ENDED)
    assert sightings.ends(CALLER, 16, after(2)) == []
    assert settled(sightings).hangup_cause == 16


def test_registered_long_after(sightings: Sightings) -> None:
    """All that was seen of a channel is told at once, with its true times."""
    late = Sightings()
    late.stops_dialling(CALLER, PHONE, "ANSWER", after(4))
    late.ends(CALLER, 16, after(9))
    assert [each.unique_id for each in late.take_wanted()] == ["17.0"]
    for _ in range(REMEMBER_TURNS):
        assert late.turn() == []
    assert [each.unique_id for each in late.unclaimed()] == ["17.0"]
    assert told(late.claim("17.0", "c", CallStatus.INITIATING)) == [("accept", 4), ("end", 9)]
    assert settled(late) == EndFacts(16, "ANSWER", None, 5000, after(9))


def test_what_is_too_old_is_forgotten() -> None:
    """A dialled leg soon, a caller after ten minutes of turns."""
    late = Sightings()
    late.dials(CALLER, PHONE)
    late.ends(PHONE, 16, NOON)
    late.ends(CALLER, 16, NOON)
    assert late.live == 0
    for _ in range(2 + LEG_TURNS):
        late.turn()
    assert (late.get("17.1"), late.get("17.0") is not None) == (None, True)
    for _ in range(REMEMBER_TURNS):
        late.turn()
    assert (late.get("17.0"), late.claim("17.0", "c", CallStatus.INITIATING)) == (None, [])


def test_only_callers_are_looked_for() -> None:
    """No record is asked for of a dialled leg, nor before anything happened."""
    fresh = Sightings()
    fresh.sees(CALLER)
    assert not fresh.is_wanting
    fresh.dials(CALLER, PHONE)
    fresh.rings(PHONE, NOON)
    assert fresh.is_wanting
    assert [each.unique_id for each in fresh.take_wanted()] == ["17.0"]
    assert fresh.take_wanted() == []


@pytest.mark.parametrize("is_dialled", [True, False], ids=["leg", "bridge"])
def test_what_our_applications_lead_is_theirs(sightings: Sightings, *, is_dialled: bool) -> None:
    """A channel with a leg or in a bridge of ours makes no reports."""
    leg = Seen("sge-1-1", "17.0", "PJSIP/1001-00000001")
    if is_dialled:
        sightings.dials(CALLER, leg)
        sightings.stops_dialling(CALLER, leg, "ANSWER", after(1))
    else:
        sightings.enters(CALLER, Place("sge-1", "stasis", "simple_bridge"), after(1))
    assert sightings.ends(CALLER, 16, after(2)) == []
    assert [sightings.turn(), sightings.turn()] == [[], []]


def test_a_channel_that_is_not_there(sightings: Sightings) -> None:
    """Its end may be on its way the first time; the second time it is lost."""
    sightings.stops_dialling(CALLER, PHONE, "ANSWER", after(1))
    assert sightings.compare({"17.1"}, after(30), is_certain=False) == []
    (lost,) = sightings.compare({"17.1"}, after(60), is_certain=False)
    assert lost.note.facts == EndFacts(ended_at=after(60), reason="lost")
    assert [sightings.turn(), sightings.turn()] == [[], []]


def test_a_channel_that_was_only_missed(sightings: Sightings) -> None:
    """One that the next look finds is not lost by the one after."""
    assert sightings.compare((), after(30), is_certain=False) == []
    assert sightings.compare({"17.0"}, after(60), is_certain=False) == []
    assert sightings.compare((), after(90), is_certain=False) == []


def test_after_a_gap_what_is_not_there_is_lost(sightings: Sightings) -> None:
    """At once; and when its end is told after all, that is the truth."""
    assert told(sightings.compare((), after(30), is_certain=True)) == [("end", 30)]
    assert sightings.ends(CALLER, 17, after(10)) == []
    assert settled(sightings) == EndFacts(17, None, None, None, after(10))


def test_an_end_that_the_record_missed(sightings: Sightings) -> None:
    """A record that is still active afterwards is told again."""
    sightings.ends(CALLER, 16, after(2))
    settled(sightings)
    again = sightings.claim("17.0", "c", CallStatus.CONNECTED)
    assert told(again) == [("end", 2)]
    assert settled(sightings).hangup_cause == 16


def test_who_reached_an_extension() -> None:
    """Who calls or talks is named once, with the context; who sits in a Stasis bridge is not."""
    fresh = Sightings()
    fresh.enters(OTHER, Place("x", "stasis", "simple_bridge"), NOON)
    fresh.dials(CALLER, PHONE)
    fresh.dials(CALLER, OTHER)
    assert [(each.unique_id, each.reached_in) for each in fresh.take_reached()] == [
        ("17.0", "sky-genesis-voip")
    ]
    assert fresh.take_reached() == []


def test_too_many_channels() -> None:
    """Gone legs make room first, then gone callers, then the oldest; each is counted."""
    small = Sightings(max_channels=2)
    small.dials(CALLER, PHONE)
    small.ends(PHONE, 16, NOON)
    small.turn()
    small.turn()
    small.sees(Seen("18.0", "18.0"))
    assert (small.get("17.1"), small.get("17.0") is not None, small.drops) == (None, True, 1)
    small.sees(Seen("19.0", "19.0"))
    assert (small.get("17.0"), small.drops, small.live) == (None, 2, 2)


def test_too_many_that_may_be_registered_late() -> None:
    """The one that has been gone for longest is forgotten, and counted."""
    small = Sightings(max_remembered=1)
    for unique_id in ("17.0", "18.0"):
        small.ends(Seen(unique_id, unique_id), 16, NOON)
        small.turn()
        small.turn()
    assert ([each.unique_id for each in small.unclaimed()], small.drops) == (["18.0"], 1)


def test_what_was_told_is_no_loss() -> None:
    """A gone channel all of whose call is recorded makes room without being counted."""
    small = Sightings(max_remembered=1)
    for unique_id in ("17.0", "18.0"):
        small.sees(Seen(unique_id, unique_id))
        small.claim(unique_id, f"call-{unique_id}", CallStatus.INITIATING)
        small.ends(Seen(unique_id, unique_id), 16, NOON)
        small.turn()
        small.turn()
    assert (small.get("17.0"), small.get("18.0") is not None, small.drops) == (None, True, 0)


def test_other_halves_of_a_registered_call_are_no_loss() -> None:
    """Nor are the channels of Local/ that its dialplan made, when the call itself is forgotten."""
    small = Sightings(max_remembered=1)
    for unique_id in ("17.0", "17.1", "17.2"):
        small.sees(Seen(unique_id, "17.0"))
    small.claim("17.0", "call-17", CallStatus.INITIATING)
    for unique_id in ("17.0", "17.1", "17.2"):
        small.ends(Seen(unique_id, "17.0"), 16, NOON)
    small.turn()
    small.turn()
    small.ends(Seen("18.0", "18.0"), 16, NOON)
    small.turn()
    small.turn()
    assert (small.get("17.2"), small.get("18.0") is not None, small.drops) == (None, True, 0)


def test_a_linked_id_that_changes(sightings: Sightings) -> None:
    """Bridging gives channels the oldest linked id: phones of either still ring for the caller."""
    sightings.sees(Seen("17.0", "16.5", CALLER.name))
    assert told(sightings.rings(Seen("17.9", "16.5"), after(1))) == [("ring", 1)]


def test_a_phone_that_rang_before_its_caller_was_seen() -> None:
    """The caller's call has been ringing since."""
    fresh = Sightings()
    fresh.rings(PHONE, after(1))
    fresh.sees(CALLER)
    assert told(fresh.claim("17.0", "c", CallStatus.INITIATING)) == [("ring", 1)]
