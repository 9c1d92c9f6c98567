"""What a live call orders, report by report."""

import pytest
from live_samples import arrived, at, ended, placed, talking

from fastagi_server.calls.legs import (
    Answer,
    CloseBridge,
    Dial,
    HangUp,
    Join,
    Leg,
    LegState,
    Note,
    OpenBridge,
    Park,
    Ring,
    StopRinging,
    Unpark,
)
from fastagi_server.calls.models import EndedBy, EndFacts
from fastagi_server.calls.transitions import Trigger


def test_two_phones_are_connected() -> None:
    """The first is rung with the second's number; when it is there, the second rings through it."""
    live = placed("PJSIP/1", "PJSIP/2")
    assert live.begin() == [Dial("0", "PJSIP/1", None, "PJSIP/2", is_joined=False)]
    assert live.rings("0", at(0.1)) == [Note(Trigger.RING, at(0.1))]
    assert live.answers("0", at(1)) == [
        OpenBridge(),
        Join("0"),
        Dial("1", "PJSIP/2", "0", "", is_joined=True),
    ]
    assert live.rings("1", at(1.5)) == []
    assert live.answers("1", at(2)) == [Note(Trigger.ACCEPT, at(2))]
    assert live.gone("1", 16, at(5)) == [
        Note(Trigger.END, at(5), EndFacts(16, "ANSWER", 500, 3000, at(5))),
        HangUp("0", 16),
    ]
    assert live.gone("0", 16, at(5.1)) == [CloseBridge()]
    assert live.is_over


def test_one_phone_is_connected_when_it_answers() -> None:
    """A call with one telephone needs nobody else on the line."""
    live = placed("PJSIP/1")
    assert live.begin() == [Dial("0", "PJSIP/1", None, "PJSIP/1", is_joined=False)]
    live.rings("0", at(1))
    assert live.answers("0", at(3)) == [OpenBridge(), Join("0"), Note(Trigger.ACCEPT, at(3))]
    effects = live.gone("0", 16, at(4))
    assert ended(effects) == EndFacts(16, "ANSWER", 2000, 1000, at(4))
    assert effects[1:] == [CloseBridge()]


def test_a_caller_reaches_one_phone() -> None:
    """He joins the bridge unanswered, so that he hears the phone, and is answered with it."""
    live = arrived("PJSIP/1")
    assert live.begin() == [
        OpenBridge(),
        Join("0"),
        Dial("1", "PJSIP/1", "0", "", is_joined=True),
    ]
    live.rings("1", at(1))
    assert live.answers("1", at(2)) == [Answer("0"), Note(Trigger.ACCEPT, at(2))]
    assert live.answers("0", at(2.1)) == []


def test_the_first_of_several_phones_wins() -> None:
    """The caller hears ringing; the others are told that the call was answered elsewhere."""
    live = arrived("PJSIP/1", "PJSIP/2", "PJSIP/3")
    assert live.begin() == [
        Ring("0"),
        Dial("1", "PJSIP/1", "0", "", is_joined=False),
        Dial("2", "PJSIP/2", "0", "", is_joined=False),
        Dial("3", "PJSIP/3", "0", "", is_joined=False),
    ]
    assert live.gone("1", 17, at(1)) == []
    assert live.answers("2", at(2)) == [
        Answer("0"),
        OpenBridge(),
        Join("0"),
        Join("2"),
        Note(Trigger.ACCEPT, at(2)),
        HangUp("3", 26),
    ]
    assert live.answers("3", at(2.01)) == []
    assert live.gone("3", 26, at(2.1)) == []


def test_in_a_conference_all_may_join() -> None:
    """Nobody is cancelled; it lasts while two are there, or one and somebody who may come."""
    live = placed("PJSIP/1", "PJSIP/2", "PJSIP/3", is_conference=True)
    live.begin()
    assert live.answers("0", at(1))[0] == Ring("0")
    assert live.answers("1", at(2)) == [
        StopRinging("0"),
        OpenBridge(),
        Join("0"),
        Join("1"),
        Note(Trigger.ACCEPT, at(2)),
    ]
    assert live.gone("0", 16, at(3)) == []
    assert live.answers("2", at(4)) == [Join("2")]
    assert ended(live.gone("1", 16, at(5))).answered_ms == 3000


@pytest.mark.parametrize(
    ("cause", "told", "status"),
    [
        (17, 17, "BUSY"),
        (19, 19, "NOANSWER"),
        (16, 19, "NOANSWER"),
        (20, 20, "CHANUNAVAIL"),
        (21, 21, "CHANUNAVAIL"),
        (34, 34, "CONGESTION"),
        (None, 20, "CHANUNAVAIL"),
        (0, 20, "CHANUNAVAIL"),
    ],
)
def test_a_phone_that_does_not_answer(cause: int | None, told: int, status: str) -> None:
    """Its cause is the call's, and that of whoever called."""
    live = arrived("PJSIP/1")
    live.begin()
    effects = live.gone("1", cause, at(3))
    assert ended(effects) == EndFacts(told, status, None, None, at(3))
    assert effects[1:] == [HangUp("0", told)]


def test_busy_is_worth_more_than_absent() -> None:
    """Of several phones that failed, the caller hears of the one that tells him most."""
    live = arrived("PJSIP/1", "PJSIP/2", "PJSIP/3")
    live.begin()
    live.gone("1", 17, at(1))
    live.gone("2", 20, at(1))
    assert ended(live.gone("3", 19, at(2))).dial_status == "BUSY"


def test_the_first_phone_is_busy() -> None:
    """Then nobody else is rung."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    effects = live.gone("0", 17, at(1))
    assert ended(effects) == EndFacts(17, "BUSY", None, None, at(1))
    assert len(effects) == 1
    assert live.is_over


@pytest.mark.parametrize("cause", [127, 0, None])
def test_the_caller_gives_up(cause: int | None) -> None:
    """Asterisk has no cause for that; 16 is what it is, for the record and the phone."""
    live = arrived("PJSIP/1")
    live.begin()
    live.rings("1", at(1))
    effects = live.gone("0", cause, at(3))
    assert ended(effects) == EndFacts(16, "CANCEL", 2000, None, at(3))
    assert effects[1:] == [HangUp("1", 16)]


def test_somebody_ends_the_call() -> None:
    """All legs are hung up at once, in whose name the record says."""
    live = talking()
    effects = live.end(at(4), actor="alice")
    assert effects == [
        Note(
            Trigger.END,
            at(4),
            EndFacts(16, "ANSWER", 500, 2000, at(4), ended_by=EndedBy.USER),
            "alice",
        ),
        HangUp("0", 16),
        HangUp("1", 16),
    ]
    assert live.end(at(5)) == []
    assert live.gone("0", 16, at(5)) == []
    assert live.gone("1", 16, at(5)) == [CloseBridge()]


def test_ended_before_anybody_answered() -> None:
    """Who was not rung yet is not hung up."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    effects = live.end(at(1))
    assert ended(effects).dial_status == "CANCEL"
    assert effects[1:] == [HangUp("0", 16)]
    assert live.answers("0", at(1.1)) == []


def test_a_user_takes_a_call() -> None:
    """The caller is answered and waits in the bridge; the phones stop ringing."""
    live = arrived("PJSIP/1", "PJSIP/2")
    live.begin()
    assert live.accept(at(2), "bob") == [
        Answer("0"),
        OpenBridge(),
        Join("0"),
        Note(Trigger.ACCEPT, at(2), actor="bob"),
        HangUp("1", 26),
        HangUp("2", 26),
    ]
    assert live.accept(at(3), "bob") == []
    assert live.gone("1", 26, at(3)) == []
    assert ended(live.gone("0", 16, at(4))).dial_status == "ANSWER"


def test_there_is_nobody_to_answer_in_a_placed_call() -> None:
    """A phone that we ring can only be answered by who holds it."""
    live = placed("PJSIP/1")
    live.begin()
    assert live.accept(at(1), "bob") == []


def test_a_phone_holds() -> None:
    """It is on hold from the first phone that holds to the last that takes it back."""
    live = talking()
    assert live.held("0", at(3)) == [Note(Trigger.HOLD, at(3))]
    assert live.held("0", at(3)) == []
    assert live.held("1", at(4)) == []
    assert live.resumed("0", at(5)) == []
    assert live.resumed("1", at(6)) == [Note(Trigger.RESUME, at(6))]
    assert live.resumed("unknown", at(6)) == []


def test_a_party_holds_by_request() -> None:
    """All but the holder are parked, once; a phone that holds as well keeps the call on hold."""
    live = talking()
    effects = live.park(live.first, at(3), "alice")
    assert effects == [Park("1"), Note(Trigger.HOLD, at(3), actor="alice")]
    assert live.park(live.first, at(3), "alice") == []
    live.held("1", at(4))
    assert live.unpark(at(5), "alice") == [Unpark("1")]
    assert live.resumed("1", at(6)) == [Note(Trigger.RESUME, at(6))]


def test_who_is_not_talking_cannot_be_held() -> None:
    """Before the answer and after the end, nothing is parked."""
    live = placed("PJSIP/1", "PJSIP/2")
    assert live.park(None, at(1), "alice") == []
    live = talking()
    live.end(at(3))
    assert live.park(None, at(4), "alice") == []


def test_the_held_leg_of_a_conference_leaves() -> None:
    """With the last one on hold gone the others talk again."""
    live = placed("PJSIP/1", "PJSIP/2", "PJSIP/3", is_conference=True)
    live.begin()
    for number, second in (("0", 1), ("1", 2), ("2", 3)):
        live.answers(number, at(second))
    live.held("2", at(4))
    assert live.gone("2", 16, at(5)) == [Note(Trigger.RESUME, at(5))]


def test_a_transfer() -> None:
    """One leaves at once, the other hears the new phone ring, and talks to it."""
    live = talking()
    new = Leg("2", "PJSIP/3")
    assert live.transfer(live.first, new) == [
        HangUp("0", 16),
        Dial("2", "PJSIP/3", "1", "", is_joined=True),
    ]
    assert live.gone("0", 16, at(3)) == []
    assert live.answers("2", at(4)) == []
    assert ended(live.gone("2", 16, at(5))).answered_ms == 3000


def test_a_transfer_that_fails() -> None:
    """Nobody takes the place: the call is over, with the cause of that."""
    live = talking()
    live.transfer(live.first, Leg("2", "PJSIP/3"))
    live.gone("0", 16, at(3))
    effects = live.gone("2", 17, at(4))
    assert ended(effects).hangup_cause == 17
    assert effects[1:] == [HangUp("1", 17)]


def test_nobody_to_transfer() -> None:
    """Before the answer, and with one leg alone, there is nobody who could be transferred."""
    live = placed("PJSIP/1")
    assert live.transfer(live.first, Leg("1", "PJSIP/3")) == []
    live.begin()
    live.answers("0", at(1))
    assert live.transfer(live.first, Leg("1", "PJSIP/3")) == []


def test_a_channel_goes_back_to_the_dialplan() -> None:
    """It is not hung up, whoever stays is."""
    live = talking()
    effects = live.left("0", at(4))
    assert ended(effects) == EndFacts(16, "ANSWER", 500, 2000, at(4))
    assert effects[1:] == [HangUp("1", 16)]


def test_a_channel_that_is_being_hung_up_has_not_left() -> None:
    """Its true cause comes with its end."""
    live = talking()
    live.ending("0")
    assert live.left("0", at(4)) == []
    assert ended(live.gone("0", 31, at(4))).hangup_cause == 31


def lost(seconds: float) -> Note:
    """The note of a call that ended unseen."""
    return Note(Trigger.END, at(seconds), EndFacts(ended_at=at(seconds), reason="lost"))


def test_nothing_changed_in_the_gap() -> None:
    """A call whose legs are all there goes on."""
    live = talking()
    assert live.take_stock({"0": LegState.UP, "1": LegState.UP}, at(9)) == []


def test_a_leg_was_lost_in_the_gap() -> None:
    """The other one is hung up; nobody knows the cause."""
    live = talking()
    assert live.take_stock({"1": LegState.UP}, at(9)) == [lost(9), HangUp("1", 16)]


def test_all_was_lost_in_the_gap() -> None:
    """Asterisk itself was away: nothing but the record is left to do, and the bridge."""
    assert talking().take_stock({}, at(9)) == [lost(9), CloseBridge()]


def test_a_phone_answered_in_the_gap() -> None:
    """The call goes on where its reports would have led it."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    assert live.take_stock({"0": LegState.UP}, at(1))[-1] == Dial(
        "1", "PJSIP/2", "0", "", is_joined=True
    )
    both = {"0": LegState.UP, "1": LegState.UP}
    assert live.take_stock(both, at(2)) == [Note(Trigger.ACCEPT, at(2))]
    single = placed("PJSIP/1")
    single.begin()
    assert single.take_stock({"0": LegState.UP}, at(1))[-1] == Note(Trigger.ACCEPT, at(1))


def test_a_phone_was_lost_in_the_gap() -> None:
    """When the one who calls, or all who may answer are gone, the call is lost."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    assert live.take_stock({}, at(1)) == [lost(1)]
    live = arrived("PJSIP/1")
    live.begin()
    assert live.take_stock({"0": LegState.RINGING}, at(1)) == [lost(1), HangUp("0", 16)]


def test_a_call_that_was_being_hung_up_in_the_gap() -> None:
    """Whoever is still there is hung up again."""
    live = talking()
    live.end(at(3))
    assert live.take_stock({"1": LegState.UP}, at(4)) == [HangUp("1", 16)]
    assert live.take_stock({}, at(5)) == [CloseBridge()]


def test_reports_about_others_change_nothing() -> None:
    """A channel that is unknown or gone has nothing to say."""
    live = talking()
    live.end(at(3))
    live.gone("0", 16, at(4))
    for channel in ("unknown", "0"):
        assert live.rings(channel, at(5)) == []
        assert live.answers(channel, at(5)) == []
        assert live.gone(channel, 16, at(5)) == []
        assert live.left(channel, at(5)) == []
