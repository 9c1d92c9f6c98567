"""Calls to browsers: how they ring in pages, and who may answer."""

import pytest
from gateway_stage import CANDIDATE, SDP, WITHOUT_CANDIDATE, Stage

from fastagi_server.calls.models import Call, CallStatus, CallType
from fastagi_server.signaling.errors import WrongStateError
from fastagi_server.signaling.models import SignalKind
from fastagi_server.sip.events import Ended, LegState
from fastagi_server.store.errors import StoreBusyError


async def test_a_call_rings_in_the_page(stage: Stage) -> None:
    """The offer says who calls; the caller hears that it rings."""
    call = stage.call("bob")
    stage.led.calls.add(call.id)
    leg = await stage.ring(call.id, name='Some "body"\r\n')
    assert leg.asked == ["ring"]
    offer = {
        "type": "offer",
        "sdp": SDP,
        "caller_number": "1001",
        "caller_name": 'Some "body"',
    }
    assert stage.mail.sent == [(call.id, "bob", "offer", offer)]


async def test_the_first_answer_counts(stage: Stage) -> None:
    """The other pages are told, and what they still send is refused."""
    call = stage.call("bob")
    leg = await stage.ring(call.id)
    await stage.answer(call)
    with pytest.raises(WrongStateError):
        await stage.answer(call)
    assert leg.asked == ["ring", "answer 40000"]
    assert stage.mail.reasons == ["answered_elsewhere"]


async def test_an_answer_waits_for_a_candidate(stage: Stage) -> None:
    """A second page is too late meanwhile, too."""
    call = stage.call("bob")
    leg = await stage.ring(call.id)
    await stage.answer(call, WITHOUT_CANDIDATE)
    with pytest.raises(WrongStateError):
        await stage.answer(call)
    assert leg.asked == ["ring"]
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE}, by="bob")
    assert leg.asked == ["ring", "answer 40000"]


async def test_a_user_declines(stage: Stage) -> None:
    """The caller hears it, and all pages stop ringing."""
    call = stage.call("bob")
    leg = await stage.ring(call.id)
    await stage.send(call, SignalKind.HANGUP, by="bob")
    assert leg.asked == ["ring", "refuse 603"]
    leg.hear(Ended(603, None, by_far_end=False))
    assert stage.mail.reasons == ["refused"]


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (Ended(487, None, by_far_end=True), "cancelled"),
        (Ended(487, 26, by_far_end=True), "answered_elsewhere"),
        (Ended(480, None, by_far_end=False), "no_answer"),
        (Ended(503, None, by_far_end=True), "gateway_lost"),
    ],
)
async def test_it_stops_ringing(stage: Stage, ended: Ended, reason: str) -> None:
    """The page is told why; an answer is too late."""
    call = stage.call("bob")
    leg = await stage.ring(call.id)
    leg.hear(ended)
    assert stage.mail.reasons == [reason]
    with pytest.raises(WrongStateError):
        await stage.answer(call)


async def test_media_that_fails(stage: Stage) -> None:
    """Asterisk ends a leg of which no packet comes."""
    call = stage.call("bob")
    leg = await stage.ring(call.id)
    await stage.answer(call)
    leg.hear(Ended(None, 44, by_far_end=True))
    assert stage.mail.reasons == ["answered_elsewhere", "media_failed"]


@pytest.mark.parametrize("user", ["carol", "~0d~0a", ""])
async def test_a_user_who_cannot_be_rung(stage: Stage, user: str) -> None:
    """Who has no page open, and who cannot be a user at all."""
    stage.pages.open.add("bob")
    assert stage.invite("", user).asked == ["refuse 480"]


async def test_a_call_that_is_over(stage: Stage) -> None:
    """A session that names no call under way rings nowhere."""
    over = stage.call("bob", status=CallStatus.ENDED)
    assert (await stage.ring(over.id)).asked == ["refuse 480"]
    assert (await stage.ring("no-such-call")).asked == ["refuse 480"]
    assert stage.mail.sent == []


async def test_twice_in_the_same_call(stage: Stage) -> None:
    """A user has one leg in a call."""
    call = stage.call("bob")
    await stage.ring(call.id)
    assert (await stage.ring(call.id)).asked == ["refuse 486"]


async def test_a_call_of_the_dialplan(stage: Stage) -> None:
    """It gets a record of its own, which the user is a party of, and which the leg writes."""
    leg = await stage.ring("", name="Desk")
    (call,) = stage.records.calls.values()
    assert (call.caller_id, call.participants, call.call_type) == (
        "asterisk",
        ("bob",),
        CallType.AUDIO,
    )
    assert call.metadata == {"caller_id": "1001", "caller_name": "Desk"}
    await stage.answer(call)
    leg.hear(Ended(None, 16, by_far_end=True))
    await stage.settle()
    assert stage.kinds(call) == ["created", "ringing", "accepted", "ended"]


async def test_a_call_with_pictures(stage: Stage) -> None:
    """What is offered decides what the call is."""
    await stage.ring("", sdp=SDP + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n")
    (call,) = stage.records.calls.values()
    assert call.call_type is CallType.VIDEO


async def test_a_room(stage: Stage) -> None:
    """Who has asked to come into a room is rung for it, and the page is told which."""
    await stage.ring("room-17")
    (call,) = stage.records.calls.values()
    assert call.metadata["room_id"] == "17"
    assert stage.mail.sent[0][3]["room_id"] == "17"


async def test_it_is_taken_back_while_its_call_is_looked_for(stage: Stage) -> None:
    """Nothing rings that has ended already."""
    stage.pages.open.add("bob")
    leg = stage.invite(stage.call("bob").id, "bob")
    leg.now = LegState.ENDED
    await stage.pause()
    assert leg.asked == []
    assert stage.mail.sent == []


@pytest.mark.parametrize("session", ["", "room-17"])
async def test_a_call_of_the_dialplan_is_taken_back_at_once(stage: Stage, session: str) -> None:
    """The record that it has got by then is ended."""
    stage.pages.open.add("bob")
    leg = stage.invite(session, "bob")
    leg.now = LegState.ENDED
    await stage.pause()
    await stage.settle()
    (call,) = stage.records.calls.values()
    assert stage.kinds(call) == ["created", "ended"]
    assert stage.mail.sent == []


async def test_something_else_goes_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk gets an answer, whatever it was."""

    async def fail(_: str) -> Call | None:
        raise ValueError("of all things")

    monkeypatch.setattr(stage.records, "get", fail)
    leg = await stage.ring("call-1")
    assert leg.asked == ["refuse 500"]


async def test_the_store_is_away(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk may try somebody else."""

    async def fail(_: str) -> Call | None:
        raise StoreBusyError("the disk is slow")

    monkeypatch.setattr(stage.records, "get", fail)
    leg = await stage.ring("call-1")
    assert leg.asked == ["refuse 503"]


async def test_closing_rings_nobody_more(stage: Stage) -> None:
    """What was being looked for is left as it is."""
    stage.pages.open.add("bob")
    stage.invite(stage.call("bob").id, "bob")
    await stage.gateway.close()
    assert stage.mail.sent == []
