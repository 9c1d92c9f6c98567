"""A call of Asterisk's to a browser user, until it is answered."""

import pytest
from sip_far_end import ANSWER, OFFER, Scene

from fastagi_server.sip.errors import SipStateError, SipSyntaxError
from fastagi_server.sip.events import Ended, Invitation, LegState
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request


def test_an_invitation() -> None:
    """It says whom and who, from where, and in which call; the INVITE is answered 100 at once."""
    scene = Scene.called(
        ("P-Asserted-Identity", '"Carol" <sip:1002@10.0.0.1>'), ("X-SGE-Session", "call-2")
    )
    assert scene.invitation == Invitation("alice", "call-2", "1002", "Carol", ANSWER)
    assert scene.lines == ["100 INVITE"]
    assert scene.last_response().headers.get("To") == "<sip:alice@127.0.0.1:5070>"
    assert (scene.leg.state, scene.leg.session) == (LegState.INVITED, "call-2")


@pytest.mark.parametrize("asserted", ["", "nonsense", "<tel:+49301234>"])
def test_the_caller_without_an_identity(asserted: str) -> None:
    """He is whom From names."""
    scene = Scene.called(("P-Asserted-Identity", asserted))
    assert scene.invitation == Invitation("alice", "", "1001", "Bob", ANSWER)


def test_a_call_is_answered() -> None:
    """180 and 200 make the dialog; it is up, and quiet once the ACK came."""
    scene = Scene.called(("Record-Route", "<sip:proxy;lr>"))
    scene.leg.ring()
    assert scene.leg.state.value == "ringing"
    scene.leg.answer(OFFER)
    assert scene.lines == ["100 INVITE", "180 INVITE", "200 INVITE"]
    response = scene.last_response()
    assert response.body == OFFER.encode()
    assert response.headers.get("Contact") == "<sip:alice@127.0.0.1:5070;transport=tcp>"
    assert response.headers.get("Record-Route") == "<sip:proxy;lr>"
    assert response.headers.get("Content-Type") == "application/sdp"
    assert scene.leg.state is LegState.UP
    scene.ask("ACK", number=100)
    scene.pass_time(60)
    assert scene.lines == ["100 INVITE", "180 INVITE", "200 INVITE"]
    assert scene.told == []


def test_an_answer_is_repeated_until_the_ack() -> None:
    """After 0.5, 1.5, 3.5, 7.5 s and every 4 s; after 32 s the call is ended."""
    scene = Scene.called()
    scene.leg.answer(OFFER)
    scene.pass_time(8)
    assert scene.lines == ["100 INVITE", *["200 INVITE"] * 5]
    scene.pass_time(23)
    assert len(scene.lines) == 11
    scene.pass_time(1)
    assert scene.lines[11:] == ["200 INVITE", "BYE"]
    assert scene.told == [Ended(408, None, by_far_end=True)]


def test_the_ack_stops_the_repetition() -> None:
    """One of another number does not."""
    scene = Scene.called()
    scene.leg.answer(OFFER)
    scene.ask("ACK", number=99)
    scene.pass_time(1)
    assert scene.lines == ["100 INVITE", "200 INVITE", "200 INVITE"]
    scene.ask("ACK", number=100)
    scene.pass_time(60)
    assert len(scene.lines) == 3


def test_no_bye_before_the_ack() -> None:
    """Who hangs up between the two is told the end at once; the BYE follows the ACK."""
    scene = Scene.called()
    scene.leg.answer(OFFER)
    scene.leg.hang_up(16)
    assert scene.told == [Ended(None, 16, by_far_end=False)]
    assert scene.lines == ["100 INVITE", "200 INVITE"]
    assert not scene.leg.is_over
    scene.ask("ACK", number=100)
    assert scene.lines[2:] == ["BYE"]
    assert scene.last("BYE").headers.get("Reason") == "Q.850;cause=16"
    scene.respond("BYE", 200)
    assert scene.leg.is_over


def test_a_bye_without_an_ack() -> None:
    """32 s later it is sent all the same."""
    scene = Scene.called()
    scene.leg.answer(OFFER)
    scene.leg.hang_up()
    scene.pass_time(33)
    assert scene.lines[-1] == "BYE"
    assert scene.told == [Ended(None, None, by_far_end=False)]


@pytest.mark.parametrize("status", [404, 480, 486, 603])
def test_a_call_is_refused(status: int) -> None:
    """The leg is over with the ACK."""
    scene = Scene.called()
    scene.leg.refuse(status)
    assert scene.lines == ["100 INVITE", f"{status} INVITE"]
    assert scene.told == [Ended(status, None, by_far_end=False)]
    assert not scene.leg.is_over
    scene.ask("ACK", number=100)
    assert scene.leg.is_over


def test_a_refusal_without_an_ack_is_over_some_day() -> None:
    """After 32 s."""
    scene = Scene.called()
    scene.leg.hang_up()
    assert scene.lines[-1] == "603 INVITE"
    scene.pass_time(32)
    assert scene.leg.is_over


def test_a_call_is_taken_back() -> None:
    """200 to the CANCEL, 487 to the INVITE, and why."""
    scene = Scene()
    invite = scene.be_called()
    scene.leg.ring()
    scene.cancel(invite, ("Reason", "SIP;cause=200"), ("Reason", "Q.850;cause=26"))
    assert scene.lines == ["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"]
    assert scene.told == [Ended(487, 26, by_far_end=True)]
    scene.ask("ACK", number=100)
    assert scene.leg.is_over


def test_a_cancel_that_comes_too_late() -> None:
    """It changes nothing, and is answered 200 until the ACK, then 481."""
    scene = Scene()
    invite = scene.be_called()
    scene.leg.answer(OFFER)
    scene.cancel(invite)
    assert scene.lines[-1] == "200 CANCEL"
    scene.ask("ACK", number=100)
    scene.cancel(invite)
    assert scene.lines[-1] == "481 CANCEL"
    assert scene.told == []
    assert scene.leg.state is LegState.UP


def test_a_call_taken_back_by_bye() -> None:
    """As some do in an early dialog."""
    scene = Scene.called()
    scene.leg.ring()
    scene.ask("BYE")
    assert scene.lines[2:] == ["200 BYE", "487 INVITE"]
    assert scene.told == [Ended(487, None, by_far_end=True)]


def test_nobody_takes_the_call() -> None:
    """After the limit it is refused."""
    scene = Scene.called(limits=Limits(ringing_seconds=60))
    scene.leg.ring()
    scene.pass_time(60)
    assert scene.lines == ["100 INVITE", "180 INVITE", "480 INVITE"]
    assert scene.told == [Ended(480, None, by_far_end=False)]


def test_a_repeated_invite_gets_the_same_response() -> None:
    """It is the same request; no other call."""
    scene = Scene()
    invite = scene.be_called()
    scene.leg.ring()
    scene.feed(invite)
    assert scene.lines == ["100 INVITE", "180 INVITE", "180 INVITE"]


def test_a_merged_invite_is_a_loop() -> None:
    """The same call by another way."""
    scene = Scene()
    invite = scene.be_called()
    hop = ("Via", "SIP/2.0/TCP 127.0.0.9:5060;branch=z9hG4bKother")
    others = invite.headers.without("Via")
    scene.feed(Request("INVITE", invite.uri, Headers((hop, *others)), invite.body))
    assert scene.lines == ["100 INVITE", "482 INVITE"]


@pytest.mark.parametrize(
    ("method", "answer"),
    [("OPTIONS", "200"), ("INFO", "200"), ("UPDATE", "500"), ("INVITE", "500"), ("REFER", "405")],
)
def test_requests_before_the_answer(method: str, answer: str) -> None:
    """An offer before the first was answered has to wait."""
    scene = Scene.called()
    scene.leg.ring()
    scene.ask(method)
    assert scene.lines[2:] == [f"{answer} {method}"]


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ((("Require", "100rel"),), "420 INVITE"),
        ((("Session-Expires", "60"),), "422 INVITE"),
    ],
)
def test_a_call_that_asks_too_much(fields: tuple[tuple[str, str], ...], answer: str) -> None:
    """An extension we lack, or refreshes too often."""
    scene = Scene.called(*fields)
    assert scene.lines == [answer]
    assert (scene.last_response().headers.get("To") or "").count(";tag=") == 1


def test_what_is_lacking_is_said() -> None:
    """The extension, and the least interval."""
    assert Scene.called(("Require", "timer, 100rel, x")).last_response().headers.get(
        "Unsupported"
    ) == ("100rel, x")
    assert Scene.called(("Session-Expires", "89")).last_response().headers.get("Min-SE") == "90"


def test_a_call_without_an_offer() -> None:
    """There is nothing to be asked of the browser."""
    assert Scene.called(sdp="").lines == ["488 INVITE"]


def test_a_call_to_nobody() -> None:
    """A Request-URI without a user."""
    scene = Scene()
    scene.be_called(uri="sip:127.0.0.1:5070")
    assert scene.lines == ["404 INVITE"]


def test_a_call_without_contact() -> None:
    """It cannot become a dialog."""
    scene = Scene()
    with pytest.raises(SipSyntaxError):
        scene.be_called(contact=("X", "y"))


def test_the_session_timer_of_a_call() -> None:
    """The far end refreshes if it can; else we do."""
    scene = Scene.called(("Session-Expires", "600"), ("Supported", "timer"))
    scene.leg.answer(OFFER)
    headers = scene.last_response().headers
    assert headers.get("Session-Expires") == "600;refresher=uac"
    assert headers.get("Require") == "timer"
    scene = Scene.called(("Session-Expires", "600"))
    scene.leg.answer(OFFER)
    headers = scene.last_response().headers
    assert headers.get("Session-Expires") == "600;refresher=uas"
    assert headers.get("Require") is None


def test_a_call_cannot_be_offered_anything_before_it_is_answered() -> None:
    """Nor be kept."""
    leg = Scene.called().leg
    with pytest.raises(SipStateError):
        leg.offer(OFFER)
    with pytest.raises(SipStateError):
        leg.snapshot()


def test_a_lost_connection_does_not_end_a_call_that_rings() -> None:
    """The answer goes over the next one."""
    scene = Scene.called()
    scene.leg.lose()
    scene.leg.find()
    scene.leg.answer(OFFER)
    assert scene.lines == ["100 INVITE", "200 INVITE"]


def test_an_answer_that_is_too_long() -> None:
    """The call is refused."""
    scene = Scene.called()
    scene.leg.answer("v" * 49_153)
    assert scene.lines == ["100 INVITE", "488 INVITE"]
    assert scene.told == [Ended(488, None, by_far_end=False)]
