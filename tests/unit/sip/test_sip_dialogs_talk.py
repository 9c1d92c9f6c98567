"""A call that is up: offers both ways, glare, and its end."""

import json

import pytest
from sip_far_end import ANSWER, OFFER, Scene, no_event

from fastagi_server.sip.beginnings import restored
from fastagi_server.sip.dialogs import Origin, uri_host
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import Answered, Ended, LegState, Offered, OfferRefused

NEW_OFFER = "v=0 ours 2\r\n"
NEW_ANSWER = "v=0 theirs 2\r\n"


# -- the end --


def test_we_hang_up() -> None:
    """One BYE with the cause; the leg is over with its answer, whatever it is."""
    scene = Scene.up()
    scene.leg.hang_up(16)
    scene.leg.hang_up(16)
    assert scene.told == [Ended(None, 16, by_far_end=False)]
    assert scene.lines == ["BYE"]
    bye = scene.last("BYE")
    assert bye.uri == "sip:127.0.0.1:5060;transport=tcp"
    assert bye.headers.get("CSeq") == "2 BYE"
    assert bye.headers.get("Reason") == "Q.850;cause=16"
    assert bye.headers.get("X-SGE-Gateway") == "token"
    scene.respond("BYE", 481)
    assert scene.leg.is_over
    assert scene.told == [Ended(None, 16, by_far_end=False)]


def test_a_bye_that_nobody_answers() -> None:
    """After 32 s the leg is over."""
    scene = Scene.up()
    scene.leg.hang_up()
    scene.pass_time(32)
    assert scene.leg.is_over


def test_the_far_end_hangs_up() -> None:
    """Its BYE is answered, and says why."""
    scene = Scene.up()
    scene.ask("BYE", ("Reason", 'Q.850;cause=16;text="Normal"'))
    assert scene.lines == ["200 BYE"]
    assert scene.told == [Ended(None, 16, by_far_end=True)]
    assert scene.leg.is_over


def test_both_hang_up_at_once() -> None:
    """Both BYEs are answered; the end is ours, and told once."""
    scene = Scene.up()
    scene.leg.hang_up()
    scene.ask("BYE")
    assert scene.lines == ["BYE", "200 BYE"]
    scene.respond("BYE", 200)
    assert scene.told == [Ended(None, None, by_far_end=False)]
    assert scene.leg.is_over


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "OPTIONS"])
def test_nothing_is_answered_behind_the_end(method: str) -> None:
    """But a BYE."""
    scene = Scene.up()
    scene.leg.hang_up()
    scene.ask(method, sdp=NEW_ANSWER)
    assert scene.lines == ["BYE", f"481 {method}"]


# -- requests of the far end --


def test_a_request_of_another_dialog() -> None:
    """With a tag of ours or of theirs that is not this dialog's: 481, and nothing happens."""
    scene = Scene.up()
    scene.ask("BYE", tag="wrong")
    scene.tag = "other"
    scene.ask("BYE")
    assert scene.lines == ["481 BYE", "481 BYE"]
    assert scene.told == []


def test_requests_out_of_order() -> None:
    """A number that is not higher than the last is refused with 500."""
    scene = Scene.up()
    scene.ask("INFO", number=7)
    scene.ask("BYE", number=7)
    scene.ask("BYE", number=6)
    assert scene.lines == ["200 INFO", "500 BYE", "500 BYE"]
    assert scene.told == []


@pytest.mark.parametrize(
    ("method", "fields", "answer"),
    [
        ("OPTIONS", (), "200"),
        ("INFO", (), "200"),
        ("INFO", (("Content-Type", "application/dtmf-relay"),), "200"),
        ("MESSAGE", (), "405"),
        ("PRACK", (), "405"),
        ("BYE", (("Require", "gruu"),), "420"),
        ("CANCEL", (), "481"),
    ],
)
def test_plain_requests(method: str, fields: tuple[tuple[str, str], ...], answer: str) -> None:
    """What has to do with no session."""
    scene = Scene.up()
    scene.ask(method, *fields)
    assert scene.lines == [f"{answer} {method}"]
    assert scene.told == []


def test_an_info_of_another_kind() -> None:
    """It is not understood, and says so."""
    scene = Scene.up()
    scene.ask("INFO", sdp="<xml/>")
    assert scene.lines == ["415 INFO"]
    assert scene.last_response().headers.get("Accept") == "application/dtmf-relay"


# -- offers of the far end --


def test_an_offer_is_answered() -> None:
    """By the owner; 100 goes out at once."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    assert scene.told == [Offered(NEW_ANSWER)]
    assert scene.lines == ["100 INVITE"]
    scene.leg.answer(NEW_OFFER)
    assert scene.lines == ["100 INVITE", "200 INVITE"]
    assert scene.last_response().body == NEW_OFFER.encode()
    scene.ask("ACK", number=101)
    scene.pass_time(60)
    assert len(scene.lines) == 2


def test_an_offer_is_refused() -> None:
    """The session stays, and another offer may come."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.leg.refuse(488)
    assert scene.lines == ["100 INVITE", "488 INVITE"]
    scene.ask("ACK", number=101)
    scene.ask("INVITE", sdp=NEW_ANSWER)
    assert scene.told == [Offered(NEW_ANSWER), Offered(NEW_ANSWER)]


def test_an_offer_that_the_owner_leaves() -> None:
    """After 20 s it is refused; an answer behind that comes too late."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.pass_time(20)
    assert scene.lines == ["100 INVITE", "488 INVITE"]
    with pytest.raises(SipStateError):
        scene.leg.answer(NEW_OFFER)


def test_an_offer_that_changes_nothing() -> None:
    """A refresh is answered with what was said last, and nobody is asked."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=ANSWER)
    assert scene.lines == ["200 INVITE"]
    assert scene.last_response().body == OFFER.encode()
    assert scene.told == []


def test_an_invite_without_an_offer() -> None:
    """It is made our last one."""
    scene = Scene.up()
    scene.ask("INVITE")
    assert scene.lines == ["200 INVITE"]
    assert scene.last_response().body == OFFER.encode()


def test_an_update() -> None:
    """Without an offer it is answered at once; with one by the owner, without 100 and ACK."""
    scene = Scene.up()
    scene.ask("UPDATE")
    assert scene.last_response().body == b""
    scene.ask("UPDATE", sdp=NEW_ANSWER)
    assert scene.told == [Offered(NEW_ANSWER)]
    scene.leg.answer(NEW_OFFER)
    scene.pass_time(40)
    assert scene.lines == ["200 UPDATE", "200 UPDATE"]
    assert scene.last_response().body == NEW_OFFER.encode()


def test_a_second_offer_while_one_waits() -> None:
    """It is told to come back."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.ask("UPDATE", sdp="v=0 third\r\n")
    assert scene.lines == ["100 INVITE", "500 UPDATE"]
    assert scene.last_response().headers.get("Retry-After") == "5"
    assert scene.told == [Offered(NEW_ANSWER)]


def test_an_offer_is_taken_back() -> None:
    """CANCEL of a re-INVITE ends it alone."""
    scene = Scene.up()
    invite = scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.cancel(invite)
    assert scene.lines == ["100 INVITE", "487 INVITE", "200 CANCEL"]
    assert scene.leg.state is LegState.UP


def test_a_bye_while_an_offer_waits() -> None:
    """Both are answered."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.ask("BYE")
    assert sorted(scene.lines) == ["100 INVITE", "200 BYE", "487 INVITE"]
    assert scene.told == [Offered(NEW_ANSWER), Ended(None, None, by_far_end=True)]


def test_the_target_follows_the_contact() -> None:
    """Requests go to where the far end was last; nonsense changes nothing."""
    scene = Scene.up()
    scene.ask("UPDATE", ("Contact", "<sip:elsewhere@10.0.0.9>"))
    scene.ask("UPDATE", ("Contact", "nonsense"))
    scene.leg.hang_up()
    assert scene.last("BYE").uri == "sip:elsewhere@10.0.0.9"


# -- offers of ours --


def test_our_offer_is_answered() -> None:
    """A re-INVITE in the dialog."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    invite = scene.last("INVITE")
    assert (invite.uri, invite.headers.get("CSeq")) == (
        "sip:127.0.0.1:5060;transport=tcp",
        "2 INVITE",
    )
    scene.respond("INVITE", 100)
    scene.respond("INVITE", 200, sdp=NEW_ANSWER)
    scene.respond(invite, 200, sdp=NEW_ANSWER)
    assert scene.told == [Answered(NEW_ANSWER)]
    assert scene.lines == ["INVITE", "ACK", "ACK"]
    assert scene.last("ACK").headers.get("CSeq") == "2 ACK"


def test_our_offer_is_refused() -> None:
    """The call goes on, and what was agreed before holds."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.respond("INVITE", 488, reason="No")
    assert scene.told == [OfferRefused(488, "No")]
    assert scene.lines == ["INVITE", "ACK"]
    scene.ask("INVITE", sdp=ANSWER)
    assert scene.last_response().body == OFFER.encode()


def test_an_answer_without_sdp() -> None:
    """It is acknowledged, and no answer."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.respond("INVITE", 200)
    assert scene.told == [OfferRefused(200, "the answer has no SDP")]
    assert scene.lines == ["INVITE", "ACK"]


def test_offers_wait_for_each_other() -> None:
    """Of those that wait the last is made."""
    scene = Scene.up()
    scene.leg.offer("v=0 a\r\n")
    scene.leg.offer("v=0 b\r\n")
    scene.leg.offer("v=0 c\r\n")
    assert scene.lines == ["INVITE"]
    scene.respond("INVITE", 200, sdp=NEW_ANSWER)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]
    assert scene.last("INVITE").body == b"v=0 c\r\n"


def test_our_offer_waits_for_theirs() -> None:
    """And for the ACK of our answer."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.leg.offer(NEW_OFFER)
    scene.leg.answer("v=0 b\r\n")
    assert scene.lines == ["100 INVITE", "200 INVITE"]
    scene.ask("ACK", number=101)
    assert scene.lines == ["100 INVITE", "200 INVITE", "INVITE"]


def test_glare() -> None:
    """Theirs meets 491; ours met 491 too, and is made again after 2.1 to 4 s."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.ask("INVITE", sdp=NEW_ANSWER)
    assert scene.lines == ["INVITE", "491 INVITE"]
    scene.respond("INVITE", 491)
    assert scene.lines[2:] == ["ACK"]
    scene.pass_time(2.0)
    assert scene.lines[3:] == []
    scene.pass_time(2.0)
    assert scene.lines[3:] == ["INVITE"]
    assert scene.last("INVITE").body == NEW_OFFER.encode()
    assert scene.told == []


def test_glare_of_the_called() -> None:
    """Who was called tries again first: within 2 s."""
    scene = Scene.called()
    scene.leg.answer(OFFER)
    scene.ask("ACK", number=100)
    scene.forget()
    scene.leg.offer(NEW_OFFER)
    scene.respond("INVITE", 491)
    scene.pass_time(2.0)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]


def test_an_offer_during_glare_replaces_the_one_that_met_it() -> None:
    """The last one is wanted."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.respond("INVITE", 491)
    scene.leg.offer("v=0 c\r\n")
    scene.pass_time(4.0)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]
    assert scene.last("INVITE").body == b"v=0 c\r\n"


@pytest.mark.parametrize("status", [408, 481])
def test_a_dialog_that_is_gone(status: int) -> None:
    """The far end knows nothing of it: the call is over, and a BYE says so."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.respond("INVITE", status)
    assert scene.told == [Ended(status, None, by_far_end=True)]
    assert scene.lines == ["INVITE", "ACK", "BYE"]


def test_hanging_up_while_an_offer_is_on_its_way() -> None:
    """Its late answer is acknowledged and changes nothing."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.leg.hang_up()
    scene.respond("INVITE", 200, sdp=NEW_ANSWER)
    scene.respond("BYE", 200)
    assert scene.lines == ["INVITE", "BYE", "ACK"]
    assert scene.told == [Ended(None, None, by_far_end=False)]
    assert scene.leg.is_over


def test_no_answer_without_an_offer() -> None:
    """There is nothing to be answered or refused, and nobody to be rung."""
    leg = Scene.up().leg
    with pytest.raises(SipStateError):
        leg.answer(NEW_ANSWER)
    with pytest.raises(SipStateError):
        leg.refuse(488)
    with pytest.raises(SipStateError):
        leg.ring()


def test_an_offer_that_is_too_long() -> None:
    """It is refused in the far end's place, which would cut the connection; the call goes on."""
    scene = Scene.up()
    scene.leg.offer("v" * 49_153)
    scene.pass_time(0)
    assert scene.told == [OfferRefused(513, "Message Too Large")]
    assert scene.lines == []
    scene.leg.offer("v" * 49_152)
    assert scene.lines == ["INVITE"]


def test_an_answer_that_is_too_long() -> None:
    """The offer is refused, and the call goes on."""
    scene = Scene.up()
    scene.ask("INVITE", sdp=NEW_ANSWER)
    scene.leg.answer("\u00e9" * 24_577)
    assert scene.lines == ["100 INVITE", "488 INVITE"]
    assert scene.leg.state is LegState.UP


# -- routes --


def test_requests_follow_the_recorded_route() -> None:
    """Backwards, by loose routers."""
    scene = Scene.up(("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"))
    scene.leg.hang_up()
    bye = scene.last("BYE")
    assert bye.uri == "sip:127.0.0.1:5060;transport=tcp"
    assert bye.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_a_strict_router_gets_its_uri_in_the_first_line() -> None:
    """As RFC 2543 had it."""
    scene = Scene.up(("Record-Route", "<sip:p2>, <sip:p1>"))
    scene.leg.hang_up()
    bye = scene.last("BYE")
    assert bye.uri == "sip:p1"
    assert bye.headers.get_all("Route") == ["<sip:p2>", "<sip:127.0.0.1:5060;transport=tcp>"]


def test_a_route_that_cannot_be_read_is_taken_for_a_loose_one() -> None:
    """It goes back as it came."""
    scene = Scene.up(("Record-Route", "<tel:1>"))
    scene.leg.hang_up()
    assert scene.last("BYE").headers.get_all("Route") == ["<tel:1>"]


@pytest.mark.parametrize(
    ("host", "sent_by", "contact"),
    [
        ("127.0.0.1", "127.0.0.1:5070", "sip:alice@127.0.0.1:5070;transport=tcp"),
        ("::1", "[::1]:5070", "sip:alice@[::1]:5070;transport=tcp"),
        ("[::1]", "[::1]:5070", "sip:alice@[::1]:5070;transport=tcp"),
    ],
)
def test_our_address(host: str, sent_by: str, contact: str) -> None:
    """As it stands in a Via and in a Contact."""
    origin = Origin(uri_host(host), 5070)
    assert (origin.sent_by, origin.contact("alice")) == (sent_by, contact)


# -- a lost connection, and a restart --


def test_a_lost_connection_that_comes_back() -> None:
    """The far end is asked whether it knows the call, which goes on."""
    scene = Scene.up(("Allow", "INVITE, UPDATE"))
    scene.leg.lose()
    scene.pass_time(9.9)
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.lines == ["UPDATE"]
    scene.respond("UPDATE", 200)
    scene.pass_time(60)
    assert scene.told == []
    assert scene.leg.state is LegState.UP


def test_a_far_end_without_update_is_asked_by_options() -> None:
    """Media is left alone; 481 ends the call."""
    scene = Scene.up()
    scene.leg.lose()
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.lines == ["OPTIONS"]
    scene.respond("OPTIONS", 481)
    assert scene.told == [Ended(481, None, by_far_end=True)]


def test_a_lost_connection_that_stays_lost() -> None:
    """After 10 s the call is over, and there is nobody to say BYE to."""
    scene = Scene.up()
    scene.leg.lose()
    scene.pass_time(10)
    assert scene.told == [Ended(503, None, by_far_end=True)]
    assert scene.lines == []
    assert scene.leg.is_over


def test_a_bye_that_was_lost() -> None:
    """It is said again over the next connection, so that the far end's channel does not stay."""
    scene = Scene.up()
    scene.leg.hang_up(16)
    scene.forget()
    scene.leg.lose()
    scene.flush(scene.leg)
    assert not scene.leg.is_over
    scene.pass_time(9.9)
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.lines == ["BYE"]
    assert scene.last("BYE").headers.get("CSeq") == "3 BYE"
    assert scene.last("BYE").headers.get("Reason") == "Q.850;cause=16"
    scene.respond("BYE", 481)
    assert scene.leg.is_over


def test_a_bye_that_was_answered_is_not_said_again() -> None:
    """The leg is over before the connection is lost."""
    scene = Scene.up()
    scene.leg.hang_up()
    scene.respond("BYE", 200)
    scene.forget()
    scene.leg.lose()
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.lines == []


def test_a_bye_that_stays_lost() -> None:
    """After 10 s it is forgotten: Asterisk has ended the silent call by then, or soon does."""
    scene = Scene.up()
    scene.leg.hang_up()
    scene.leg.lose()
    scene.pass_time(10)
    scene.forget()
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.lines == []
    assert scene.leg.is_over


def test_an_offer_that_was_lost() -> None:
    """It is refused with 503, and may be made again."""
    scene = Scene.up()
    scene.leg.offer(NEW_OFFER)
    scene.leg.lose()
    scene.leg.find()
    scene.flush(scene.leg)
    assert scene.told == [OfferRefused(503, "Service Unavailable")]


def test_a_snapshot_goes_through_json() -> None:
    """The next process goes on with the same dialog, with numbers far ahead of the old ones."""
    scene = Scene.up(("Record-Route", "<sip:p;lr>"), ("Session-Expires", "600;refresher=uac"))
    scene.ask("INFO", number=7)
    saved = json.loads(json.dumps(scene.leg.snapshot()))
    after = Scene()
    after.leg = restored(after.ground, saved=saved, on_event=no_event)
    assert (after.leg.id, after.leg.user, after.leg.session) == (scene.leg.id, "alice", "call-1")
    after.leg.find()
    after.ask("BYE", number=7)
    assert after.last_response().status == 500
    after.leg.hang_up()
    bye = after.last("BYE")
    assert bye.headers.get("CSeq") == "1003 BYE"
    assert bye.headers.get_all("Route") == ["<sip:p;lr>"]
    assert bye.headers.get("To") == "<sip:1001@127.0.0.1:5060>;tag=far"


def test_a_restored_call_waits_ten_seconds_for_a_connection() -> None:
    """Then it is over."""
    after = Scene()
    saved = Scene.up().leg.snapshot()
    after.leg = restored(after.ground, saved=saved, on_event=no_event)
    after.pass_time(10)
    assert after.told == [Ended(503, None, by_far_end=True)]


@pytest.mark.parametrize("saved", [{}, {"talk": {}}, {"talk": {"dialog": {"local": "x"}}}])
def test_what_is_no_snapshot(saved: dict[str, object]) -> None:
    """It is refused."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        restored(Scene().ground, saved=saved, on_event=no_event)
