"""Sockets that somebody else keeps: served, and left with nobody declined."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from agi_stage import of, plain

from fastagi_server.fastagi.admission import Admission, UnprotectedBindError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Route, Router, Variables
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import FakeAsterisk

CROWD = 50


@pytest.fixture
def kept() -> Iterator[socket.socket]:
    """A listening socket that outlives every server."""
    with socket.create_server(("127.0.0.1", 0), backlog=CROWD) as listener:
        yield listener


def given(kept: socket.socket) -> socket.socket:
    """What a process gets of it: a descriptor of its own."""
    listener = kept.dup()
    listener.setblocking(False)
    return listener


def server_of(route: Route) -> FastAgiServer:
    """A server that listens nowhere yet."""
    return FastAgiServer(Router([route], default=route.path), None, measures=Measures())


async def test_it_is_served(kept: socket.socket) -> None:
    """Calls are answered on it, and the server knows its address."""
    server = server_of(plain())
    await server.listen_on(given(kept))
    assert server.addresses == [kept.getsockname()]
    asterisk = FakeAsterisk("plain")
    await asterisk.run(*kept.getsockname())
    await server.close()
    assert asterisk.variables["PLAIN"] == "yes"


async def test_it_must_be_protected() -> None:
    """A socket beyond loopback needs what an address would need."""
    with socket.create_server(("0.0.0.0", 0)) as open_door:
        server = server_of(plain())
        with pytest.raises(UnprotectedBindError, match=r"refusing to listen on 0\.0\.0\.0"):
            await server.listen_on(open_door)
        await server.close()


async def test_a_crowd_is_shared_with_the_successor(kept: socket.socket) -> None:
    """Whoever had connected when the drain began is served, by this server or by the next one."""
    first, second = server_of(plain()), server_of(plain())
    await first.listen_on(given(kept))
    calls = [FakeAsterisk("plain", deadline=30.0) for _ in range(CROWD)]
    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(call.run(*kept.getsockname()))
        while not first.open_sessions:  # noqa: ASYNC110 - the loop's turns are what is tested
            await asyncio.sleep(0)
        assert await first.drain(30.0) is True
        await first.close()
        await second.listen_on(given(kept))
    await second.close()
    assert {(call.status, call.variables.get("PLAIN")) for call in calls} == {("SUCCESS", "yes")}
    assert first.measures.agi_refused.values == second.measures.agi_refused.values == {}


async def test_who_is_served_stays(kept: socket.socket) -> None:
    """A call under way ends as ever, while those who come meanwhile wait for the successor."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> Variables:
        inside.set()
        await leave.wait()
        return {"DONE": "yes"}

    first, second = server_of(of(work)), server_of(of(work))
    await first.listen_on(given(kept))
    served, waiting = FakeAsterisk("r", deadline=30.0), FakeAsterisk("r", deadline=30.0)
    async with served.session(*kept.getsockname()):
        await inside.wait()
        draining = asyncio.create_task(first.drain(30.0))
        async with waiting.session(*kept.getsockname()):
            await asyncio.sleep(0)
            leave.set()
            assert await draining is True
            await first.close()
            await second.listen_on(given(kept))
    await second.close()
    assert served.variables["DONE"] == waiting.variables["DONE"] == "yes"
    assert sum(second.measures.agi_sessions.values.values()) == 1.0


async def test_admission_holds_there_too(kept: socket.socket) -> None:
    """One call too many is declined on a given socket as well."""
    server = server_of(plain())
    await server.listen_on(given(kept))
    server.admission = Admission(max_sessions=0)
    asterisk = FakeAsterisk("plain")
    await asterisk.run(*kept.getsockname())
    await server.close()
    assert asterisk.status == "FAILURE"
    assert server.measures.agi_refused.values == {("overloaded",): 1.0}
