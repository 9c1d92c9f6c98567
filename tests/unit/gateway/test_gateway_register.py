"""What becomes of legs when users, calls or the service itself go."""

import asyncio
from dataclasses import replace

import pytest
from gateway_stage import CANDIDATE, SDP, WITHOUT_CANDIDATE, FakeLeg, Stage

from fastagi_server.calls.models import Call, CallStatus
from fastagi_server.signaling.dialogs import DialogRecord
from fastagi_server.signaling.models import SignalKind
from fastagi_server.sip.events import Answered, Ended, LegState


async def talking(stage: Stage) -> tuple[Call, FakeLeg]:
    """A call that is up."""
    call, leg = await stage.begin()
    leg.now = LegState.UP
    leg.hear(Answered("answer"))
    return call, leg


def kept(call: Call, leg_id: str = "old", *, is_noted: bool = True) -> DialogRecord:
    """What an earlier run has kept of a call of alice's."""
    return DialogRecord(leg_id, call.id, "alice", True, is_noted, {"asked": 0})


async def test_a_user_leaves(stage: Stage) -> None:
    """All legs of his are ended, those of others are not."""
    _, alices = await talking(stage)
    bobs = await stage.ring(stage.call("bob").id)
    stage.register.gone("alice")
    assert (alices.asked, bobs.asked) == (["hang_up"], ["ring"])
    alices.hear(Ended(None, None, by_far_end=False))
    assert stage.mail.reasons == ["left"]


async def test_a_user_ends_a_call_of_the_dialplan(stage: Stage) -> None:
    """Over the API: nobody but the gateway can end the leg."""
    call, leg = await talking(stage)
    stage.register.call_ended("another-call", by_user=True, is_lost=False)
    stage.register.call_ended(call.id, by_user=True, is_lost=False)
    assert leg.asked == ["hang_up"]


async def test_a_led_call_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk ends the leg; only if it does not the gateway does."""
    monkeypatch.setattr("fastagi_server.gateway.register.ENDING_SECONDS", 0.0)
    call, leg = await talking(stage)
    stage.register.call_ended(call.id, by_user=False, is_lost=False)
    stage.register.call_ended(call.id, by_user=False, is_lost=False)
    assert leg.asked == []
    await asyncio.wait_for(leg.is_asked.wait(), 5)
    assert leg.asked == ["hang_up"]


async def test_asterisk_ends_the_leg_of_a_call(stage: Stage) -> None:
    """Then there is nothing left to end."""
    call, leg = await talking(stage)
    stage.register.call_ended(call.id, by_user=False, is_lost=False)
    leg.hear(Ended(None, 16, by_far_end=True))
    assert leg.asked == []
    assert stage.mail.reasons == ["ended"]


async def test_a_call_is_lost(stage: Stage) -> None:
    """Asterisk knows nothing of it any more: its leg is ended at once."""
    call, leg = await talking(stage)
    stage.register.call_ended(call.id, by_user=False, is_lost=True)
    assert leg.asked == ["hang_up"]
    leg.hear(Ended(481, None, by_far_end=True))
    assert stage.mail.reasons == ["gateway_lost"]


async def test_a_leg_is_kept_while_it_is_up(stage: Stage) -> None:
    """From the answer to the end, and again whenever it has changed."""
    call, leg = await talking(stage)
    await stage.settle()
    assert stage.dialogs.records["leg-1"].snapshot == {"asked": 0}
    assert stage.dialogs.records["leg-1"].call_id == call.id
    leg.offer(SDP)
    stage.register.keep_all()
    stage.register.keep_all()
    await stage.settle()
    assert stage.dialogs.records["leg-1"].snapshot == {"asked": 1}
    leg.hear(Ended(None, 16, by_far_end=True))
    await stage.settle()
    assert stage.dialogs.records == {}


async def test_a_leg_that_is_not_up_is_not_kept(stage: Stage) -> None:
    """No dialog is confirmed that could go on."""
    await stage.begin()
    stage.register.close()
    await stage.settle()
    assert stage.dialogs.records == {}


async def test_a_leg_goes_on_in_the_next_run(stage: Stage) -> None:
    """Its user has some time to come back, and can do with it what he could before."""
    call = stage.call(status=CallStatus.CONNECTED)
    stage.dialogs.records["old"] = kept(call)
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    assert stage.agent.restored == [{"asked": 0}]
    assert stage.pages.expected == ["alice"]
    assert stage.mail.admitted == [(call.id, "alice")]
    await stage.send(call, SignalKind.MUTE)
    await stage.send(call, SignalKind.HANGUP)
    (leg,) = stage.agent.legs
    assert leg.asked == ["hang_up"]
    leg.hear(Ended(None, None, by_far_end=False))
    await stage.settle()
    assert stage.kinds(call) == ["muted", "ended"]


async def test_a_call_that_ended_meanwhile(stage: Stage) -> None:
    """Its leg is ended, too."""
    call = stage.call(status=CallStatus.ENDED)
    stage.dialogs.records["old"] = kept(call)
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    assert stage.agent.legs[0].asked == ["hang_up"]


async def test_a_record_that_is_no_snapshot(stage: Stage) -> None:
    """It is dropped; its call is lost unless it is led."""
    call = stage.call(status=CallStatus.CONNECTED)
    stage.dialogs.records["old"] = replace(kept(call), snapshot={})
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    stage.register.decide()
    await stage.settle()
    assert stage.dialogs.records == {}
    assert stage.records.log[call.id][0].facts == {"reason": "lost"}


async def test_calls_whose_leg_was_not_up(stage: Stage) -> None:
    """Those of browsers are lost with the run that began them; others are none of ours."""
    ringing, other = stage.call(status=CallStatus.RINGING), stage.call(caller_leg="")
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    await stage.settle()
    assert (stage.kinds(ringing), stage.kinds(other)) == (["ended"], [])


async def test_a_call_that_goes_on_without_its_caller(stage: Stage) -> None:
    """Whether it is led shows when Asterisk has been asked; one that is led is not lost."""
    led, over = (stage.call(status=CallStatus.CONNECTED) for _ in range(2))
    stage.led.is_linked = False
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    stage.register.decide()
    await stage.settle()
    assert (stage.kinds(led), stage.kinds(over)) == ([], [])
    stage.led.is_linked = True
    stage.led.calls.add(led.id)
    stage.register.decide()
    stage.led.calls.clear()
    stage.register.decide()
    await stage.settle()
    assert (stage.kinds(led), stage.kinds(over)) == ([], ["ended"])


@pytest.mark.parametrize("is_seen_late", [True, False])
async def test_a_led_call_that_ended_meanwhile(stage: Stage, *, is_seen_late: bool) -> None:
    """Its leg is told so before or after Asterisk was asked; its record ends in both cases."""
    call = stage.call(status=CallStatus.CONNECTED)
    stage.dialogs.records["old"] = kept(call, is_noted=False)
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    (leg,) = stage.agent.legs
    if is_seen_late:
        stage.register.decide()
    leg.hear(Ended(481, None, by_far_end=True))
    stage.register.decide()
    await stage.settle()
    assert stage.kinds(call) == ["ended"]


async def test_a_led_call_goes_on_when_its_leg_ends(stage: Stage) -> None:
    """Those who are left are recorded where they are led, though the caller's leg is over."""
    call = stage.call(status=CallStatus.CONNECTED)
    stage.dialogs.records["old"] = kept(call, is_noted=False)
    await stage.register.restore(stage.agent, stage.dialogs, stage.journal)
    (leg,) = stage.agent.legs
    leg.hear(Ended(481, None, by_far_end=True))
    stage.led.calls.add(call.id)
    stage.register.decide()
    await stage.settle()
    assert stage.kinds(call) == []


async def test_at_the_end_nothing_is_sent(stage: Stage) -> None:
    """Legs are left to the next run, and no timer of theirs is left behind."""
    call, leg = await talking(stage)
    stage.register.call_ended(call.id, by_user=False, is_lost=False)
    await stage.offer(stage.call(), WITHOUT_CANDIDATE)
    stage.register.close()
    await stage.settle()
    assert leg.asked == []
    assert len(stage.agent.invited) == 1
    assert stage.dialogs.records["leg-1"].user == "alice"


async def test_too_many_early_candidates(stage: Stage) -> None:
    """Of one session that has not begun sixteen are kept."""
    call = stage.call()
    for _ in range(20):
        stage.register.add_early(call.id, "alice", CANDIDATE.replace(" udp ", " tcp "))
    stage.register.add_early(call.id, "alice", CANDIDATE)
    await stage.offer(call, WITHOUT_CANDIDATE)
    assert stage.agent.invited == []
    await stage.send(call, SignalKind.HANGUP)


async def test_dialogs_are_kept_now_and_then(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the register runs."""
    monkeypatch.setattr("fastagi_server.gateway.register.KEEP_SECONDS", 0.0)
    _, leg = await talking(stage)
    leg.offer(SDP)
    running = asyncio.create_task(stage.register.run())
    await stage.pause()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await stage.settle()
    assert stage.dialogs.records["leg-1"].snapshot == {"asked": 1}
