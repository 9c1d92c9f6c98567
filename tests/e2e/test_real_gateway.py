"""Calls of browsers through the gateway and a real Asterisk: what is signalled and recorded."""

from collections.abc import Iterator

import pytest
from browser_user import SETTINGS, BrowserUser
from led_calls import end_of, ended_by, kinds, wait_for_status

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings, gateway_settings

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def led_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of this module's own."""
    with Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as running:
        yield running


@pytest.fixture(scope="module")
def leading_service(led_asterisk: Asterisk) -> Iterator[Service]:
    """Run a service that takes the calls of browsers."""
    given = {
        "SGE_RING_SECONDS": "5",
        "SGE_EXTENSIONS": '{"1003": "bob"}',
    }
    given["SGE_DIAL_STRINGS"] = '{"1003": ["PJSIP/bob@sge-gateway"]}'
    links = {**ari_settings(led_asterisk), **gateway_settings(led_asterisk)}
    with Service.start({**links, **SETTINGS, **given}) as running:
        running.wait_for_log("link_state", link="ari", state="up")
        running.wait_for_log("link_state", link="sip", state="up")
        led_asterisk.set_global("SGE_AGI", running.agi)
        yield running


@pytest.fixture
def alice(led: Asterisk, leading_service: Service) -> Iterator[BrowserUser]:
    """A user with a page open."""
    with BrowserUser(leading_service, "alice") as user:
        yield user


@pytest.fixture
def bob(led: Asterisk, leading_service: Service) -> Iterator[BrowserUser]:
    """Another one."""
    with BrowserUser(leading_service, "bob") as user:
        yield user


def test_a_number_of_the_dialplan(alice: BrowserUser, leading_service: Service) -> None:
    """What the dialplan answers by itself is recorded by what the leg tells."""
    call_id = alice.call("SIP/600")
    answer = alice.hear(call_id, "answer")
    assert answer["type"] == "answer"
    assert "a=candidate:" in answer["sdp"]
    wait_for_status(leading_service, call_id, "connected")
    alice.signal(call_id, "hangup")
    assert alice.hear(call_id, "hangup") == {"reason": "ended", "status": None, "cause": None}
    assert end_of(leading_service, call_id) == ("ended", 16, "ANSWER")
    assert ended_by(leading_service, call_id) == "caller"
    assert kinds(leading_service, call_id) == ["created", "accepted", "ended"]


def test_a_browser_calls_a_phone(
    led: Asterisk, alice: BrowserUser, leading_service: Service
) -> None:
    """The phone rings, answers and hangs up, and the page hears all of it."""
    with Phone.answering(led, "1001", ring_ms=300, hang_up_after_ms=500) as phone:
        call_id = alice.call("SIP/1001")
        assert alice.hear(call_id, "ringing") == {}
        assert alice.hear(call_id, "answer")["type"] == "answer"
        assert alice.hear(call_id, "hangup") == {"reason": "ended", "status": None, "cause": 16}
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call_id) == ("ended", 16, "ANSWER")
    assert ended_by(leading_service, call_id) == "callee"
    assert kinds(leading_service, call_id) == ["created", "ringing", "accepted", "ended"]


@pytest.mark.parametrize(
    ("number", "reason", "cause", "status"),
    [("1001", "busy", 17, "BUSY"), ("1002", "unreachable", 20, "CHANUNAVAIL")],
)
def test_a_phone_that_does_not_answer(
    led: Asterisk,
    alice: BrowserUser,
    leading_service: Service,
    number: str,
    reason: str,
    cause: int,
    status: str,
) -> None:
    """The page is told why: somebody talks, or no phone is there."""
    with Phone.busy(led, "1001"):
        call_id = alice.call(f"SIP/{number}")
        told = alice.hear(call_id, "hangup")
    assert (told["reason"], told["cause"]) == (reason, cause)
    assert end_of(leading_service, call_id) == ("ended", cause, status)


def test_a_number_that_nobody_has(alice: BrowserUser, leading_service: Service) -> None:
    """It is another thing than a phone that is switched off."""
    call_id = alice.call("SIP/7777")
    assert alice.hear(call_id, "hangup") == {"reason": "unknown", "status": 404, "cause": 1}
    assert end_of(leading_service, call_id) == ("ended", 1, "CHANUNAVAIL")


def test_a_caller_gives_up(led: Asterisk, alice: BrowserUser, leading_service: Service) -> None:
    """The phone stops ringing."""
    with Phone.not_answering(led, "1001") as phone:
        call_id = alice.call("SIP/1001")
        alice.hear(call_id, "ringing")
        alice.signal(call_id, "hangup")
        assert alice.hear(call_id, "hangup")["reason"] == "cancelled"
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call_id) == ("ended", 16, "CANCEL")


def test_the_commands_of_a_call(
    led: Asterisk, alice: BrowserUser, leading_service: Service
) -> None:
    """Mute by message, hold by request; then the other party is ended with the call."""
    with Phone.answering(led, "1001") as phone:
        call_id = alice.call("SIP/1001")
        alice.hear(call_id, "answer")
        wait_for_status(leading_service, call_id, "connected")
        alice.signal(call_id, "mute")
        alice.signal(call_id, "unmute")
        assert alice.request("POST", f"/calls/{call_id}/hold", {})["status"] == "on_hold"
        assert alice.request("POST", f"/calls/{call_id}/unhold", {})["status"] == "connected"
        alice.request("POST", f"/calls/{call_id}/end")
        assert alice.hear(call_id, "hangup")["reason"] == "ended"
        assert phone.wait(), phone.explain()
    noted = kinds(leading_service, call_id)
    assert noted[-5:] == ["muted", "unmuted", "held", "resumed", "ended"]


def test_a_phone_calls_a_browser(led: Asterisk, bob: BrowserUser, leading_service: Service) -> None:
    """An extension rings the page of its user, who answers; the phone hangs up."""
    with Phone.calling(led, "1001", "1003", hang_up_after_ms=700) as phone:
        call_id, offer = bob.rung()
        assert offer["caller_number"] == "1001"
        assert offer["sdp"].startswith("v=0")
        bob.answer(call_id)
        assert bob.hear(call_id, "hangup")["reason"] == "answered_elsewhere"
        assert bob.hear(call_id, "hangup")["reason"] == "ended"
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call_id) == ("ended", 16, "ANSWER")
    assert ended_by(leading_service, call_id) == "caller"


def test_a_browser_declines(led: Asterisk, bob: BrowserUser, leading_service: Service) -> None:
    """The caller hears that the call was rejected."""
    with Phone.calling(led, "1001", "1003") as phone:
        call_id, _ = bob.rung()
        bob.signal(call_id, "hangup")
        assert bob.hear(call_id, "hangup")["reason"] == "refused"
        phone.wait()
    assert end_of(leading_service, call_id) == ("ended", 21, "CHANUNAVAIL")


def test_a_browser_that_is_not_there(led: Asterisk, leading_service: Service) -> None:
    """A caller is told at once that nobody has a page open."""
    with Phone.calling(led, "1001", "1003") as phone:
        phone.wait()
    assert 480 in phone.statuses()


def test_a_caller_takes_the_call_back(
    led: Asterisk, bob: BrowserUser, leading_service: Service
) -> None:
    """The page stops ringing, and an answer is too late."""
    with Phone.calling(led, "1001", "1003", cancel_after_ms=500):
        call_id, _ = bob.rung()
        assert bob.hear(call_id, "hangup")["reason"] == "cancelled"
    assert end_of(leading_service, call_id) == ("ended", 16, "CANCEL")
    bob.signal(call_id, "answer", bob.description("answer"), status=409)


def test_a_browser_calls_a_browser(
    led: Asterisk, alice: BrowserUser, bob: BrowserUser, leading_service: Service
) -> None:
    """A user is called by name, and rung in his page."""
    call_id = alice.call("bob")
    assert bob.rung()[0] == call_id
    alice.hear(call_id, "ringing")
    bob.answer(call_id)
    alice.hear(call_id, "answer")
    wait_for_status(leading_service, call_id, "connected")
    names = {each["name"].rpartition("-")[0] for each in led.control.channels()}
    assert names == {"PJSIP/sge-gateway"}
    bob.hear(call_id, "hangup")
    bob.signal(call_id, "hangup")
    assert alice.hear(call_id, "hangup")["reason"] == "ended"
    assert ended_by(leading_service, call_id) == "callee"


def test_a_page_is_closed(led: Asterisk, alice: BrowserUser, leading_service: Service) -> None:
    """Ten seconds later its call is over."""
    with Phone.answering(led, "1001") as phone:
        call_id = alice.call("SIP/1001")
        wait_for_status(leading_service, call_id, "connected")
        alice.leave()
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call_id) == ("ended", 16, "ANSWER")


def test_an_offer_to_a_call_that_the_service_placed(
    led: Asterisk, alice: BrowserUser, leading_service: Service
) -> None:
    """A caller who had the phone rung first takes part by an offer."""
    with Phone.answering(led, "1001", ring_ms=1000) as phone:
        call = alice.request("POST", "/calls", {"participants": ["SIP/1001"], "call_type": "audio"})
        alice.offer(call["id"])
        alice.hear(call["id"], "answer")
        wait_for_status(leading_service, call["id"], "connected")
        assert len(led.control.channels()) == 2
        alice.signal(call["id"], "hangup")
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call["id"]) == ("ended", 16, "ANSWER")
    assert ended_by(leading_service, call["id"]) == "caller"


def test_a_call_is_transferred(led: Asterisk, alice: BrowserUser, leading_service: Service) -> None:
    """The browser leaves, and who it talked to talks to another phone."""
    with Phone.answering(led, "1001") as first, Phone.answering(led, "1002") as second:
        call_id = alice.call("SIP/1001")
        wait_for_status(leading_service, call_id, "connected")
        alice.request("POST", f"/calls/{call_id}/transfer", {"to": "SIP/1002"})
        assert alice.hear(call_id, "hangup")["reason"] == "ended"
        assert wait_until(lambda: len(led.control.channels()) == 2, 10)
        leading_service.request("POST", f"/calls/{call_id}/end")
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()


def test_a_browser_comes_into_a_room(
    led: Asterisk, alice: BrowserUser, bob: BrowserUser, leading_service: Service
) -> None:
    """Rung by joining, or by calling the room's number."""
    room = alice.request("POST", "/rooms", {"name": "Here", "max_participants": 5})
    own = {"endpoint": "PJSIP/alice@sge-gateway"}
    alice.request("POST", f"/rooms/{room['id']}/join", own)
    call_id, offer = alice.rung()
    assert offer["room_id"] == room["id"]
    alice.answer(call_id)
    bobs = bob.call(f"SIP/9{room['number']}")
    bob.hear(bobs, "answer")

    def present() -> set[str]:
        seats = alice.request("GET", f"/rooms/{room['id']}")["members"]
        return {each["user_id"] for each in seats if each["state"] == "present"}

    assert wait_until(lambda: present() == {"alice", "bob"}, 10), alice.request(
        "GET", f"/rooms/{room['id']}"
    )
    alice.signal(call_id, "hangup")
    bob.signal(bobs, "hangup")
    assert end_of(leading_service, call_id)[0] == "ended"
    assert end_of(leading_service, bobs)[0] == "ended"
    alice.request("POST", f"/rooms/{room['id']}/close")


def test_bad_offers(alice: BrowserUser, leading_service: Service) -> None:
    """Each is refused in words, and the call can still be made."""
    call_id = alice.create("SIP/600")
    assert alice.signal(call_id, "offer", {"sdp": "v=0", "type": "offer"}, 422)["code"] == (
        "invalid_sdp"
    )
    assert alice.signal(call_id, "answer", alice.description("answer"), 409)["code"] == (
        "wrong_state"
    )
    assert alice.signal(call_id, "mute", status=409)["code"] == "wrong_state"
    alice.offer(call_id)
    alice.hear(call_id, "answer")
    alice.signal(call_id, "hangup")


def test_a_relayed_call_has_no_leg(alice: BrowserUser, leading_service: Service) -> None:
    """A call between users without the metadata does not go through Asterisk."""
    body = {"participants": ["bob"], "call_type": "video"}
    call_id = alice.request("POST", "/calls", body)["id"]
    refusal = alice.signal(call_id, "offer", alice.description("offer"), 409)
    assert refusal["code"] == "wrong_state"
    alice.request("POST", f"/calls/{call_id}/end")
