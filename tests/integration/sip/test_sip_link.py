"""The connection to Asterisk: lost and found, refused, silent; and peers that send nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvloop
from sip_peer import ANSWER, Owner, Peer, Talker, agent_of

from fastagi_server.sip.connection import Connection
from fastagi_server.sip.events import Answered, Ended, LegState, OfferRefused, Refused
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.listener import MAX_CONNECTIONS
from fastagi_server.sip.messages import Request
from fastagi_server.sip.replies import reply


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


async def test_a_link_comes_up(owner: Owner, peer: Peer) -> None:
    """Once OPTIONS was answered; the states are counted."""
    async with agent_of(owner, peer) as (agent, _):
        assert (agent.state, agent.last_error) == ("up", "")
        assert owner.measures.sip_link_up.values == {("sip",): 1.0}
        assert agent.since is not None
    assert agent.state == "stopped"
    assert owner.measures.sip_link_changes.values == {("sip", "up"): 1.0, ("sip", "stopped"): 1.0}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_peer_that_does_not_know_us(owner: Owner, peer: Peer, status: int) -> None:
    """It is not asked again at once."""
    peer.options_status = status
    async with agent_of(owner, peer) as (agent, _):
        assert agent.state == "authentication refused"
        assert agent.last_error == f"Asterisk does not know the gateway: {status}"


async def test_any_other_answer_is_a_sign_of_life(owner: Owner, peer: Peer) -> None:
    """A dialplan without an extension for OPTIONS says 404."""
    peer.options_status = 404
    async with agent_of(owner, peer) as (agent, _):
        assert agent.state == "up"


async def test_a_peer_that_says_nothing(owner: Owner) -> None:
    """The connection is given up; a listening socket is no Asterisk."""
    mute = Peer()
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(
        lambda _reader, writer: held.append(writer), "127.0.0.1", mute.port
    )
    async with agent_of(owner, mute, answer_seconds=0.05) as (agent, _):
        await owner.until(lambda: agent.state == "lost")
        assert agent.last_error == "no answer to OPTIONS"
    server.close()
    for writer in held:
        writer.transport.abort()


async def test_a_peer_that_falls_silent(owner: Owner, peer: Peer) -> None:
    """It is asked now and then, and left when it does not answer."""
    async with agent_of(owner, peer, ping_seconds=0.05, answer_seconds=0.2) as (agent, _):
        talker = await peer.talker()
        await talker.close()
        await owner.until(lambda: agent.last_error != "")
        await owner.until(lambda: agent.state == "up")


async def test_nobody_listens(owner: Owner) -> None:
    """The link says so, and a call is refused at once."""
    nobody = Peer()
    async with agent_of(owner, nobody) as (agent, _):
        await owner.until(lambda: agent.state == "lost")
        assert agent.last_error.startswith("no connection to Asterisk's SIP: ")
        owner.call(agent)
        await owner.until(lambda: bool(owner.told))
        assert owner.told == [Refused(503, "Service Unavailable", None)]
        assert agent.legs == []


async def test_a_call_survives_a_lost_connection(owner: Owner, peer: Peer) -> None:
    """The far end is asked over the next one; what was said meanwhile arrives then."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        talker.answer(await talker.request("INVITE"), 200, ("Allow", "UPDATE"), sdp=ANSWER)
        await talker.request("ACK")
        await talker.close()
        await owner.until(lambda: agent.state != "up")
        leg.offer("v=0 later\r\n")
        again = await peer.talker()
        invite = await again.request("INVITE")
        update = await again.request("UPDATE")
        again.answer(update, 200)
        again.answer(invite, 200, sdp=ANSWER)
        await again.request("ACK")
        await owner.until(lambda: len(owner.told) == 2)
        assert owner.told == [Answered(ANSWER), Answered(ANSWER)]
        assert leg.state is LegState.UP


async def test_a_call_ends_when_no_connection_comes(owner: Owner, peer: Peer) -> None:
    """After the limit; an offer on its way is refused at once."""
    limits = Limits(lost_seconds=0.05)
    async with agent_of(owner, peer, limits=limits) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        talker.answer(await talker.request("INVITE"), 200, sdp=ANSWER)
        await talker.request("ACK")
        leg.offer("v=0 later\r\n")
        await talker.request("INVITE")
        await peer.close()
        await owner.until(lambda: leg.state is LegState.ENDED and agent.legs == [])
        await owner.until(lambda: len(owner.told) == 3)
        assert owner.told == [
            Answered(ANSWER),
            OfferRefused(503, "Service Unavailable"),
            Ended(503, None, by_far_end=True),
        ]


async def test_a_call_that_the_restarted_far_end_has_forgotten(owner: Owner, peer: Peer) -> None:
    """It ends with 481 as soon as the connection is back."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        talker.answer(await talker.request("INVITE"), 200, ("Allow", "UPDATE"), sdp=ANSWER)
        await talker.request("ACK")
        await talker.close()
        again = await peer.talker()
        again.answer(await again.request("UPDATE"), 481)
        again.answer(await again.request("BYE"), 481)
        await owner.until(lambda: agent.legs == [])
        assert leg.state is LegState.ENDED
        assert owner.told[-1] == Ended(481, None, by_far_end=True)


async def test_a_snapshot_is_asked_for_when_the_link_is_up(owner: Owner, peer: Peer) -> None:
    """The next agent, over the next connection."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        talker.answer(await talker.request("INVITE"), 200, ("Allow", "UPDATE"), sdp=ANSWER)
        await talker.request("ACK")
        saved = leg.snapshot()
    after = Owner()
    async with agent_of(after, peer) as (agent, _):
        restored = agent.restore(saved, after.hear)
        again = await peer.talker()
        update = await again.request("UPDATE")
        assert update.headers.get("CSeq") == "1002 UPDATE"
        again.answer(update, 200)
        restored.hang_up()
        again.answer(await again.request("BYE"), 200)
        await after.until(lambda: agent.legs == [])


async def test_more_than_a_leg_may_hold_back(owner: Owner, peer: Peer) -> None:
    """What waits for a connection is limited, and the rest is counted."""
    async with agent_of(owner, peer) as (agent, port):
        talker = await Talker.open(port)
        talker.invite(port)
        assert [await talker.status(), await talker.status()] == [100, 180]
        await peer.close()
        await talker.close()
        leg, _ = owner.invited[0]
        await owner.until(lambda: agent.state == "lost")
        await asyncio.sleep(0)
        for _ in range(10):
            leg.ring()
        await owner.drops("sip_held", 2.0)


async def test_strangers_are_not_let_in(owner: Owner, peer: Peer) -> None:
    """Only the peer's own address is."""
    async with agent_of(owner, peer) as (_, port):
        stranger = await Talker.open(port, "127.0.0.9")
        assert await stranger.next() is None
        await owner.drops("sip_connection_refused")
        await stranger.close()


async def test_peers_may_be_named(owner: Owner, peer: Peer) -> None:
    """Then they are let in, and nobody else."""
    async with agent_of(owner, peer, peers=frozenset({"127.0.0.9"})) as (_, port):
        known = await Talker.open(port, "127.0.0.9")
        known.invite(port)
        assert await known.status() == 100
        other = await Talker.open(port)
        assert await other.next() is None
        await known.close()
        await other.close()


async def test_asterisk_by_name(owner: Owner, peer: Peer) -> None:
    """Where the link has found it, its calls come from."""
    async with agent_of(owner, peer, asterisk=("localhost", peer.port)) as (agent, port):
        assert agent.state == "up"
        talker = await Talker.open(port)
        talker.invite(port)
        assert await talker.status() == 100
        await talker.close()


async def test_too_many_connections(owner: Owner, peer: Peer) -> None:
    """One more is closed; when one goes another may come."""
    async with agent_of(owner, peer) as (_, port):
        talkers = [await Talker.open(port) for _ in range(MAX_CONNECTIONS + 1)]
        assert await talkers[-1].next() is None
        await talkers[0].close()
        await owner.drops("sip_connection_refused")
        for talker in talkers[1:]:
            await talker.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"x" * 70_000,
    ],
)
async def test_nonsense_closes_its_connection(owner: Owner, peer: Peer, nonsense: bytes) -> None:
    """And no other: calls go on."""
    async with agent_of(owner, peer) as (agent, port):
        talker = await peer.talker()
        leg = owner.call(agent)
        invite = await talker.request("INVITE")
        other = await Talker.open(port)
        other.send_raw(nonsense)
        assert await other.next() is None
        await owner.drops("sip_bad_message")
        talker.answer(invite, 200, sdp=ANSWER)
        await talker.request("ACK")
        assert leg.state is LegState.UP
        await other.close()


async def test_nonsense_on_the_link(owner: Owner, peer: Peer) -> None:
    """It is opened anew, and calls go on."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        leg = owner.call(agent)
        talker.answer(await talker.request("INVITE"), 200, sdp=ANSWER)
        await talker.request("ACK")
        talker.send_raw(b"nonsense\r\n\r\n")
        assert await talker.next() is None
        await peer.talker()
        await owner.until(lambda: agent.state == "up")
        assert leg.state is LegState.UP


async def test_a_message_without_its_fields(owner: Owner, peer: Peer) -> None:
    """A request is answered 400, a response is dropped; the connection stays."""
    async with agent_of(owner, peer) as (_, port):
        talker = await Talker.open(port)
        talker.send_raw(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        talker.send_raw(b"BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        assert await talker.status() == 400
        talker.send_raw(b"ACK sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        talker.invite(port)
        assert await talker.status() == 100
        await owner.drops("sip_bad_message", 3.0)
        await talker.close()


async def test_stray_responses_are_counted(owner: Owner, peer: Peer) -> None:
    """To no request of ours."""
    async with agent_of(owner, peer) as (agent, _):
        talker = await peer.talker()
        owner.call(agent)
        invite = await talker.request("INVITE")
        talker.answer(invite, 486)
        await talker.request("ACK")
        talker.answer(invite, 486)
        await owner.drops("sip_stray_response")


async def test_a_peer_that_does_not_read(owner: Owner) -> None:
    """Its connection is cut once too many bytes wait for it."""
    closed: list[Connection] = []
    connection = Connection(
        lambda _message, _connection: None, owner.measures, on_closed=closed.append
    )
    near, far = socket.socketpair()
    await asyncio.get_running_loop().create_connection(lambda: connection, sock=near)
    offer = Request("INVITE", "sip:a@b", Headers(), b"v" * 100_000)
    sent = 0
    while connection.is_open:
        connection.send(offer)
        sent += 1
    connection.send(offer)
    await connection.ended.wait()
    assert sent >= 10
    assert closed == [connection]
    assert connection.why == "the far end does not read"
    assert owner.measures.drops.values == {("sip_unread",): 1.0}
    far.close()


async def test_a_peer_that_boots(owner: Owner) -> None:
    """It takes the connection before it hears: OPTIONS is said again, and the link comes up."""
    booting, heard = Peer(), MessageReader()

    async def deaf_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = 0
        while data := await reader.read(65536):
            for message in heard.receive(data):
                assert isinstance(message, Request)
                said += 1
                if said > 1:
                    writer.write(reply(message, 200, tag="peer").serialize())
        writer.close()

    server = await asyncio.start_server(deaf_at_first, "127.0.0.1", booting.port)
    async with agent_of(owner, booting) as (agent, _):
        await owner.until(lambda: agent.state == "up")
        assert agent.last_error == ""
    server.close()


def test_an_agent_on_uvloop() -> None:
    """The service runs on it: calls both ways, and the end of a connection."""

    async def both_ways() -> list[str]:
        owner, peer = Owner(), Peer()
        await peer.listen()
        async with agent_of(owner, peer) as (agent, port):
            talker = await peer.talker()
            leg = owner.call(agent)
            talker.answer(await talker.request("INVITE"), 200, sdp=ANSWER)
            await talker.request("ACK")
            other = await Talker.open(port)
            other.invite(port)
            assert [await other.status(), await other.status()] == [100, 180]
            await other.close()
            await peer.close()
            await owner.until(lambda: agent.state != "up")
            states = [leg.state.value, owner.invited[0][0].state.value]
        await peer.close()
        return states

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(both_ways()) == ["up", "ringing"]
