"""The SIP user agent against a real Asterisk: calls both ways, and how they end."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from gateway_caller import OFFER
from sip_stage import ANSWER, LegOwner, calling, gateway_of, on_hold, serving

from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.events import Answered, Ended, LegState, Offered, Refused, Ringing
from fastagi_server.testing.proxy import TcpProxy
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

EXTENSIONS = """
[sky-genesis-browser]
exten => 601,1,Hangup(17)
exten => 602,1,Ringing()
 same => n,Wait(60)
exten => 603,1,Answer()
 same => n,Wait(0.3)
 same => n,Hangup(16)
exten => 604,1,Progress()
 same => n,Wait(60)
exten => 605,1,Dial(PJSIP/bob@sge-gateway,30)
"""


@pytest.fixture(scope="module")
def sip_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of this module's own."""
    with Asterisk.start(extensions=EXTENSIONS, root=lab_root) as running:
        yield running


@pytest.fixture
def owner() -> LegOwner:
    """Return the owner of the legs."""
    return LegOwner()


@pytest.fixture
async def agent(sip_asterisk: Asterisk, owner: LegOwner) -> AsyncIterator[SipAgent]:
    """Return an agent that Asterisk knows, and see that Asterisk has no channel afterwards."""
    port, listen, token = gateway_of(sip_asterisk)
    async with serving(owner, port, listen=listen, token=token) as running:
        yield running
    assert await asyncio.to_thread(sip_asterisk.wait_idle)


async def idle(asterisk: Asterisk) -> bool:
    """Return whether Asterisk has no channel left before long."""
    return await asyncio.to_thread(asterisk.wait_idle)


async def test_a_call_that_we_end(agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk) -> None:
    """Echo() answers with ICE and audio both ways; our BYE ends the channel."""
    leg = calling(agent, owner, "600")
    answered = await owner.hears(leg, Answered)
    assert "\r\na=ice-ufrag:" in answered.sdp
    assert "\r\na=sendrecv" in answered.sdp
    assert leg.state is LegState.UP
    (channel,) = sip_asterisk.control.channels()
    assert channel["caller"] == {"name": "Alice 'Al' Liddell", "number": "alice"}
    leg.hang_up(16)
    assert await owner.sees_the_end(leg) == Ended(None, 16, by_far_end=False)
    assert await idle(sip_asterisk)
    await owner.until(lambda: agent.legs == [])


async def test_a_call_that_asterisk_ends(agent: SipAgent, owner: LegOwner) -> None:
    """Its BYE says why."""
    leg = calling(agent, owner, "603")
    await owner.hears(leg, Answered)
    assert await owner.sees_the_end(leg) == Ended(None, 16, by_far_end=True)
    assert agent.legs == []


@pytest.mark.parametrize(("number", "status", "cause"), [("601", 486, 17), ("10&1", 404, 1)])
async def test_a_call_that_is_refused(
    agent: SipAgent, owner: LegOwner, number: str, status: int, cause: int
) -> None:
    """Busy and unknown come as their statuses, with their causes."""
    leg = calling(agent, owner, number)
    refused = await owner.sees_the_end(leg)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.cause) == (status, cause)
    await owner.until(lambda: agent.legs == [])


async def test_a_call_taken_back(agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk) -> None:
    """CANCEL ends what rings."""
    leg = calling(agent, owner, "602")
    await owner.hears(leg, Ringing)
    leg.hang_up()
    assert await owner.sees_the_end(leg) == Ended(487, None, by_far_end=False)
    assert await idle(sip_asterisk)
    await owner.until(lambda: agent.legs == [])


async def test_a_call_taken_back_at_once(
    agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk
) -> None:
    """A CANCEL that meets the answer on its way becomes a BYE: no channel is left."""
    legs = [calling(agent, owner, "600") for _ in range(10)]
    for leg in legs:
        leg.hang_up()
    for leg in legs:
        assert await owner.sees_the_end(leg) == Ended(487, None, by_far_end=False)
    await owner.until(lambda: agent.legs == [])
    assert await idle(sip_asterisk)


async def test_hold_and_resume(agent: SipAgent, owner: LegOwner) -> None:
    """A re-INVITE that only sends is answered by one that only receives, and back."""
    leg = calling(agent, owner, "600")
    await owner.hears(leg, Answered)
    leg.offer(on_hold(OFFER))
    assert "\r\na=recvonly" in (await owner.hears(leg, Answered, 2)).sdp
    leg.offer(OFFER.replace(" 2 IN IP4", " 4 IN IP4", 1))
    assert "\r\na=sendrecv" in (await owner.hears(leg, Answered, 3)).sdp
    leg.hang_up()
    await owner.sees_the_end(leg)


async def test_a_call_to_a_browser(
    agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk
) -> None:
    """It rings, is answered, and ends with the channel."""
    sip_asterisk.control.originate(
        "PJSIP/bob@sge-gateway", context="lab", extension="wait", caller_id='"Eve" <1001>'
    )
    leg, invitation = await owner.is_invited()
    assert (invitation.user, invitation.caller_number) == ("bob", "1001")
    assert invitation.caller_name == "Eve"
    assert "\r\na=ice-ufrag:" in invitation.sdp
    leg.ring()
    leg.answer(ANSWER)
    await owner.until(lambda: [one["state"] for one in sip_asterisk.control.channels()] == ["Up"])
    sip_asterisk.control.hang_up(sip_asterisk.control.channels()[0]["id"])
    ended = await owner.sees_the_end(leg)
    assert isinstance(ended, Ended)
    assert (ended.status, ended.by_far_end) == (None, True)


@pytest.mark.parametrize("status", [480, 486, 603])
async def test_a_call_to_a_browser_that_is_refused(
    agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk, status: int
) -> None:
    """The channel ends, and the leg with its ACK."""
    sip_asterisk.control.originate("PJSIP/bob@sge-gateway", context="lab", extension="wait")
    leg, _ = await owner.is_invited()
    leg.ring()
    leg.refuse(status)
    assert await owner.sees_the_end(leg) == Ended(status, None, by_far_end=False)
    await owner.until(lambda: agent.legs == [])
    assert await idle(sip_asterisk)


async def test_a_call_to_a_browser_that_is_taken_back(
    agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk
) -> None:
    """Asterisk's CANCEL ends it."""
    sip_asterisk.control.originate("PJSIP/bob@sge-gateway", context="lab", extension="wait")
    leg, _ = await owner.is_invited()
    leg.ring()
    await owner.until(lambda: bool(sip_asterisk.control.channels()))
    sip_asterisk.control.hang_up(sip_asterisk.control.channels()[0]["id"])
    ended = await owner.sees_the_end(leg)
    assert isinstance(ended, Ended)
    assert (ended.status, ended.by_far_end) == (487, True)
    await owner.until(lambda: agent.legs == [])


async def test_a_browser_calls_a_browser(agent: SipAgent, owner: LegOwner) -> None:
    """Through Asterisk: who hangs up ends both legs."""
    caller = calling(agent, owner, "605")
    callee, invitation = await owner.is_invited()
    assert (invitation.user, invitation.caller_name) == ("bob", "Alice 'Al' Liddell")
    callee.ring()
    await owner.hears(caller, Ringing)
    callee.answer(ANSWER)
    await owner.hears(caller, Answered)
    callee.hang_up()
    assert await owner.sees_the_end(caller) == Ended(None, 16, by_far_end=True)
    await owner.until(lambda: agent.legs == [])


async def test_a_call_goes_on_behind_a_restart_of_ours(
    sip_asterisk: Asterisk, owner: LegOwner
) -> None:
    """The next agent takes the snapshot over JSON and can hold and end the call."""
    port, listen, token = gateway_of(sip_asterisk)
    async with serving(owner, port, listen=listen, token=token) as agent:
        leg = calling(agent, owner, "600")
        await owner.hears(leg, Answered)
        saved = leg.snapshot()
    assert len(sip_asterisk.control.channels()) == 1
    after = LegOwner()
    async with serving(after, port, listen=listen, token=token) as agent:
        leg = agent.restore(saved, after.hear)
        leg.offer(on_hold(OFFER))
        assert "\r\na=recvonly" in (await after.hears(leg, Answered)).sdp
        leg.hang_up()
        await after.sees_the_end(leg)
        assert await idle(sip_asterisk)


async def test_a_bye_that_is_lost_on_its_way(sip_asterisk: Asterisk, owner: LegOwner) -> None:
    """It is said again over the next connection, long before Asterisk misses the sound."""
    port, listen, token = gateway_of(sip_asterisk)
    async with (
        TcpProxy("127.0.0.1", port) as proxy,
        serving(owner, proxy.port, listen=listen, token=token) as agent,
    ):
        leg = calling(agent, owner, "600")
        await owner.hears(leg, Answered)
        proxy.stall("to server")
        so_far = proxy.received("to server")
        leg.hang_up(16)
        await owner.until(lambda: proxy.received("to server") > so_far)
        assert agent.legs == [leg]
        proxy.cut(reset=True)
        proxy.resume()
        await owner.until(lambda: agent.legs == [])
        assert await idle(sip_asterisk)
        assert owner.events(leg)[-1] == Ended(None, 16, by_far_end=False)


async def test_a_call_that_asterisk_does_not_know(
    agent: SipAgent, owner: LegOwner, sip_asterisk: Asterisk
) -> None:
    """A snapshot of a call before Asterisk's restart ends with 481; the others go on."""
    leg = calling(agent, owner, "600")
    await owner.hears(leg, Answered)
    saved = leg.snapshot()
    dialog = saved["talk"]["dialog"]
    dialog["call_id"] = "of-another-life"
    # Asterisk looks for a dialog by its tags.
    dialog["local"] = dialog["local"].replace(";tag=", ";tag=0")
    forgotten = agent.restore(saved, owner.hear)
    assert await owner.sees_the_end(forgotten) == Ended(481, None, by_far_end=True)
    assert leg.state is LegState.UP
    leg.hang_up()
    assert await idle(sip_asterisk)


async def test_a_wrong_token_is_told(sip_asterisk: Asterisk, owner: LegOwner) -> None:
    """The link says that Asterisk does not know us, and a call is refused at once."""
    port, _, _ = gateway_of(sip_asterisk)
    async with asyncio.timeout(15):
        agent = SipAgent(
            asterisk=("127.0.0.1", port),
            listen=("127.0.0.1", sip_asterisk.ports.gateway),
            on_invite=owner.be_invited,
            measures=owner.measures,
            fields=(("X-SGE-Gateway", "wrong"),),
        )
        running = asyncio.create_task(agent.run())
        await owner.until(lambda: agent.state == "authentication refused")
        refused = await owner.sees_the_end(calling(agent, owner, "600"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert isinstance(refused, Refused)
    assert refused.status == 503
    assert agent.last_error == "Asterisk does not know the gateway: 401"


async def test_the_longest_offer(agent: SipAgent, owner: LegOwner) -> None:
    """Asterisk reads it, whatever it makes of it, and the connection serves the next call."""
    longest = OFFER + "".join(f"a=x-padding-{n:04}:{'y' * 200}\r\n" for n in range(215))
    assert 46_000 < len(longest) < 49_152
    await owner.hears(calling(agent, owner, "600", longest), Answered)
    await owner.hears(calling(agent, owner, "600"), Answered)
    assert agent.state == "up"
    assert agent.last_error == ""
    for leg in agent.legs:
        leg.hang_up()


async def test_an_offer_of_asterisk_s(agent: SipAgent, owner: LegOwner) -> None:
    """A session that the far end changes is offered to its owner, whose answer goes back."""
    caller = calling(agent, owner, "605")
    callee, _ = await owner.is_invited()
    callee.answer(ANSWER)
    await owner.hears(caller, Answered)
    caller.offer(on_hold(OFFER))
    await owner.hears(caller, Answered, 2)
    assert not [event for event in owner.events(callee) if isinstance(event, Offered)]
    caller.hang_up()
    await owner.until(lambda: agent.legs == [])
