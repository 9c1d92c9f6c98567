"""Legs over real sockets: whose messages go where, and what is kept apart."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sip_peer import ANSWER, OFFER, Owner, Peer, Talker, agent_of, free_port

from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.events import Answered, Ended, LegState, Refused, Ringing
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Response


@pytest.fixture
def owner() -> Owner:
    """The owner of the legs."""
    return Owner()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A peer that listens."""
    peer = Peer()
    await peer.listen()
    yield peer
    await peer.close()


async def answered(agent: SipAgent, owner: Owner, talker: Talker) -> Any:
    """A leg of ours that the peer answered, and its INVITE."""
    leg = owner.call(agent)
    invite = await talker.request("INVITE")
    talker.answer(invite, 200, sdp=ANSWER)
    await talker.request("ACK")
    await owner.until(lambda: leg.state is LegState.UP)
    return leg, invite


async def test_a_call_of_ours(owner: Owner, peer: Peer) -> None:
    """Events come from the loop, in order, and never before `invite` has returned."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        assert owner.told == []
        invite = await talker.request("INVITE")
        talker.answer(invite, 180)
        talker.answer(invite, 200, sdp=ANSWER)
        await talker.request("ACK")
        await owner.until(lambda: len(owner.told) == 2)
        leg.hang_up()
        assert owner.told == [Ringing(), Answered(ANSWER)]
        talker.answer(await talker.request("BYE"), 200)
        await owner.until(lambda: agent.legs == [])
        assert owner.told[2:] == [Ended(None, None, by_far_end=False)]


async def test_a_call_of_asterisk_s(owner: Owner, peer: Peer) -> None:
    """The responses go back over the connection that it came by."""
    async with agent_of(owner, peer) as (agent, port):
        talker = await Talker.open(port)
        invite = talker.invite(port)
        assert [await talker.status(), await talker.status()] == [100, 180]
        leg, invitation = owner.invited[0]
        assert invitation.user == "alice"
        leg.answer(OFFER)
        response = await talker.next()
        assert isinstance(response, Response)
        assert response.status == 200
        talker.follow(invite, response, "ACK", 100)
        talker.follow(invite, response, "BYE", 101)
        assert await talker.status() == 200
        await owner.until(lambda: agent.legs == [])
        assert owner.told == [Ended(None, None, by_far_end=True)]
        await talker.close()


async def test_a_response_over_another_connection(owner: Owner, peer: Peer) -> None:
    """It belongs to its request all the same."""
    async with agent_of(owner, peer) as (agent, port):
        talker = await peer.talker()
        other = await Talker.open(port)
        leg = owner.call(agent)
        other.answer(await talker.request("INVITE"), 200, sdp=ANSWER)
        await owner.until(lambda: leg.state is LegState.UP)
        await talker.request("ACK")
        await other.close()


async def test_a_leg_that_nobody_takes(owner: Owner, peer: Peer) -> None:
    """A mistake of the owner's refuses the call, and harms no other."""

    def fail(_leg: object, _invitation: object) -> None:
        raise LookupError

    async with agent_of(owner, peer, on_invite=fail) as (agent, port):
        talker = await Talker.open(port)
        talker.invite(port)
        assert [await talker.status(), await talker.status()] == [100, 500]
        main = await peer.talker()
        await answered(agent, owner, main)
        await talker.close()


async def test_an_owner_that_fails_to_hear(owner: Owner, peer: Peer) -> None:
    """The leg goes on."""

    def fail(_leg: object, _event: object) -> None:
        raise LookupError

    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = agent.invite(number="1001", user="alice", sdp=OFFER, on_event=fail)
        invite = await talker.request("INVITE")
        talker.answer(invite, 180)
        talker.answer(invite, 200, sdp=ANSWER)
        await talker.request("ACK")
        assert leg.state is LegState.UP


async def test_an_offer_that_is_too_long(owner: Owner, peer: Peer) -> None:
    """It never leaves: the connection is shared."""
    async with agent_of(owner, peer) as (agent, _):
        await peer.talker()
        agent.invite(number="1", user="alice", sdp="v" * 60_000, on_event=owner.hear)
        await owner.until(lambda: bool(owner.told))
        assert owner.told == [Refused(513, "Message Too Large", None)]
        assert agent.legs == []
        assert agent.state == "up"


async def test_too_many_legs(owner: Owner, peer: Peer) -> None:
    """One more is refused, ours and theirs, and counted."""
    async with agent_of(owner, peer, max_legs=1) as (agent, port):
        talker = await peer.talker()
        first, _ = await answered(agent, owner, talker)
        second = owner.call(agent)
        await owner.until(lambda: len(owner.told) == 2)
        assert owner.told[1] == Refused(503, "Service Unavailable", None)
        assert second.state is LegState.ENDED
        other = await Talker.open(port)
        other.invite(port)
        assert await other.status() == 503
        assert first.state is LegState.UP
        assert owner.measures.drops.values == {("sip_legs",): 2.0}
        await other.close()


@pytest.mark.parametrize(
    ("method", "to", "status"),
    [
        ("OPTIONS", "<sip:alice@a>", 200),
        ("BYE", "<sip:alice@a>;tag=x", 481),
        ("INVITE", "<sip:alice@a>;tag=x", 481),
        ("CANCEL", "<sip:alice@a>", 481),
        ("MESSAGE", "<sip:alice@a>", 405),
        ("INVITE", "<<", 400),
    ],
)
async def test_requests_of_no_call(
    owner: Owner, peer: Peer, method: str, to: str, status: int
) -> None:
    """Each has its answer."""
    async with agent_of(owner, peer) as (_, port):
        talker = await Talker.open(port)
        talker.send_raw(
            f"{method} sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n"
            f"From: <sip:b@b>;tag=1\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        assert await talker.status() == status
        await talker.close()


async def test_calls_without_an_answer_are_taken_back_at_the_end(owner: Owner, peer: Peer) -> None:
    """What is up stays; what rings does not."""
    async with agent_of(owner, peer) as (agent, port):
        talker = await peer.talker()
        up, _ = await answered(agent, owner, talker)
        owner.call(agent)
        ringing = await talker.request("INVITE")
        talker.answer(ringing, 180)
        await owner.until(lambda: owner.told[-1] == Ringing())
        other = await Talker.open(port)
        other.invite(port)
        assert [await other.status(), await other.status()] == [100, 180]
        saved = up.snapshot()
    cancel = await talker.request("CANCEL")
    assert cancel.headers.get("Call-ID") == ringing.headers.get("Call-ID")
    assert await talker.next() is None
    assert [await other.status(), await other.next()] == [603, None]
    assert saved["talk"]["dialog"]["call_id"] == up.id
    await other.close()


async def test_alarms(owner: Owner, peer: Peer) -> None:
    """A leg is woken when its time has come."""
    limits = Limits(ringing_seconds=0.05)
    async with agent_of(owner, peer, limits=limits) as (agent, _):
        talker = await peer.talker()
        owner.call(agent)
        invite = await talker.request("INVITE")
        talker.answer(invite, 180)
        await talker.request("CANCEL")
        assert owner.told[-1] == Refused(408, "nobody answered", None)


async def test_an_address_that_is_taken(owner: Owner, peer: Peer) -> None:
    """The agent does not start."""
    port = free_port()
    taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", port)
    agent = SipAgent(
        asterisk=("127.0.0.1", peer.port),
        listen=("127.0.0.1", port),
        on_invite=owner.be_invited,
        measures=owner.measures,
    )
    with pytest.raises(OSError, match="address already in use"):
        await agent.run()
    taken.close()
