"""Many connections at once, idle and slow ones too, on both event loops."""

import asyncio
import resource
from collections.abc import Callable

import pytest
import uvloop
from agi_stage import ENVIRONMENT, arrival, connected, of, plain, staged

from fastagi_server.agi.commands import get_variable, stream_file
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import FakeAsterisk, Faults, Pbx

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

IDLE = 5_000
LORIS = 50

both_loops = pytest.mark.parametrize(
    "loop_factory",
    [asyncio.new_event_loop, uvloop.new_event_loop],
    ids=["asyncio", "uvloop"],
)


async def everything(channel: AgiChannel) -> Variables:
    """A bit of all that a route may do."""
    async with channel.playing("please-wait"):
        await asyncio.sleep(0)
    await channel.execute(stream_file("beep"))
    value = await channel.execute(get_variable("X"))
    await channel.set_variables({"A": "1", "B": "2"})
    return {"GOT": value or ""}


async def for_ever(_channel: AgiChannel) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


def files_are_enough() -> bool:
    """Both ends of each connection are files of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * IDLE + 500
    if soft < wanted <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted <= hard


@pytest.mark.skipif(not files_are_enough(), reason="too few files may be open")
def test_idle_connections_and_slow_loris() -> None:
    """Thousands that say nothing and some that dribble leave the next call as it was."""

    async def scenario() -> None:
        patient = Deadlines(environment=50.0)
        slow = Faults(pause_between_bytes=0.01)
        async with staged(plain(), deadlines=patient) as (server, aftermath):
            address = server.addresses[0]
            loop = asyncio.get_running_loop()
            idle = [
                (await loop.create_connection(asyncio.Protocol, *address))[0] for _ in range(IDLE)
            ]
            await arrival(server, IDLE)
            loris = [
                asyncio.create_task(FakeAsterisk("plain", faults=slow, deadline=50).run(*address))
                for _ in range(LORIS)
            ]
            await arrival(server, IDLE + LORIS)
            calls = [FakeAsterisk("plain") for _ in range(20)]
            await asyncio.gather(*(call.run(*address) for call in calls))
            assert {call.variables["PLAIN"] for call in calls} == {"yes"}
            for task in loris:
                task.cancel()
            await asyncio.gather(*loris, return_exceptions=True)
            for transport in idle:
                transport.close()
            assert await server.drain(20.0)
        assert aftermath.measures.agi_sessions.values[("none", "disconnected")] == IDLE
        assert aftermath.measures.drops.values == {}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


@both_loops
def test_call(loop_factory: LoopFactory) -> None:
    """A call is the same on either loop."""

    async def scenario() -> None:
        asterisk = FakeAsterisk(
            "r", variables={"X": "it"}, pbx=Pbx(sounds={"please-wait": 60.0, "beep": 0.01})
        )
        async with staged(of(everything)) as (server, aftermath):
            await asterisk.run(*server.addresses[0])
        assert asterisk.variables["GOT"] == "it"
        assert asterisk.status == "SUCCESS"
        assert aftermath.warnings == []

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


@both_loops
def test_hangup_and_loss(loop_factory: LoopFactory) -> None:
    """Hang-ups, half-closed streams and resets end a session on either loop."""

    async def scenario() -> None:
        async with staged(of(for_ever)) as (server, aftermath):
            address = server.addresses[0]
            await FakeAsterisk("r", hang_up_after=0.01).run(*address)
            leaving = {"AGIEXITONHANGUP": "yes"}
            await FakeAsterisk("r", hang_up_after=0.01, variables=leaving).run(*address)
            async with connected(server) as peer:
                peer.send(ENVIRONMENT % b"r")
                await arrival(server)
                peer.writer.transport.abort()
            assert await server.drain(5.0)
        outcomes = [line["outcome"] for line in aftermath.lines("agi_session")]
        assert outcomes.count("hangup") >= 2
        assert set(outcomes) <= {"hangup", "disconnected", "protocol_error"}
        assert aftermath.lines("route_failed") == []
        assert aftermath.measures.drops.values == {}

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


@both_loops
def test_deadlines(loop_factory: LoopFactory) -> None:
    """Every deadline of a session is kept on either loop, one after the other."""

    async def scenario() -> None:
        quick = Deadlines(environment=0.05, dead_zone=0.05, settle=0.05, linger=0.05)
        release = asyncio.Event()

        async def deaf(_channel: AgiChannel) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        async with staged(of(deaf, budget_seconds=0.05), deadlines=quick) as (server, aftermath):
            async with connected(server) as peer:
                assert await peer.rest() == b"failure environment_timeout\n"
            async with connected(server) as peer:
                peer.send(ENVIRONMENT % b"r")
                assert await peer.rest() == b""
            release.set()
            assert await server.drain(5.0)
        assert aftermath.measures.drops.values == {("agi_session",): 1.0}

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


@both_loops
def test_many_calls_at_once(loop_factory: LoopFactory) -> None:
    """Two hundred calls at once each get their own answer."""

    async def scenario() -> None:
        calls = [FakeAsterisk("r", variables={"X": f"v{n}"}, deadline=50) for n in range(200)]
        # Both ends of all calls share one thread here: on a busy machine a reply takes seconds.
        patient = Deadlines(environment=50.0, settle=50.0)
        route = of(everything, budget_seconds=50.0)
        async with staged(route, deadlines=patient) as (server, aftermath):
            await asyncio.gather(*(call.run(*server.addresses[0]) for call in calls))
        assert aftermath.warnings == []
        assert [call.variables["GOT"] for call in calls] == [f"v{n}" for n in range(200)]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())
