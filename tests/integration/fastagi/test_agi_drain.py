"""Stopping in stages: calls may end by themselves, then they are told to, then they must."""

import asyncio

import pytest
from agi_stage import ENVIRONMENT, QUICK, arrival, connected, of, plain, staged

from fastagi_server.fastagi import server as server_module
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import FakeAsterisk


async def test_drain_waits_for_open_calls() -> None:
    """A call that is being served ends as ever; a new one is answered `failure` meanwhile."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> Variables:
        inside.set()
        await leave.wait()
        return {"DONE": "yes"}

    served, late = FakeAsterisk("r"), FakeAsterisk("r")
    async with staged(of(work)) as (server, aftermath):
        address = server.addresses[0]
        async with served.session(*address):
            await inside.wait()
            draining = asyncio.create_task(server.drain(5.0))
            await asyncio.sleep(0)
            await late.run(*address)
            assert not draining.done()
            leave.set()
        assert await draining is True
    assert served.variables["DONE"] == "yes"
    assert late.status == "FAILURE"
    assert aftermath.measures.agi_refused.values == {("draining",): 1.0}


async def test_drain_of_an_idle_server() -> None:
    """Nobody is waited for where nobody is."""
    async with staged(plain()) as (server, _):
        assert await server.drain(5.0) is True


async def test_drain_past_its_time() -> None:
    """The time is up while a call goes on: drain says so and touches nothing."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> Variables:
        inside.set()
        await leave.wait()
        return {"DONE": "yes"}

    asterisk = FakeAsterisk("r")
    async with (
        staged(of(work)) as (server, _),
        asterisk.session(*server.addresses[0]),
    ):
        await inside.wait()
        assert await server.drain(0.02) is False
        leave.set()
    assert asterisk.variables["DONE"] == "yes"


async def test_close_tells_routes_to_end() -> None:
    """Closing cancels what still runs: the dialplan gets its status, the route its `finally`."""
    inside = asyncio.Event()
    seen: list[str] = []

    async def work(channel: AgiChannel) -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append((await channel.get_variables("X"))["X"])

    asterisk = FakeAsterisk("r", variables={"X": "it"})
    async with staged(of(work)) as (server, aftermath):
        async with asterisk.session(*server.addresses[0]):
            await inside.wait()
            await server.close()
        assert server.open_sessions == 0
        assert server.addresses == []
    assert seen == ["it"]
    assert asterisk.status == "FAILURE"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Service is stopping",
        "SGE_ERROR_CODE": "draining",
    }
    assert aftermath.session["outcome"] == "draining"


async def test_close_does_not_wait_for_silent_connections() -> None:
    """Who has not even said who he is, is answered `failure` at once."""
    async with staged(plain()) as (server, aftermath), connected(server) as peer:
        peer.send(ENVIRONMENT[:20])
        await arrival(server)
        closing = asyncio.create_task(server.close())
        assert await peer.rest() == b"failure draining\n"
        peer.writer.close()
        await closing
    assert aftermath.session["outcome"] == "draining"
    assert aftermath.measures.drops.values == {}


async def test_close_drops_routes_that_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route that ignores even this loses its connection."""
    monkeypatch.setattr(server_module, "CLOSE_SECONDS", 0.05)
    inside, release = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> None:
        inside.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    asterisk = FakeAsterisk("r")
    async with staged(of(work)) as (server, aftermath):
        async with asterisk.session(*server.addresses[0]):
            await inside.wait()
            await server.close()
        assert asterisk.variables == {}
        release.set()
    assert aftermath.measures.drops.values == {("agi_session",): 1.0}


async def test_close_twice() -> None:
    """Closing what is closed does nothing."""
    async with staged(plain()) as (server, _):
        await server.close()
        await server.close()


async def test_connection_during_close_is_answered() -> None:
    """While routes are being ended the sockets still answer: a reset would count as success."""
    inside, cancelled, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
            await release.wait()

    first, second = FakeAsterisk("r"), FakeAsterisk("r")
    async with staged(of(work)) as (server, _):
        address = server.addresses[0]
        async with first.session(*address):
            await inside.wait()
            closing = asyncio.create_task(server.close())
            await cancelled.wait()
            await second.run(*address)
            release.set()
            await closing
    assert (first.status, second.status) == ("FAILURE", "FAILURE")


async def test_lingering_peer_does_not_hold_up_the_drain() -> None:
    """A peer that stays after its session's end is waited for no longer than the linger."""
    async with staged(plain(), deadlines=QUICK) as (server, _), connected(server) as peer:
        peer.send(ENVIRONMENT % b"plain")
        await peer.rest()
        assert await server.drain(5.0) is True
