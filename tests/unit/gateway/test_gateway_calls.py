"""Calls that browsers make: what the gateway asks of SIP, tells the page and notes of the call."""

import pytest
from gateway_stage import CANDIDATE, SDP, WITHOUT_CANDIDATE, FakeLeg, Stage

from fastagi_server.calls.commands import Mute, Unmute
from fastagi_server.calls.models import CallStatus
from fastagi_server.signaling.errors import InvalidSdpError, NoGatewayError, WrongStateError
from fastagi_server.signaling.models import SignalKind
from fastagi_server.sip.events import (
    Answered,
    Ended,
    LegState,
    Offered,
    OfferRefused,
    Progress,
    Refused,
    Ringing,
)


def connect(leg: FakeLeg) -> None:
    """Asterisk answers."""
    leg.now = LegState.UP
    leg.hear(Answered("answer"))


async def test_an_offer_becomes_a_call(stage: Stage) -> None:
    """The number is the first participant's, and the caller is named."""
    await stage.begin("SIP/1001", "bob")
    assert stage.agent.invited == [("1001", "alice", "alice", "40000")]
    assert stage.pages.expected == ["alice"]
    assert stage.measures.gateway_legs_open.values == {(): 1}


async def test_what_the_page_hears(stage: Stage) -> None:
    """Ringing, early media, the answer and the end, in this order."""
    call, leg = await stage.begin()
    leg.hear(Ringing())
    leg.hear(Progress("early"))
    connect(leg)
    leg.hear(Ended(None, 16, by_far_end=True))
    assert stage.mail.sent == [
        (call.id, "alice", "ringing", {}),
        (call.id, "alice", "progress", {"type": "answer", "sdp": "early"}),
        (call.id, "alice", "answer", {"type": "answer", "sdp": "answer"}),
        (call.id, "alice", "hangup", {"reason": "ended", "status": None, "cause": 16}),
    ]
    assert stage.measures.gateway_legs.values == {("ended",): 1}
    assert stage.measures.gateway_legs_open.values == {(): 0}


async def test_a_call_of_the_dialplan_is_recorded(stage: Stage) -> None:
    """Nobody else keeps the record of a call that the dialplan answers."""
    call, leg = await stage.begin()
    leg.hear(Ringing())
    connect(leg)
    leg.hear(Ended(None, 16, by_far_end=True))
    await stage.settle()
    assert stage.kinds(call) == ["ringing", "accepted", "ended"]
    record = stage.records.calls[call.id]
    assert (record.hangup_cause, record.dial_status) == (16, "ANSWER")
    assert stage.records.log[call.id][-1].facts["ended_by"] == "pbx"


async def test_a_led_call_is_not_recorded_here(stage: Stage) -> None:
    """Once it was seen to be led, its record is its leader's, also after that has forgotten it."""
    call, leg = await stage.begin()
    stage.led.calls.add(call.id)
    leg.hear(Ringing())
    connect(leg)
    stage.led.calls.clear()
    leg.hear(Ended(None, 16, by_far_end=True))
    await stage.settle()
    assert stage.kinds(call) == []


@pytest.mark.parametrize(
    ("refused", "reason", "cause", "status"),
    [
        (Refused(486, "Busy Here", 17), "busy", 17, "BUSY"),
        (Refused(404, "Not Found", None), "unknown", 1, "CHANUNAVAIL"),
        (Refused(480, "Unavailable", 20), "unreachable", 20, "CHANUNAVAIL"),
        (Refused(480, "Unavailable", 19), "no_answer", 19, "NOANSWER"),
        (Refused(403, "Forbidden", None), "refused", 21, "CHANUNAVAIL"),
        (Refused(488, "Not Acceptable", 58), "media_failed", 58, "CHANUNAVAIL"),
        (Refused(503, "Service Unavailable", 34), "unreachable", 34, "CONGESTION"),
    ],
)
async def test_a_call_that_is_not_answered(
    stage: Stage, refused: Refused, reason: str, cause: int, status: str
) -> None:
    """The page gets a word for it, the record the cause."""
    call, leg = await stage.begin()
    leg.hear(refused)
    await stage.settle()
    assert stage.mail.reasons == [reason]
    record = stage.records.calls[call.id]
    assert (record.hangup_cause, record.dial_status) == (cause, status)


async def test_a_caller_gives_up(stage: Stage) -> None:
    """What he did is the reason, whatever Asterisk says to it."""
    call, leg = await stage.begin()
    await stage.send(call, SignalKind.HANGUP)
    assert leg.asked == ["hang_up"]
    leg.hear(Ended(487, None, by_far_end=False))
    await stage.settle()
    assert stage.mail.reasons == ["cancelled"]
    record = stage.records.calls[call.id]
    assert (record.hangup_cause, record.dial_status) == (16, "CANCEL")


async def test_a_user_hangs_up(stage: Stage) -> None:
    """The call ends, and it was the caller who did it."""
    call, leg = await stage.begin()
    connect(leg)
    await stage.send(call, SignalKind.HANGUP)
    leg.hear(Ended(None, None, by_far_end=False))
    await stage.settle()
    assert stage.mail.reasons == ["ended"]
    assert stage.records.log[call.id][-1].facts["ended_by"] == "caller"


async def test_a_user_hangs_up_before_anything_was_sent(stage: Stage) -> None:
    """While a candidate is waited for no INVITE goes out any more."""
    call = stage.call()
    await stage.offer(call, WITHOUT_CANDIDATE)
    await stage.send(call, SignalKind.HANGUP)
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE})
    assert stage.agent.invited == []
    assert stage.mail.reasons == ["cancelled"]


async def test_a_call_without_an_offer_is_given_up(stage: Stage) -> None:
    """Its caller ends it though it never had a leg; anybody else does not."""
    call = stage.call()
    await stage.send(call, SignalKind.HANGUP, by="bob")
    await stage.send(call, SignalKind.HANGUP)
    await stage.settle()
    assert stage.kinds(call) == ["ended"]


async def test_the_first_candidate_sends_the_call(stage: Stage) -> None:
    """It is written into the offer; later ones are taken and ignored."""
    call = stage.call()
    await stage.offer(call, WITHOUT_CANDIDATE)
    tcp = CANDIDATE.replace(" udp ", " tcp ")
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": tcp})
    assert stage.agent.invited == []
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE})
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE})
    assert [places for *_, places in stage.agent.invited] == ["40000"]


async def test_a_candidate_overtakes_its_offer(stage: Stage) -> None:
    """Requests of one page may come in any order."""
    call = stage.call()
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE})
    await stage.offer(call, WITHOUT_CANDIDATE)
    assert [places for *_, places in stage.agent.invited] == ["40000"]


async def test_no_candidate_will_come(stage: Stage) -> None:
    """The page says so, and the call goes out with a place that stands for none."""
    call = stage.call()
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": None})
    await stage.offer(call, WITHOUT_CANDIDATE)
    await stage.send(call, SignalKind.ICE_CANDIDATE, {"candidate": ""})
    assert [places for *_, places in stage.agent.invited] == ["9"]


async def test_candidates_of_calls_that_never_come(stage: Stage) -> None:
    """Of so many the oldest are forgotten, and counted."""
    for _ in range(257):
        await stage.send(stage.call(), SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE})
    assert stage.measures.drops.values == {("early_candidates",): 1}


async def test_an_offer_that_cannot_be_used(stage: Stage) -> None:
    """It is refused, and nothing is left of it: the next one begins the call."""
    call = stage.call()
    with pytest.raises(InvalidSdpError):
        await stage.offer(call, "v=0")
    await stage.offer(call)
    assert len(stage.agent.invited) == 1


async def test_the_session_is_changed_by_the_browser(stage: Stage) -> None:
    """A second offer is one within the call; its answer comes as the first one's did."""
    call, leg = await stage.begin()
    with pytest.raises(WrongStateError):
        await stage.offer(call)
    connect(leg)
    await stage.offer(call, SDP.replace(" 40000 ", " 50000 "))
    assert leg.asked == ["offer 50000"]
    leg.hear(Answered("again"))
    assert stage.mail.sent[-1][3] == {"type": "answer", "sdp": "again"}


async def test_a_change_is_refused(stage: Stage) -> None:
    """The browser takes its offer back, and the call goes on."""
    call, leg = await stage.begin()
    connect(leg)
    await stage.offer(call)
    leg.hear(OfferRefused(488, "Not Acceptable Here"))
    assert stage.mail.sent[-1][2:] == ("answer", {"type": "rollback", "sdp": "", "status": 488})


async def test_the_session_is_changed_by_asterisk(stage: Stage) -> None:
    """Its offer is marked as no new call, and has to be answered before the browser offers."""
    call, leg = await stage.begin()
    connect(leg)
    leg.hear(Offered("video"))
    offer = {"type": "offer", "sdp": "video", "renegotiation": True}
    assert stage.mail.sent[-1][2:] == ("offer", offer)
    with pytest.raises(WrongStateError):
        await stage.offer(call)
    await stage.answer(call, by="alice")
    assert leg.asked == ["answer 40000"]
    with pytest.raises(WrongStateError):
        await stage.answer(call, by="alice")
    await stage.offer(call)
    assert leg.asked == ["answer 40000", "offer 40000"]


async def test_an_answer_that_comes_too_late(stage: Stage) -> None:
    """The leg has given the offer up: nothing comes of it."""
    call, leg = await stage.begin()
    connect(leg)
    leg.hear(Offered("video"))
    leg.is_late = True
    await stage.answer(call, by="alice")
    assert leg.asked == []


async def test_mute(stage: Stage) -> None:
    """It is the call's own mute of what the user says, and it is logged."""
    call, leg = await stage.begin()
    with pytest.raises(WrongStateError):
        await stage.send(call, SignalKind.MUTE, by="bob")
    connect(leg)
    await stage.send(call, SignalKind.MUTE)
    await stage.send(call, SignalKind.UNMUTE)
    assert stage.led.commands == [
        (Mute("alice", "in"), "alice", frozenset({"alice"})),
        (Unmute("alice", "in"), "alice", frozenset({"alice"})),
    ]
    assert stage.kinds(call) == ["muted", "unmuted"]


@pytest.mark.parametrize("caller_leg", ["", "direct"])
async def test_a_call_without_asterisk(stage: Stage, caller_leg: str) -> None:
    """Between browsers Asterisk has no part, unless it leads the call."""
    call = stage.call("bob", caller_leg=caller_leg)
    with pytest.raises(WrongStateError):
        await stage.offer(call)
    stage.led.calls.add(call.id)
    await stage.offer(call)
    assert len(stage.agent.invited) == 1


async def test_only_the_caller_begins(stage: Stage) -> None:
    """Another party comes into the call once it is connected."""
    call = stage.call("bob")
    with pytest.raises(WrongStateError):
        await stage.offer(call, by="bob")
    stage.led.calls.add(call.id)
    with pytest.raises(WrongStateError):
        await stage.offer(call, by="bob")
    call.status = CallStatus.CONNECTED
    await stage.offer(call, by="bob")
    assert len(stage.agent.invited) == 1


async def test_without_asterisk(stage: Stage) -> None:
    """The sender is told in words, his page by a message, and the call is over."""
    stage.agent.state = "lost"
    call = stage.call()
    with pytest.raises(NoGatewayError):
        await stage.offer(call)
    await stage.settle()
    assert stage.mail.reasons == ["gateway_lost"]
    assert stage.kinds(call) == ["ended"]
    assert stage.records.log[call.id][0].facts == {"reason": "lost"}


async def test_without_asterisk_a_led_call_goes_on(stage: Stage) -> None:
    """Only the leg that would have come is missing."""
    stage.agent.state = "lost"
    call = stage.call()
    stage.led.calls.add(call.id)
    with pytest.raises(NoGatewayError):
        await stage.offer(call)
    await stage.settle()
    assert stage.kinds(call) == []


async def test_too_many_legs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused as if Asterisk were away."""
    monkeypatch.setattr("fastagi_server.gateway.register.MAX_SESSIONS", 1)
    await stage.begin()
    with pytest.raises(NoGatewayError):
        await stage.offer(stage.call())
    leg = await stage.ring("")
    assert leg.asked == ["refuse 503"]
