"""Calls that the client library makes: how they go, and how they end."""

import asyncio

import pytest
from client_stage import FakeGateway, Stage, ringing, silent

from fastagi_server.signaling.errors import NoGatewayError
from fastagi_server.signaling.models import SignalKind, SignalMessage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_call_is_made_heard_and_ended(stage: Stage) -> None:
    """A number is called: it rings, is answered, media flow both ways, and hanging up ends it."""
    alice = await stage.sign_in()
    call_id = await alice.call("10 (0)-1")
    await alice.until("connected")
    heard = await stage.gateway.far.evaluate("() => far.heard()")
    assert heard["packets"] > 20
    await alice.until_true("call.quality?.packetsReceived > 20 && call.quality.codec === 'opus'")
    await alice.run("() => call.hangup()")
    assert await alice.told() == [["ringing"], ["connected"], ["ended", "ended", "us"]]
    assert stage.gateway.kinds == ["offer", "hangup"]
    record = await stage.record(call_id)
    assert record["participants"] == ["SIP/1001"]
    assert record["metadata"] == {"caller_leg": "webrtc"}
    assert alice.watched.complaints == []
    assert alice.watched.outside == []


async def test_everything_is_released_at_the_end(stage: Stage) -> None:
    """After a call the microphone is off, the connection closed, and the call forgotten."""
    alice = await stage.sign_in()
    await alice.call()
    await alice.until("connected")
    await alice.run("() => { window.track = call.localStream.getTracks()[0]; }")
    await alice.run("() => call.hangup()")
    assert await alice.run("() => [track.readyState, call.state, client.calls.size]") == [
        "ended",
        "ended",
        0,
    ]


async def test_a_stream_of_ones_own_is_not_stopped(stage: Stage) -> None:
    """What the page captured itself goes on after the call."""
    alice = await stage.sign_in()
    await alice.run(
        "async () => { window.own = await navigator.mediaDevices.getUserMedia({ audio: true }); }"
    )
    await alice.call(options="{ stream: own }")
    await alice.until("connected")
    await alice.run("() => call.hangup()")
    assert await alice.run("() => own.getTracks()[0].readyState") == "live"


@pytest.mark.parametrize(
    "reason", ["busy", "no_answer", "unreachable", "unknown", "refused", "gateway_lost"]
)
async def test_a_call_that_is_not_answered_says_why(stage: Stage, reason: str) -> None:
    """The far end's reason is the call's."""

    async def refuse(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
        if message.kind is SignalKind.OFFER:
            gateway.hang_up(call_id, reason)

    stage.gateway.behaviour = refuse
    alice = await stage.sign_in()
    await alice.call()
    await alice.until("ended", reason, None if reason == "gateway_lost" else "them")
    assert await alice.run("() => [call.end.cause, call.end.seconds]") == [16, 0]
    assert stage.gateway.kinds == ["offer"]


async def test_a_call_is_given_up_while_it_rings(stage: Stage) -> None:
    """Hanging up before the answer cancels the call."""
    stage.gateway.behaviour = ringing
    alice = await stage.sign_in()
    await alice.call()
    await alice.until("ringing")
    await alice.run("() => call.hangup()")
    assert await alice.told() == [["ringing"], ["ended", "cancelled", "us"]]
    assert stage.gateway.kinds == ["offer", "hangup"]


async def test_a_call_is_given_up_while_it_is_made(stage: Stage) -> None:
    """Giving up before the microphone is there rejects with `aborted` and ends the record."""
    alice = await stage.sign_in(
        options="{ media: { mediaDevices: { getUserMedia: () => new Promise(() => {}) } } }"
    )
    code = await alice.run(
        """async () => {
            const stop = new AbortController();
            const calling = client.call("1001", { signal: stop.signal });
            window.ids = [];
            client.on("callchange", ({ id }) => ids.push(id));
            stop.abort();
            return calling.catch(({ code }) => code);
        }"""
    )
    assert code == "aborted"
    assert stage.gateway.kinds == []
    async with stage.service() as client, asyncio.timeout(10):
        while True:
            calls = (await client.get("/calls", params={"status": "ended"})).json()
            if [call["caller_id"] for call in calls] == ["alice"]:
                break


async def test_without_a_gateway_a_call_ends_at_once(stage: Stage) -> None:
    """Where no gateway takes the offer, the call ends with that and the error beside it."""
    stage.gateway.fault = NoGatewayError()
    alice = await stage.sign_in()
    call_id = await alice.call()
    await alice.until("ended", "gateway_lost", None)
    assert await alice.run("() => call.end.error.code") == "gateway_unavailable"
    async with asyncio.timeout(10):
        while (await stage.record(call_id))["status"] != "ended":
            pass


async def test_early_media_are_heard_before_the_answer(stage: Stage) -> None:
    """What comes with `progress` is played, and the call is connected by the answer alone."""
    stage.gateway.behaviour = silent
    alice = await stage.sign_in()
    call_id = await alice.call()
    await stage.gateway.until("offer")
    offer = stage.gateway.received[0].payload
    early = await stage.gateway.far.evaluate("offer => far.answer(offer)", offer)
    stage.gateway.tell(call_id, SignalKind.PROGRESS, early)
    await alice.until("progress")
    await stage.gateway.far.wait_for_function("() => far.peer.connectionState === 'connected'")
    assert await alice.run("() => [call.state, call.connectedAt]") == ["initiating", None]
    stage.gateway.tell(call_id, SignalKind.ANSWER, early)
    await alice.until("connected")


async def test_the_far_end_hangs_up(stage: Stage) -> None:
    """A hangup in mid-call ends it, and nothing is sent to somebody who has gone."""
    alice = await stage.sign_in()
    call_id = await alice.call()
    await alice.until("connected")
    stage.gateway.hang_up(call_id, "ended")
    await alice.until("ended", "ended", "them")
    assert await alice.run("() => call.end.seconds > 0")
    assert stage.gateway.kinds == ["offer"]


async def test_a_page_that_is_left_hangs_up(stage: Stage) -> None:
    """Closing the page ends its call at once."""
    alice = await stage.sign_in()
    await alice.call()
    await alice.until("connected")
    await alice.page.close(run_before_unload=False)
    await stage.gateway.until("offer", "hangup")


async def test_the_documented_steps_one_by_one(stage: Stage) -> None:
    """initiateCall, setupWebRTC and sendSignaling do together what call() does."""
    alice = await stage.sign_in()
    record = await alice.run("() => client.initiateCall(['SIP/1001'])")
    assert record["status"] == "initiating"
    await alice.run("async id => near.watch(await client.setupWebRTC(id))", record["id"])
    await alice.until("connected")
    message = await alice.run("id => client.sendSignaling(id, 'mute')", record["id"])
    assert message["to_user"] == "asterisk"
    assert stage.gateway.kinds == ["offer", "mute"]
    await alice.run("id => client.hangup(id)", record["id"])
    assert await alice.refusal("client.hangup('nobody')") == "not_found"
