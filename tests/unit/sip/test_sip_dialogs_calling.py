"""A call of ours until its answer."""

import pytest
from sip_far_end import ANSWER, OFFER, Scene

from fastagi_server.sip.desk import Credentials
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import (
    Answered,
    Ended,
    LegState,
    Progress,
    Refused,
    Ringing,
)
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.session_timer import Terms

DIGEST = 'Digest realm="asterisk", nonce="n", qop="auth", algorithm='


def test_the_invite() -> None:
    """It names the user, the call and us, and offers a session timer and no 100rel."""
    scene = Scene.calling()
    invite = scene.last("INVITE")
    headers = invite.headers
    assert invite.uri == "sip:1001@127.0.0.1:5060"
    assert headers.get("X-SGE-Gateway") == "token"
    assert headers.get("X-SGE-User") == "alice"
    assert headers.get("X-SGE-Session") == "call-1"
    assert headers.get("P-Asserted-Identity") == '"Alice" <sip:alice@127.0.0.1:5070>'
    assert headers.get("Contact") == "<sip:alice@127.0.0.1:5070;transport=tcp>"
    assert headers.get("CSeq") == "1 INVITE"
    assert headers.get("Max-Forwards") == "70"
    assert headers.get("Supported") == "timer"
    assert headers.get("Session-Expires") == "1800"
    assert headers.get("Min-SE") == "90"
    assert invite.body == OFFER.encode()
    assert scene.leg.state is LegState.CALLING


def test_a_call_is_answered() -> None:
    """Rung, heard early, answered: and the answer acknowledged."""
    scene = Scene.calling()
    scene.respond("INVITE", 100)
    scene.respond("INVITE", 180)
    assert scene.leg.state.value == "ringing"
    scene.respond("INVITE", 180)
    scene.respond("INVITE", 183, sdp="v=0 early\r\n")
    scene.respond("INVITE", 183, sdp="v=0 early\r\n")
    scene.respond("INVITE", 200, sdp=ANSWER)
    assert scene.told == [Ringing(), Progress("v=0 early\r\n"), Answered(ANSWER)]
    assert scene.lines == ["INVITE", "ACK"]
    assert scene.leg.state is LegState.UP
    ack = scene.last("ACK")
    assert ack.uri == "sip:127.0.0.1:5060;transport=tcp"
    assert ack.headers.get("CSeq") == "1 ACK"
    assert ack.headers.get("To") == "<sip:1001@127.0.0.1:5060>;tag=far"


def test_an_answer_without_sdp_is_that_of_the_progress() -> None:
    """What was said early holds."""
    scene = Scene.calling()
    scene.respond("INVITE", 183, sdp=ANSWER)
    scene.respond("INVITE", 200)
    assert scene.told == [Progress(ANSWER), Answered(ANSWER)]


def test_an_answer_without_any_sdp_ends_the_call() -> None:
    """There is nothing to be heard: it is acknowledged and ended."""
    scene = Scene.calling()
    scene.respond("INVITE", 200)
    assert scene.told == [Refused(488, "the answer has no SDP", None)]
    assert scene.lines == ["INVITE", "ACK", "BYE"]
    scene.respond("BYE", 200)
    assert scene.leg.is_over


@pytest.mark.parametrize("status", [302, 403, 404, 408, 480, 486, 488, 503, 603])
def test_a_call_is_refused(status: int) -> None:
    """With its status, its reason and its cause; a redirection is a refusal."""
    scene = Scene.calling()
    scene.respond("INVITE", status, ("Reason", "Q.850;cause=17"), reason="No")
    assert scene.told == [Refused(status, "No", 17)]
    assert scene.lines == ["INVITE", "ACK"]
    assert scene.leg.state is LegState.ENDED
    assert scene.leg.is_over


def test_a_repeated_answer_is_acknowledged_again() -> None:
    """And told once."""
    scene = Scene.calling()
    invite = scene.last("INVITE")
    for _ in range(3):
        scene.respond(invite, 200, sdp=ANSWER)
    assert scene.told == [Answered(ANSWER)]
    assert scene.lines == ["INVITE", "ACK", "ACK", "ACK"]
    assert len({message.serialize() for message in scene.said[1:]}) == 1


def test_the_answer_of_another_branch_is_ended() -> None:
    """The call was sent to several, and one is enough."""
    scene = Scene.calling()
    scene.respond("INVITE", 200, sdp=ANSWER)
    scene.respond(scene.said[0], 200, sdp="v=0 other\r\n", tag="other")  # type: ignore[arg-type] # the INVITE
    assert scene.told == [Answered(ANSWER)]
    assert scene.lines == ["INVITE", "ACK", "ACK", "BYE"]
    assert (scene.last("BYE").headers.get("To") or "").endswith(";tag=other")
    assert scene.leg.state is LegState.UP


def test_a_call_is_taken_back_while_it_rings() -> None:
    """CANCEL, and the 487 that follows is acknowledged."""
    scene = Scene.calling()
    scene.respond("INVITE", 180)
    scene.leg.hang_up(16)
    assert scene.told == [Ringing(), Ended(487, 16, by_far_end=False)]
    assert scene.lines == ["INVITE", "CANCEL"]
    assert not scene.leg.is_over
    scene.respond("CANCEL", 200)
    scene.respond("INVITE", 487)
    assert scene.lines == ["INVITE", "CANCEL", "ACK"]
    assert scene.leg.is_over


def test_a_cancel_waits_for_a_provisional_response() -> None:
    """Before one, the far end may not know what is to be cancelled."""
    scene = Scene.calling()
    scene.leg.hang_up()
    assert scene.lines == ["INVITE"]
    scene.respond("INVITE", 100)
    scene.respond("INVITE", 180)
    assert scene.lines == ["INVITE", "CANCEL"]
    assert scene.told == [Ended(487, None, by_far_end=False)]


def test_a_cancel_crosses_the_answer() -> None:
    """The answer is acknowledged, and the call ended by BYE."""
    scene = Scene.calling()
    scene.respond("INVITE", 180)
    scene.leg.hang_up()
    scene.respond("INVITE", 200, sdp=ANSWER)
    assert scene.lines == ["INVITE", "CANCEL", "ACK", "BYE"]
    scene.respond("CANCEL", 481)
    scene.respond("BYE", 200)
    assert scene.told == [Ringing(), Ended(487, None, by_far_end=False)]
    assert scene.leg.is_over


def test_a_cancel_that_is_ignored() -> None:
    """32 s later nobody waits any more."""
    scene = Scene.calling()
    scene.respond("INVITE", 180)
    scene.leg.hang_up()
    scene.pass_time(31)
    assert not scene.leg.is_over
    scene.pass_time(1)
    assert scene.leg.is_over


def test_nobody_answers() -> None:
    """After the limit the call is taken back, and told as 408."""
    scene = Scene.calling(Limits(ringing_seconds=60))
    scene.respond("INVITE", 180)
    scene.pass_time(60)
    assert scene.told == [Ringing(), Refused(408, "nobody answered", None)]
    assert scene.lines == ["INVITE", "CANCEL"]


def test_no_response_at_all() -> None:
    """An INVITE that nobody answers has failed after 32 s."""
    scene = Scene.calling()
    scene.pass_time(32)
    assert scene.told == [Refused(408, "Request Timeout", None)]
    assert scene.leg.is_over


def test_the_connection_is_lost_before_the_answer() -> None:
    """The call has failed: what becomes of it cannot be known."""
    scene = Scene.calling()
    scene.respond("INVITE", 180)
    scene.leg.lose()
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.told == [Ringing(), Refused(503, "Service Unavailable", None)]
    assert scene.leg.is_over


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_challenge_is_answered_once(status: int, asks: str, answers: str) -> None:
    """With the better algorithm and a new number and branch; a second one is a refusal."""
    scene = Scene.calling(credentials=Credentials("gate", "secret"))
    first = scene.last("INVITE")
    challenges = ((asks, DIGEST + "MD5"), (asks, DIGEST + "SHA-256"))
    scene.respond("INVITE", status, *challenges)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]
    second = scene.last("INVITE")
    value = second.headers.get(answers) or ""
    assert "algorithm=SHA-256" in value
    assert 'username="gate"' in value
    assert second.headers.get("CSeq") == "2 INVITE"
    assert second.headers.get("Via") != first.headers.get("Via")
    assert second.headers.get("X-SGE-Session") == "call-1"
    assert second.body == first.body
    scene.respond("INVITE", status, *challenges)
    assert scene.told == [Refused(status, "", None)]
    assert scene.lines == ["INVITE", "ACK", "INVITE", "ACK"]


def test_the_ack_of_a_challenged_call_has_its_credentials() -> None:
    """As RFC 3261, 22.1 has it."""
    scene = Scene.calling(credentials=Credentials("gate", "secret"))
    scene.respond("INVITE", 401, ("WWW-Authenticate", DIGEST + "MD5"))
    scene.respond("INVITE", 200, sdp=ANSWER)
    ack = scene.last("ACK")
    assert ack.headers.get("CSeq") == "2 ACK"
    assert ack.headers.get("Authorization") == scene.last("INVITE").headers.get("Authorization")


@pytest.mark.parametrize("value", ["", "Basic realm=x", DIGEST + "SHA-512"])
def test_a_challenge_that_cannot_be_answered_is_a_refusal(value: str) -> None:
    """Of another scheme or algorithm."""
    scene = Scene.calling(credentials=Credentials("gate", "secret"))
    scene.respond("INVITE", 401, ("WWW-Authenticate", value))
    assert scene.told == [Refused(401, "", None)]


def test_a_challenge_to_a_call_taken_back_is_not_answered() -> None:
    """Nobody wants the call any more."""
    scene = Scene.calling(credentials=Credentials("gate", "secret"))
    scene.leg.hang_up()
    scene.respond("INVITE", 401, ("WWW-Authenticate", DIGEST + "MD5"))
    assert scene.lines == ["INVITE", "ACK"]
    assert scene.leg.is_over


def test_a_longer_interval_is_granted_once() -> None:
    """A 422 says how long is long enough."""
    scene = Scene.calling(Limits(terms=Terms(interval=90, shortest=90)))
    scene.respond("INVITE", 422, ("Min-SE", "600"))
    assert scene.lines == ["INVITE", "ACK", "INVITE"]
    second = scene.last("INVITE")
    assert second.headers.get("Session-Expires") == "600"
    assert second.headers.get("Min-SE") == "600"
    scene.respond("INVITE", 422, ("Min-SE", "900"), reason="No")
    assert scene.told == [Refused(422, "No", None)]


@pytest.mark.parametrize("value", ["", "x", "60", "1800", "99999999"])
def test_a_422_without_use_is_a_refusal(value: str) -> None:
    """One that names nothing longer."""
    scene = Scene.calling()
    scene.respond("INVITE", 422, ("Min-SE", value), reason="No")
    assert scene.told == [Refused(422, "No", None)]


@pytest.mark.parametrize(
    ("method", "answer"),
    [("OPTIONS", "200"), ("INFO", "200"), ("UPDATE", "491"), ("BYE", "481"), ("NOTIFY", "405")],
)
def test_requests_before_the_answer(method: str, answer: str) -> None:
    """There is nothing to be changed or ended yet."""
    scene = Scene.calling()
    scene.respond("INVITE", 180)
    scene.ask(method)
    assert scene.lines == ["INVITE", f"{answer} {method}"]


def test_nothing_else_can_be_asked_of_a_call_that_is_not_answered() -> None:
    """Neither a new offer, nor an answer, nor a snapshot."""
    leg = Scene.calling().leg
    for ask in (leg.ring, leg.snapshot):
        with pytest.raises(SipStateError):
            ask()
    with pytest.raises(SipStateError):
        leg.offer(OFFER)
    with pytest.raises(SipStateError):
        leg.answer(ANSWER)
    with pytest.raises(SipStateError):
        leg.refuse(486)


def test_a_leg_that_ended_does_nothing() -> None:
    """An end may cross whatever its owner asks."""
    scene = Scene.calling()
    scene.respond("INVITE", 486, reason="No")
    leg = scene.leg
    leg.ring()
    leg.answer(ANSWER)
    leg.refuse(486)
    leg.offer(OFFER)
    leg.hang_up()
    assert scene.told == [Refused(486, "No", None)]
    assert scene.lines == ["INVITE", "ACK"]


def test_a_stray_response_is_not_known() -> None:
    """One of another branch, or of another number."""
    scene = Scene.calling()
    other = Scene.calling().last("INVITE")
    assert not scene.respond(other, 200, sdp=ANSWER)
    assert scene.told == []
