"""What the client library does with media in a call: mute, hold, keys, changes, screens."""

import asyncio
from typing import Any

import pytest
from client_stage import FakeGateway, Stage, User

from fastagi_server.signaling.models import SignalKind, SignalMessage

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_MEDIA = """{ media: { mediaDevices: {
    getUserMedia: () => Promise.reject(new DOMException("", "%s")),
    enumerateDevices: async () => [{ kind: "audioinput" }],
} } }"""


async def connected(stage: Stage, options: str = "{}", call: str = "{}") -> tuple[User, str]:
    """A user in a call."""
    alice = await stage.sign_in(options=options)
    call_id = await alice.call(options=call)
    await alice.until("connected")
    return alice, call_id


async def energy(stage: Stage) -> float:
    """What the far end hears in a second."""
    return float((await stage.gateway.far.evaluate("() => far.heard()"))["energy"])


async def test_mute_is_silent_at_the_far_end(stage: Stage) -> None:
    """A muted microphone sends silence and says so; unmuted it is heard again."""
    alice, _ = await connected(stage)
    await alice.run("() => call.mute()")
    await energy(stage)  # what was still on its way
    assert await energy(stage) < 1e-6
    assert await alice.run("() => call.isMuted")
    await alice.run("() => call.unmute()")
    await energy(stage)
    assert await energy(stage) > 1e-4
    assert stage.gateway.kinds == ["offer", "mute", "unmute"]
    assert [event for event in await alice.told() if event[0] == "muted"] == [
        ["muted", True],
        ["muted", False],
    ]


async def test_a_call_that_begins_muted_stays_so(stage: Stage) -> None:
    """What is muted while it rings is muted when it is answered, for Asterisk too."""
    alice = await stage.sign_in()
    await alice.run("async () => { near.watch(await client.call('1001')); await call.mute(); }")
    await alice.until("connected")
    await stage.gateway.until("offer", "mute")
    assert await alice.run("() => call.localStream.getTracks()[0].enabled") is False


async def test_hold_and_resume(stage: Stage) -> None:
    """Hold and its end are asked of the service, and nothing is said meanwhile."""
    alice, _ = await connected(stage)
    holds = await alice.answer_with("calls/[^/]+/hold", {})
    resumes = await alice.answer_with("calls/[^/]+/unhold", {})
    await alice.run("() => call.hold()")
    state = "() => [call.state, call.isHeld, call.localStream.getTracks()[0].enabled]"
    assert await alice.run(state) == ["held", True, False]
    await alice.run("() => call.resume()")
    assert await alice.run(state) == ["connected", False, True]
    assert (holds, resumes) == ([{}], [None])
    assert (await alice.told())[2:] == [["held", "us"], ["resumed"]]


async def test_a_hold_that_is_refused(stage: Stage) -> None:
    """What the service does not do is an error to whoever asks, and the call goes on."""
    alice, _ = await connected(stage)
    assert await alice.refusal("call.hold()") in {"pbx_unreachable", "wrong_state"}
    assert await alice.run("() => call.state") == "connected"


async def test_the_others_hold(stage: Stage) -> None:
    """A call that is put on hold by somebody else says so."""
    alice, call_id = await connected(stage)
    frame = {"call": {"id": call_id, "status": "on_hold"}}
    stage.desk.book.push("alice", "Call", frame)
    await alice.until("held", "them")
    stage.desk.book.push("alice", "Call", {"call": {"id": call_id, "status": "connected"}})
    await alice.until("resumed")


async def test_keys_go_as_events_of_the_sound(stage: Stage) -> None:
    """Keys are pressed in the media, one press after another."""
    alice, _ = await connected(stage)
    await alice.run(
        """() => {
            window.pressed = [];
            const { insertDTMF } = RTCDTMFSender.prototype;
            RTCDTMFSender.prototype.insertDTMF = function (...details) {
                pressed.push(details);
                insertDTMF.apply(this, details);
            };
        }"""
    )
    await alice.run("async () => { await call.dtmf('12'); await call.dtmf('#'); }")
    assert await alice.run("() => pressed") == [["12", 160, 60], ["12#", 160, 60]]
    assert await alice.refusal("call.dtmf('x')") == "invalid_request"


async def test_keys_go_by_the_service_where_media_have_none(stage: Stage) -> None:
    """Without events in the media, the service presses the keys."""
    alice = await stage.sign_in()
    await alice.run(
        "() => Object.defineProperty(RTCRtpSender.prototype, 'dtmf', { get: () => null })"
    )
    await alice.call()
    await alice.until("connected")
    pressed = await alice.answer_with("calls/[^/]+/dtmf", {})
    await alice.run("() => call.dtmf('1*')")
    assert pressed == [{"digits": "1*"}]


async def test_transfer(stage: Stage) -> None:
    """A number is transferred to as the dial string that it stands for."""
    alice, _ = await connected(stage)
    asked = await alice.answer_with("calls/[^/]+/transfer", {})
    await alice.run("() => call.transfer('1002')")
    assert asked == [{"to": "SIP/1002"}]


async def test_asterisk_changes_the_call(stage: Stage) -> None:
    """An offer in mid-call is answered, and what it adds is received."""
    alice, call_id = await connected(stage)
    await stage.gateway.far.evaluate("() => far.show()")
    offer = await stage.gateway.far.evaluate("() => far.offer()")
    stage.gateway.tell(call_id, SignalKind.OFFER, {**offer, "renegotiation": True})
    await stage.gateway.until("offer", "answer")
    answer = stage.gateway.received[-1].payload
    await stage.gateway.far.evaluate("answer => far.peer.setRemoteDescription(answer)", answer)
    await alice.until_true("call.videoStreams.length === 1")


async def test_video_comes_and_goes_in_mid_call(stage: Stage) -> None:
    """A camera is added and taken away, each by an offer that is answered."""
    alice, _ = await connected(stage)
    await alice.run("() => call.startVideo()")
    await stage.gateway.until("offer", "offer")
    await stage.gateway.far.wait_for_function("() => far.pictures() > 0")
    assert await alice.run("() => call.isSendingVideo")
    await alice.run("() => { window.camera = call.localStream.getVideoTracks()[0]; }")
    await alice.run("() => call.stopVideo()")
    await stage.gateway.until("offer", "offer", "offer")
    assert await alice.run("() => [call.isSendingVideo, camera.readyState]") == [False, "ended"]


async def test_a_screen_is_shared(stage: Stage) -> None:
    """A screen takes the camera's place, and gives it back when the user stops sharing."""
    alice = await stage.sign_in(
        options="""{ media: { mediaDevices: {
            getUserMedia: (wanted) => navigator.mediaDevices.getUserMedia(wanted),
            getDisplayMedia: async () => { window.screen_ = near.picture(); return screen_; },
        } } }"""
    )
    await alice.call(options="{ video: true }")
    await alice.until("connected")
    await alice.run("() => call.shareScreen()")
    sent = "() => near.peer.getSenders().find(({ track }) => track?.kind === 'video').track.id"
    screen = await alice.run("() => screen_.getVideoTracks()[0].id")
    assert await alice.run(sent) == screen
    assert await alice.run("() => call.isSharingScreen")
    await alice.run("() => call.stopScreen()")
    assert await alice.run(sent) != screen
    assert await alice.run("() => [call.isSharingScreen, call.isSendingVideo]") == [False, True]
    assert stage.gateway.kinds == ["offer"]


async def test_two_offers_that_meet(stage: Stage) -> None:
    """Where both sides offer at once, ours is taken back, theirs answered, and ours made again."""
    alice, _ = await connected(stage)
    offers: list[Any] = []

    async def collide(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
        if message.kind is SignalKind.ANSWER:
            description = message.payload
            await gateway.far.evaluate(
                "answer => far.peer.setRemoteDescription(answer)", description
            )
        elif message.kind is SignalKind.OFFER:
            offers.append(message)
            if len(offers) == 1:
                offer = await gateway.far.evaluate("() => far.offer()")
                gateway.tell(call_id, SignalKind.OFFER, {**offer, "renegotiation": True})
            else:
                await gateway.answer(call_id, message)

    stage.gateway.behaviour = collide
    await alice.run("() => call.startVideo()")
    await stage.gateway.until("offer", "offer", "answer", "offer")
    await stage.gateway.far.wait_for_function("() => far.pictures() > 0")
    assert await alice.run("() => call.state") == "connected"


@pytest.mark.parametrize(
    ("status", "events"), [(488, [["error", "negotiation_failed"]]), (491, [])]
)
async def test_a_change_that_is_refused(stage: Stage, status: int, events: list[list[str]]) -> None:
    """A change that cannot be is an error; one that met another is made again. The call goes on."""
    alice, _ = await connected(stage)
    tries: list[str] = []

    async def refuse(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
        tries.append(message.kind)
        if status == 491 and len(tries) > 1:
            await gateway.answer(call_id, message)
            return
        refusal = {"type": "rollback", "sdp": "", "status": status}
        gateway.tell(call_id, SignalKind.ANSWER, refusal)

    stage.gateway.behaviour = refuse
    await alice.run("() => call.startVideo()")
    if status == 491:
        await stage.gateway.until("offer", "offer", "offer")
    else:
        await alice.until("error", "negotiation_failed")
    await alice.until_true("near.peer.signalingState === 'stable'")
    assert (await alice.told())[2:] == events
    assert await alice.run("() => call.state") == "connected"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("NotFoundError", "microphone_missing"),
        ("NotAllowedError", "permission_denied"),
        ("NotReadableError", "microphone_busy"),
        ("TypeError", "media_unavailable"),
    ],
)
async def test_a_microphone_that_cannot_be_used(stage: Stage, name: str, code: str) -> None:
    """Calling says in a stable word why, and the call that was begun is ended."""
    alice = await stage.sign_in(options=NO_MEDIA % name)
    assert await alice.refusal("client.call('1001')") == code
    async with stage.service() as client, asyncio.timeout(10):
        while not (await client.get("/calls", params={"status": "ended"})).json():
            pass
    assert stage.gateway.kinds == []


async def test_a_page_that_browsers_do_not_trust(stage: Stage) -> None:
    """Where the browser hides its microphone for want of TLS, that is what is said."""
    alice = await stage.sign_in(options="{ media: { mediaDevices: undefined } }")
    assert await alice.refusal("client.call('1001')") == "insecure_page"


async def test_another_microphone_in_mid_call(stage: Stage) -> None:
    """Another device takes the place of the one in use, without another offer."""
    alice, _ = await connected(stage)
    await alice.run("() => { window.first = call.localStream.getTracks()[0]; }")
    device = await alice.run(
        "async () => (await client.devices()).findLast((d) => d.kind === 'audioinput').deviceId"
    )
    await alice.run("id => call.useDevice('audioinput', id)", device)
    tracks = "() => [first.readyState, call.localStream.getTracks().map((t) => t.readyState)]"
    assert await alice.run(tracks) == ["ended", ["live"]]
    assert await energy(stage) > 1e-4
    assert stage.gateway.kinds == ["offer"]


async def test_a_connection_that_is_lost(stage: Stage) -> None:
    """A call whose media break off for good ends by itself, and tells the far end."""
    alice, _ = await connected(stage)
    await alice.run("() => near.shorten()")
    await stage.gateway.far.evaluate("() => far.peer.close()")
    await alice.until("reconnecting")
    await alice.until("ended", "media_failed", None)
    await stage.gateway.until_last("hangup")
