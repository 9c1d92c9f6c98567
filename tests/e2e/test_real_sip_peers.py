"""The SIP user agent against SIPp: what Asterisk rarely does, and what goes wrong on purpose."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from gateway_caller import OFFER
from sip_stage import ANSWER, LegOwner, calling, free_port, on_hold, serving
from sipp_peer import (
    SAVE_ENDS,
    SAVE_VIA,
    SippPeer,
    ask,
    call,
    peer_playing,
    receive,
    reply,
)

from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.desk import Credentials
from fastagi_server.sip.events import Answered, Ended, LegState, Offered, Refused, Ringing
from lab.root import Root

pytestmark = pytest.mark.asterisk

UP = (receive("INVITE"), reply(200, version=1), receive("ACK", SAVE_ENDS))
UP_SAID = ["< INVITE", "> 200", "< ACK"]
END = (receive("BYE"), reply(200, tag=""))


@pytest.fixture
def owner() -> LegOwner:
    """Return the owner of the legs."""
    return LegOwner()


@asynccontextmanager
async def called_by_us(
    root: Root, owner: LegOwner, *steps: str, credentials: Credentials | None = None
) -> AsyncGenerator[tuple[SipAgent, SippPeer]]:
    """Let SIPp take a call of ours with these steps."""
    with peer_playing(root, *steps) as peer:
        await asyncio.to_thread(peer.listen)
        async with serving(owner, peer.port, credentials=credentials) as agent:
            yield agent, peer


async def over(owner: LegOwner, agent: SipAgent, peer: SippPeer, said: list[str]) -> None:
    """See that every leg is over, and that SIPp saw exactly this."""
    await owner.until(lambda: agent.legs == [])
    await owner.until(lambda: len(peer.conversation()) >= len(said))
    assert peer.conversation() == said, peer.explain()


@pytest.mark.parametrize(
    ("status", "asks"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")]
)
async def test_a_challenge(lab_root: Root, owner: LegOwner, status: int, asks: str) -> None:
    """It is answered, the better algorithm first, and the call goes on."""
    challenge = f'{asks}: Digest realm="peer", nonce="47364c23432d2e", qop="auth", algorithm='
    steps = (
        receive("INVITE"),
        reply(status, challenge + "MD5", challenge + "SHA-256"),
        receive("ACK"),
        *(*UP, *END),
    )
    given = Credentials("gate", "secret")
    async with called_by_us(lab_root, owner, *steps, credentials=given) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Answered)
        leg.hang_up()
        said = ["< INVITE", f"> {status}", "< ACK", *UP_SAID, "< BYE", "> 200"]
        await over(owner, agent, peer, said)
        assert "algorithm=SHA-256" in peer.log()


@pytest.mark.parametrize("status", [302, 403, 486, 503, 603])
async def test_a_refusal(lab_root: Root, owner: LegOwner, status: int) -> None:
    """Each is acknowledged, and told with its cause."""
    steps = (receive("INVITE"), reply(status, "Reason: Q.850;cause=17"), receive("ACK"))
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        assert await owner.sees_the_end(leg) == Refused(status, "Said", 17)
        await over(owner, agent, peer, ["< INVITE", f"> {status}", "< ACK"])


async def test_a_call_taken_back(lab_root: Root, owner: LegOwner) -> None:
    """CANCEL while it rings: 200 to it, 487 to the INVITE, and the ACK."""
    steps = (
        receive("INVITE"),
        reply(180),
        receive("CANCEL"),
        reply(200),
        reply(487, sequence="CSeq: 1 INVITE"),
        receive("ACK"),
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Ringing)
        leg.hang_up()
        assert await owner.sees_the_end(leg) == Ended(487, None, by_far_end=False)
        said = ["< INVITE", "> 180", "< CANCEL", "> 200", "> 487", "< ACK"]
        await over(owner, agent, peer, said)


async def test_a_cancel_that_crosses_the_answer(lab_root: Root, owner: LegOwner) -> None:
    """The call that came up nevertheless is acknowledged and ended."""
    steps = (
        receive("INVITE"),
        reply(180),
        receive("CANCEL"),
        reply(481),
        reply(200, version=1, sequence="CSeq: 1 INVITE"),
        receive("ACK"),
        *END,
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Ringing)
        leg.hang_up()
        said = ["< INVITE", "> 180", "< CANCEL", "> 481", "> 200", "< ACK", "< BYE", "> 200"]
        await over(owner, agent, peer, said)
        assert owner.events(leg)[1:] == [Ended(487, None, by_far_end=False)]


async def test_an_answer_said_twice(lab_root: Root, owner: LegOwner) -> None:
    """It is acknowledged twice, and told once."""
    steps = (
        receive("INVITE", SAVE_VIA),
        reply(200, version=1),
        receive("ACK"),
        reply(200, version=1, via="Via:[$via]", sequence="CSeq: 1 INVITE", tag=""),
        receive("ACK"),
        *END,
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.until(lambda: peer.conversation().count("< ACK") == 2)
        leg.hang_up()
        said = [*UP_SAID, "> 200", "< ACK", "< BYE", "> 200"]
        await over(owner, agent, peer, said)
        assert [type(event) for event in owner.events(leg)] == [Answered, Ended]


async def test_both_hang_up_at_once(lab_root: Root, owner: LegOwner) -> None:
    """Each BYE has its answer."""
    steps = (
        *UP,
        receive("BYE", SAVE_VIA),
        ask("BYE", 1),
        receive(200),
        reply(200, via="Via:[$via]", sequence="CSeq: 2 BYE", tag=""),
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Answered)
        leg.hang_up()
        assert await owner.sees_the_end(leg) == Ended(None, None, by_far_end=False)
        await over(owner, agent, peer, [*UP_SAID, "< BYE", "> BYE", "< 200", "> 200"])


async def test_offers_both_ways(lab_root: Root, owner: LegOwner) -> None:
    """A re-INVITE of ours, then one of theirs, which the owner answers."""
    steps = (
        *UP,
        receive("INVITE"),
        reply(200, version=2, tag=""),
        receive("ACK"),
        ask("INVITE", 1, version=3),
        receive(100),
        receive(200),
        ask("ACK", 1),
        *END,
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Answered)
        leg.offer(on_hold(OFFER))
        assert "o=- 1 2 " in (await owner.hears(leg, Answered, 2)).sdp
        assert "o=- 1 3 " in (await owner.hears(leg, Offered)).sdp
        leg.answer(ANSWER)
        await owner.until(lambda: "> ACK" in peer.conversation())
        leg.hang_up()
        ours = ["< INVITE", "> 200", "< ACK"]
        theirs = ["> INVITE", "< 100", "< 200", "> ACK"]
        await over(owner, agent, peer, [*UP_SAID, *ours, *theirs, "< BYE", "> 200"])


async def test_glare(lab_root: Root, owner: LegOwner) -> None:
    """Two offers that cross are both refused with 491, and ours is made again."""
    steps = (
        *UP,
        receive("INVITE", SAVE_VIA),
        ask("INVITE", 1, version=2),
        receive(491),
        ask("ACK", 1),
        reply(491, via="Via:[$via]", sequence="CSeq: 2 INVITE", tag=""),
        receive("ACK"),
        receive("INVITE"),
        reply(200, version=3, tag=""),
        receive("ACK"),
        *END,
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Answered)
        leg.offer(on_hold(OFFER))
        assert "o=- 1 3 " in (await owner.hears(leg, Answered, 2)).sdp
        leg.hang_up()
        crossed = ["< INVITE", "> INVITE", "< 491", "> ACK", "> 491", "< ACK"]
        again = ["< INVITE", "> 200", "< ACK"]
        await over(owner, agent, peer, [*UP_SAID, *crossed, *again, "< BYE", "> 200"])


async def test_a_session_that_is_refreshed_and_expires(lab_root: Root, owner: LegOwner) -> None:
    """We refresh at half of 3 s; a far end that then says nothing has its call ended."""
    timer = "Session-Expires: 3;refresher=uac", "Allow: INVITE, UPDATE"
    steps = (
        receive("INVITE"),
        reply(200, *timer, version=1),
        receive("ACK"),
        receive("UPDATE"),
        reply(200, timer[0], tag=""),
        receive("UPDATE"),
        *END,
    )
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        assert await owner.sees_the_end(leg) == Ended(408, None, by_far_end=True)
        await owner.until(lambda: peer.conversation()[-2:] == ["< BYE", "> 200"])
        refreshed = ["< UPDATE", "> 200", "< UPDATE"]
        assert peer.conversation() == [*UP_SAID, *refreshed, "< BYE", "> 200"], peer.explain()


async def test_an_interval_that_is_too_short(lab_root: Root, owner: LegOwner) -> None:
    """A 422 is obeyed."""
    steps = (receive("INVITE"), reply(422, "Min-SE: 3600"), receive("ACK"), *UP, *END)
    async with called_by_us(lab_root, owner, *steps) as (agent, peer):
        leg = calling(agent, owner, "1001")
        await owner.hears(leg, Answered)
        leg.hang_up()
        said = ["< INVITE", "> 422", "< ACK", *UP_SAID, "< BYE", "> 200"]
        await over(owner, agent, peer, said)
        assert "Session-Expires: 3600" in peer.log()


# -- SIPp calls --


@asynccontextmanager
async def calling_us(
    root: Root, owner: LegOwner, *steps: str
) -> AsyncGenerator[tuple[SipAgent, SippPeer]]:
    """Let SIPp call us with these steps; there is no connection of ours to anybody."""
    port = free_port()
    async with serving(owner, free_port(), listen=port, needs_link=False) as agent:
        with peer_playing(root, *steps) as peer:
            peer.call(port)
            yield agent, peer


TRIED = (call("INVITE", 1, version=1), receive(100), receive(180))
TRIED_SAID = ["> INVITE", "< 100", "< 180"]


async def test_a_call_to_us(lab_root: Root, owner: LegOwner) -> None:
    """Rung, answered, changed by them, and ended by them."""
    steps = (
        *TRIED,
        receive(200),
        call("ACK", 1),
        call("INVITE", 2, version=2),
        receive(100),
        receive(200),
        call("ACK", 2),
        call("BYE", 3),
        receive(200),
    )
    async with calling_us(lab_root, owner, *steps) as (agent, peer):
        leg, invitation = await owner.is_invited()
        assert (invitation.user, invitation.caller_number) == ("bob", "1001")
        leg.ring()
        leg.answer(ANSWER)
        await owner.hears(leg, Offered)
        leg.answer(ANSWER)
        assert await owner.sees_the_end(leg) == Ended(None, None, by_far_end=True)
        changed = ["> INVITE", "< 100", "< 200", "> ACK", "> BYE", "< 200"]
        await over(owner, agent, peer, [*TRIED_SAID, "< 200", "> ACK", *changed])
        assert await asyncio.to_thread(peer.wait), peer.explain()


async def test_an_answer_that_is_acknowledged_late(lab_root: Root, owner: LegOwner) -> None:
    """It is said until then, and our BYE waits for it."""
    steps = (*TRIED, receive(200), receive(200), receive(200), call("ACK", 1), *END)
    async with calling_us(lab_root, owner, *steps) as (agent, peer):
        leg, _ = await owner.is_invited()
        leg.ring()
        leg.answer(ANSWER)
        leg.hang_up()
        said = [*TRIED_SAID, "< 200", "< 200", "< 200", "> ACK", "< BYE", "> 200"]
        await over(owner, agent, peer, said)


async def test_a_call_to_us_that_is_taken_back(lab_root: Root, owner: LegOwner) -> None:
    """200 to the CANCEL, 487 to the INVITE."""
    steps = (
        call("INVITE", 1, version=1, branch="z9hG4bK-1"),
        receive(100),
        receive(180),
        call("CANCEL", 1, branch="z9hG4bK-1"),
        receive(200),
        receive(487),
        call("ACK", 1, branch="z9hG4bK-1"),
    )
    async with calling_us(lab_root, owner, *steps) as (agent, peer):
        leg, _ = await owner.is_invited()
        leg.ring()
        assert await owner.sees_the_end(leg) == Ended(487, None, by_far_end=True)
        said = [*TRIED_SAID, "> CANCEL", "< 200", "< 487", "> ACK"]
        await over(owner, agent, peer, said)


async def test_a_call_to_us_that_is_refused(lab_root: Root, owner: LegOwner) -> None:
    """The leg is over with the ACK."""
    steps = (*TRIED, receive(486), call("ACK", 1))
    async with calling_us(lab_root, owner, *steps) as (agent, peer):
        leg, _ = await owner.is_invited()
        leg.ring()
        leg.refuse(486)
        assert leg.state is LegState.ENDED
        await over(owner, agent, peer, [*TRIED_SAID, "< 486", "> ACK"])
