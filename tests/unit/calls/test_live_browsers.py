"""A live call in which a browser takes part that came by itself."""

from live_samples import at, ended, placed, talking

from fastagi_server.calls.legs import (
    Answer,
    Dial,
    HangUp,
    Join,
    Leg,
    LegState,
    Note,
    OpenBridge,
    Ring,
)
from fastagi_server.calls.models import EndedBy, EndFacts
from fastagi_server.calls.transitions import Trigger


def browser() -> Leg:
    """The leg of a browser that has just come."""
    return Leg("b", "", "alice", LegState.RINGING)


def test_the_caller_comes_while_a_phone_rings() -> None:
    """He hears ringing, and both are connected when the phone answers."""
    live = placed("PJSIP/1")
    live.begin()
    live.rings("0", at(0.5))
    assert live.arrives(browser(), at(1), calls=True) == [Ring("b")]
    assert live.answers("0", at(2)) == [
        Answer("b"),
        OpenBridge(),
        Join("b"),
        Join("0"),
        Note(Trigger.ACCEPT, at(2)),
    ]


def test_the_caller_comes_when_the_phone_has_answered() -> None:
    """He joins it; when one of the two goes, the call is over."""
    live = placed("PJSIP/1")
    live.begin()
    live.answers("0", at(1))
    assert live.arrives(browser(), at(2), calls=True) == [Answer("b"), Join("b")]
    live.ending("b", hung_up=True)
    effects = live.gone("b", 16, at(3))
    assert ended(effects) == EndFacts(16, "ANSWER", None, 2000, at(3), ended_by=EndedBy.CALLER)
    assert HangUp("0", 16) in effects


def test_the_caller_comes_before_the_others_are_rung() -> None:
    """A first phone that has answered already talks to him at once."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    live.answers("0", at(1))
    effects = live.arrives(browser(), at(2), calls=True)
    assert effects[0] == Answer("b")
    assert Note(Trigger.ACCEPT, at(2)) in effects


def test_the_others_are_rung_for_the_caller_who_comes() -> None:
    """They do not wait for the first phone any more; when nobody answers the call ends."""
    live = placed("PJSIP/1", "PJSIP/2", "PJSIP/3")
    live.begin()
    live.rings("0", at(0.5))
    assert live.arrives(browser(), at(1), calls=True) == [
        Ring("b"),
        Dial("1", "PJSIP/2", "b", "", is_joined=False),
        Dial("2", "PJSIP/3", "b", "", is_joined=False),
    ]
    assert live.gone("0", 19, at(2)) == []
    assert live.gone("1", 17, at(3)) == []
    assert ended(live.gone("2", 19, at(4))).dial_status == "BUSY"


def test_the_first_phone_answers_the_caller_who_came() -> None:
    """It wins over those that ring with it."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    live.arrives(browser(), at(1), calls=True)
    effects = live.answers("0", at(2))
    assert Note(Trigger.ACCEPT, at(2)) in effects
    assert HangUp("1", 26) in effects


def test_the_phone_is_busy() -> None:
    """The caller hears why."""
    live = placed("PJSIP/1")
    live.begin()
    live.arrives(browser(), at(1), calls=True)
    effects = live.gone("0", 17, at(2))
    assert ended(effects).dial_status == "BUSY"
    assert HangUp("b", 17) in effects


def test_another_party_comes_to_a_connected_call() -> None:
    """It is answered, and the call goes on when it leaves."""
    live = talking()
    assert live.arrives(browser(), at(3), calls=False) == [Answer("b"), Join("b")]
    assert live.gone("b", 16, at(4)) == []
    assert not live.is_ended


def test_another_party_comes_too_early() -> None:
    """Who is called takes part when the call is connected, not before."""
    live = placed("PJSIP/1", "PJSIP/2")
    live.begin()
    assert live.arrives(browser(), at(1), calls=False) == [HangUp("b", 16)]


def test_somebody_comes_too_late() -> None:
    """Into a call that has ended nobody is let."""
    live = talking()
    live.end(at(3))
    assert live.arrives(browser(), at(4), calls=True) == [HangUp("b", 16)]
    live.gone("0", 16, at(5))
    live.gone("1", 16, at(5))
    live.gone("b", 16, at(5))
    assert live.is_over
