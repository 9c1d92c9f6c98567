"""One browser and a real Asterisk: what is dialled, who rings, what is heard, and how it ends.

Each test waits for its phones' own end: Asterisk would repeat the BYE that a phone did not answer
to the next one on the same port.
"""

import asyncio
import time
from typing import Any

import pytest
from page_stage import PHONE_TONE, TONES, CallStage, token

from lab.phones import Phone
from lab.voice import calling_voice, voice_of

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]


async def test_a_browser_hears_itself(calls: CallStage) -> None:
    """A call to Echo() with the browser's own microphone sends sound and gets it back."""
    alice = await calls.sign_in("alice")
    call_id = await alice.dial("600", tone=False)
    await alice.wait("connected")
    await alice.talks()
    (channel,) = calls.asterisk.control.channels()
    assert channel["caller"]["number"] == "alice"
    assert calls.service.call(call_id)["status"] == "connected"
    await alice.do("hangup")
    assert (await alice.wait("ended"))[:2] == ["ended", "us"]
    record = await calls.ended(call_id)
    assert record["caller_id"] == "alice"
    assert alice.watched.complaints == []


async def test_a_browser_calls_a_phone(calls: CallStage) -> None:
    """Both hear each other; the browser hangs up."""
    alice = await calls.sign_in("alice")
    with voice_of(calls.asterisk, "1001") as voice:
        call_id = await alice.dial("1001")
        await alice.wait("connected")
        await alice.hears(PHONE_TONE)
        assert await asyncio.to_thread(voice.hears_tone)
        await alice.talks()
        await alice.do("hangup")
        await alice.wait("ended")
        assert await asyncio.to_thread(voice.phone.wait)
        await calls.ended(call_id)


async def test_a_phone_hangs_up(calls: CallStage) -> None:
    """The page is told that the far end rang, answered and hung up, in this order."""
    alice = await calls.sign_in("alice")
    with Phone.answering(calls.asterisk, "1001", ring_ms=300, hang_up_after_ms=500):
        call_id = await alice.dial("1001")
        reason = (await alice.wait("ended"))[:2]
    assert reason == ["ended", "them"]
    names = [each[0] for each in await alice.run("stage.happened")]
    seen = [name for name in names if name in {"ringing", "connected", "ended"}]
    assert seen == ["ringing", "connected", "ended"]
    await calls.ended(call_id)


async def test_a_phone_calls_a_browser(calls: CallStage) -> None:
    """The page rings and shows who calls; once accepted both hear each other."""
    alice = await calls.sign_in("alice")
    with calling_voice(calls.asterisk, "1002", "2001") as voice:
        await alice.accept()
        assert await alice.wait("incoming") == ["1002", "User 1002"]
        await alice.wait("connected")
        await alice.hears(PHONE_TONE)
        assert await asyncio.to_thread(voice.hears_tone)
        await alice.do("hangup")
        await alice.wait("ended")
        assert await asyncio.to_thread(voice.phone.wait)
    assert await asyncio.to_thread(calls.asterisk.wait_idle)


async def test_a_phone_gives_up(calls: CallStage) -> None:
    """A page that rings is told that the caller has hung up."""
    alice = await calls.sign_in("alice")
    with Phone.calling(calls.asterisk, "1002", "2001", cancel_after_ms=300) as phone:
        await alice.wait("incoming")
        assert (await alice.wait("ended"))[0] == "cancelled"
        assert await asyncio.to_thread(phone.wait)


async def test_a_browser_refuses(calls: CallStage) -> None:
    """Who calls a user whose only page refuses is told so: 403, as Asterisk says it."""
    alice = await calls.sign_in("alice")
    with Phone.calling(calls.asterisk, "1002", "2001") as phone:
        await alice.wait("incoming")
        await alice.do("reject")
        assert await asyncio.to_thread(phone.wait)
        assert phone.statuses()[-1] == 403


async def test_nobody_is_there(calls: CallStage) -> None:
    """A user without an open page is not available, and the phone that calls him hears at once."""
    with Phone.calling(calls.asterisk, "1002", "2002") as phone:
        assert await asyncio.to_thread(phone.wait)
        assert phone.statuses()[-1] in {480, 503}


async def test_a_browser_gives_up(calls: CallStage) -> None:
    """A phone that rings stops when the page cancels."""
    alice = await calls.sign_in("alice")
    with Phone.not_answering(calls.asterisk, "1001") as phone:
        call_id = await alice.dial("1001")
        await alice.wait("ringing")
        await alice.do("hangup")
        assert (await alice.wait("ended"))[:2] == ["cancelled", "us"]
        assert await asyncio.to_thread(phone.wait)
        await calls.ended(call_id)


async def test_a_busy_phone(calls: CallStage) -> None:
    """The page is told that the number is busy."""
    alice = await calls.sign_in("alice")
    with Phone.busy(calls.asterisk, "1001"):
        call_id = await alice.dial("1001")
        assert (await alice.wait("ended"))[0] == "busy"
    await calls.ended(call_id)


async def test_an_unknown_number(calls: CallStage) -> None:
    """The page is told that there is no such number, or nobody at it."""
    alice = await calls.sign_in("alice")
    call_id = await alice.dial("1999")
    assert (await alice.wait("ended"))[0] in {"unknown", "unreachable"}
    await calls.ended(call_id)


async def test_keys_arrive(calls: CallStage) -> None:
    """What is pressed on the page is read by the dialplan."""
    alice = await calls.sign_in("alice")
    before = len(calls.asterisk.log())
    await alice.dial("601")
    await alice.is_heard()
    await alice.do("dtmf", "14#9")
    await asyncio.to_thread(calls.asterisk.wait_for_log, r"KEYS 14", 20, after=before)


async def test_muted_is_silent(calls: CallStage) -> None:
    """A muted microphone is not heard at the far end, and is heard again afterwards."""
    alice = await calls.sign_in("alice")
    await alice.dial("600")
    await alice.hears(TONES["alice"])
    await alice.do("mute")
    await alice.hears_no(TONES["alice"])
    await alice.do("unmute")
    await alice.hears(TONES["alice"])


async def test_hold_and_resume(calls: CallStage) -> None:
    """A phone on hold is not heard and does not hear; afterwards both do."""
    alice = await calls.sign_in("alice")
    with voice_of(calls.asterisk, "1001") as voice:
        await alice.dial("1001")
        await alice.hears(PHONE_TONE)
        await alice.do("hold")
        assert await alice.wait("held") == ["us"]
        await alice.hears_no(PHONE_TONE)
        await alice.do("resume")
        await alice.wait("resumed")
        await alice.hears(PHONE_TONE)
        assert await asyncio.to_thread(voice.hears_tone)
        await alice.do("hangup")
        assert await asyncio.to_thread(voice.phone.wait)


async def test_a_transfer(calls: CallStage) -> None:
    """A page that transfers its call has left it, and the two phones hear each other."""
    alice = await calls.sign_in("alice")
    with voice_of(calls.asterisk, "1001") as first, voice_of(calls.asterisk, "1002") as second:
        await alice.dial("1001")
        await alice.hears(PHONE_TONE)
        await alice.do("transfer", "1002")
        assert (await alice.wait("ended"))[0] == "ended"
        assert await asyncio.to_thread(first.hears_tone)
        assert await asyncio.to_thread(second.hears_tone)
        await calls.hang_up()
        assert await asyncio.to_thread(first.phone.wait)
        assert await asyncio.to_thread(second.phone.wait)


async def test_somebody_else_ends_the_call(calls: CallStage) -> None:
    """A call that is ended over the API ends in the page and at the phone."""
    alice = await calls.sign_in("alice")
    with Phone.answering(calls.asterisk, "1001") as phone:
        call_id = await alice.dial("1001")
        await alice.wait("connected")
        await asyncio.to_thread(calls.service.request, "POST", f"/calls/{call_id}/end")
        assert (await alice.wait("ended"))[:2] == ["ended", "them"]
        assert await asyncio.to_thread(phone.wait)
        await calls.ended(call_id)


async def test_a_closed_tab(calls: CallStage) -> None:
    """A page that is closed hangs up, and the phone at its far end is free."""
    alice = await calls.sign_in("alice")
    with Phone.answering(calls.asterisk, "1001") as phone:
        call_id = await alice.dial("1001")
        await alice.wait("connected")
        await alice.watched.page.close()
        assert await asyncio.to_thread(phone.wait)
        await calls.ended(call_id)


async def test_a_crashed_tab(calls: CallStage) -> None:
    """A page that ends without a word has left after a while: its call ends by itself."""
    alice = await calls.sign_in("alice")
    call_id = await alice.dial("600")
    await alice.wait("connected")
    devtools: Any = await calls.browser.context.new_cdp_session(alice.watched.page)
    crashing = asyncio.ensure_future(devtools.send("Page.crash"))
    await calls.ended(call_id, seconds=30)
    crashing.cancel()


async def test_a_wrong_token(calls: CallStage) -> None:
    """A token that nobody signed is refused, in a word."""
    eve = await calls.enter("alice")
    code = "stage.signIn('nonsense').catch((error) => error.code)"
    await eve.open()
    assert await eve.run(code) == "unauthorized"


async def test_a_token_that_expires_in_a_call(calls: CallStage) -> None:
    """With another token at hand the call goes on, and the page can still end it."""
    alice = await calls.enter("alice")
    await alice.sign_in(token("alice", time.time() + 4), token("alice"))
    call_id = await alice.dial("600")
    await alice.wait("connected")
    await alice.wait("connection", 3)
    await alice.talks()
    assert calls.service.call(call_id)["status"] == "connected"
    await alice.do("hangup")
    await calls.ended(call_id)


async def test_a_token_that_is_not_renewed(calls: CallStage) -> None:
    """Who has no other token has left when his is no longer good: his call ends."""
    alice = await calls.enter("alice")
    await alice.sign_in(token("alice", time.time() + 4))
    call_id = await alice.dial("600")
    await alice.wait("connected")
    await alice.until("stage.client.connection === 'unauthorized'")
    await calls.ended(call_id, seconds=30)
