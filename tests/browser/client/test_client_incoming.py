"""Calls that come in to the client library, by Asterisk and by other browsers."""

import asyncio

import pytest
from client_stage import Stage, silent

from fastagi_server.signaling.models import SignalKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAR_ANSWER = "answer => far.peer.setRemoteDescription(answer)"


async def test_a_call_rings_and_is_answered(stage: Stage) -> None:
    """The page hears who calls, answers, and media flow."""
    stage.gateway.behaviour = silent
    alice = await stage.sign_in()
    await stage.ring(caller_number="1001", caller_name="<b>Anna</b>")
    await alice.until("incoming", "1001", "<b>Anna</b>", "audio")
    assert await alice.run("() => [call.direction, call.state, client.userId]") == [
        "incoming",
        "ringing",
        "alice",
    ]
    await alice.run("() => call.accept()")
    await stage.gateway.until("answer")
    await stage.gateway.far.evaluate(FAR_ANSWER, stage.gateway.received[0].payload)
    await alice.until("connected")
    assert (await stage.gateway.far.evaluate("() => far.heard()"))["packets"] > 20


async def test_a_call_is_refused(stage: Stage) -> None:
    """Refusing sends a hangup and nothing else."""
    alice = await stage.sign_in()
    await stage.ring()
    await alice.until("incoming", "service", "", "audio")
    await alice.run("() => call.reject()")
    await alice.until("ended", "refused", "us")
    await stage.gateway.until("hangup")


async def test_the_caller_gives_up(stage: Stage) -> None:
    """A call that stops ringing has ended, and cannot be answered any more."""
    alice = await stage.sign_in()
    call_id = await stage.ring(caller_number="1001")
    await alice.until("incoming", "1001", "", "audio")
    stage.gateway.hang_up(call_id, "cancelled")
    await alice.until("ended", "cancelled", "them")
    assert await alice.refusal("call.accept()") == "call_ended"


async def test_a_microphone_is_missing_when_it_rings(stage: Stage) -> None:
    """Accepting says what is wrong, and the call rings on."""
    alice = await stage.sign_in(
        options="""{ media: { mediaDevices: {
            getUserMedia: () => Promise.reject(new DOMException("", "NotFoundError")),
        } } }"""
    )
    await stage.ring(caller_number="1001")
    await alice.until("incoming", "1001", "", "audio")
    assert await alice.refusal("call.accept()") == "microphone_missing"
    assert await alice.run("() => call.state") == "ringing"
    assert stage.gateway.kinds == []


async def test_two_pages_of_one_user(stage: Stage) -> None:
    """Both ring; the one that answers has the call, and the other hears that it is taken."""
    stage.gateway.behaviour = silent
    first, second = await stage.sign_in(), await stage.sign_in()
    call_id = await stage.ring(caller_number="1001")
    for page in (first, second):
        await page.until("incoming", "1001", "", "audio")
    await first.run("() => call.accept()")
    await stage.gateway.until("answer")
    await stage.gateway.far.evaluate(FAR_ANSWER, stage.gateway.received[0].payload)
    stage.gateway.hang_up(call_id, "answered_elsewhere")
    await second.until("ended", "answered_elsewhere", None)
    await first.until("connected")
    assert await first.run("() => call.state") == "connected"


async def test_a_page_that_rings_is_closed(stage: Stage) -> None:
    """Closing one page leaves the call ringing on the others."""
    first, second = await stage.sign_in(), await stage.sign_in()
    await stage.ring(caller_number="1001")
    for page in (first, second):
        await page.until("incoming", "1001", "", "audio")
    await first.run("() => client.close()")
    await first.until("ended", "left", None)
    await second.run("() => call.accept()")
    await stage.gateway.until("answer")


async def test_a_change_of_another_pages_call_does_not_ring(stage: Stage) -> None:
    """An offer in mid-call is answered by the page that has the call, and rings on no other."""
    first = await stage.sign_in()
    call_id = await first.call()
    await first.until("connected")
    second = await stage.sign_in()
    offer = await stage.gateway.far.evaluate("() => far.offer()")
    stage.gateway.tell(call_id, SignalKind.OFFER, offer)
    await stage.gateway.until("offer", "answer")
    await stage.ring(caller_number="1001")
    await second.until("incoming", "1001", "", "audio")
    assert [event[0] for event in await second.told()] == ["incoming"]


async def test_a_call_that_began_while_the_page_was_loaded(stage: Stage) -> None:
    """A page that comes later rings for what rings already."""
    await stage.ring(caller_number="1001", video=True)
    alice = await stage.sign_in()
    await alice.until("incoming", "1001", "", "video")


async def test_browser_to_browser(stage: Stage) -> None:
    """Two browsers speak and see each other directly, hold, mute, and end the record."""
    alice, bob = await stage.sign_in("alice"), await stage.sign_in("bob")
    call_id = await alice.call("bob", "{ direct: true, video: true }")
    await bob.until("incoming", "alice", "", "video")
    await bob.run("() => call.accept({ video: true })")
    await alice.until("connected")
    await bob.until("connected")
    for page in (alice, bob):
        await page.until_true("call.videoStreams.length === 1 && call.isDirect")
    await alice.run("() => call.mute()")
    await bob.until("peermuted", True)
    await alice.run("() => call.hold()")
    await bob.until("held", "them")
    await alice.run("() => call.resume()")
    await bob.until("resumed")
    await bob.run("() => call.hangup()")
    await alice.until("ended", "ended", "them")
    async with asyncio.timeout(10):
        while (await stage.record(call_id))["status"] != "ended":
            pass
    assert stage.gateway.kinds == []


async def test_a_screen_offered_by_the_other_side(stage: Stage) -> None:
    """In a direct call either side adds a picture at any time."""
    picture = "{ media: { mediaDevices: { getDisplayMedia: async () => near.picture(), \
getUserMedia: (wanted) => navigator.mediaDevices.getUserMedia(wanted) } } }"
    alice, bob = await stage.sign_in("alice"), await stage.sign_in("bob", picture)
    await alice.call("bob", "{ direct: true }")
    await bob.until("incoming", "alice", "", "audio")
    await bob.run("() => call.accept()")
    await bob.until("connected")
    await alice.until("connected")
    await bob.run("() => call.shareScreen()")
    await alice.until_true("call.videoStreams.length === 1")
    await bob.run("() => call.stopScreen()")
    await alice.until_true("call.videoStreams.length === 0")
