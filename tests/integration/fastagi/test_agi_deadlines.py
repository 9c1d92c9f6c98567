"""Deadlines: of a command, of the environment, of the whole call, of a peer that will not go."""

import asyncio

from agi_stage import ENVIRONMENT, QUICK, connected, of, plain, play, staged

from fastagi_server.agi.command import Command
from fastagi_server.agi.commands import get_variable
from fastagi_server.agi.errors import AgiTimeoutError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults

NEVER = Faults(answers={"GET VARIABLE": Answer(b"")})


def impatient(name: str) -> Command[str | None]:
    """GET VARIABLE that is waited for only a moment."""
    command = get_variable(name)
    return Command(command.kind, command.line, command.parse, 0.02)


async def for_ever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def test_command_that_is_never_answered() -> None:
    """The route ends with a code of its own; its variables are sent behind the lost command."""

    async def work(channel: AgiChannel) -> None:
        await channel.execute(impatient("X"))

    asterisk = FakeAsterisk("r", faults=NEVER)
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "No answer from Asterisk",
        "SGE_ERROR_CODE": "command_timeout",
    }
    (line,) = aftermath.warnings
    assert line["event"] == "command_timeout"
    assert line["reason"] == "GET VARIABLE was not answered within 0.02 s"


async def test_route_may_handle_the_timeout() -> None:
    """Who catches the error may still return; a further command says why it cannot be sent."""
    raised: list[str] = []

    async def work(channel: AgiChannel) -> Variables:
        for _ in range(2):
            try:
                await channel.execute(impatient("X"))
            except AgiTimeoutError as error:
                raised.append(str(error))
        return {"HANDLED": "yes"}

    asterisk = FakeAsterisk("r", faults=NEVER)
    await play(asterisk, of(work), deadlines=QUICK)
    assert raised == [
        "GET VARIABLE was not answered within 0.02 s",
        "a command before this one was never answered",
    ]
    assert asterisk.variables["HANDLED"] == "yes"
    assert asterisk.variables["SGE_STATUS"] == "OK"


async def test_late_reply_is_not_taken_for_the_next() -> None:
    """After a time-out the next command waits for the late reply and drops it."""
    seen: list[str | None] = []
    late = Answer(b"200 result=1 (late)\n", after_seconds=0.1)

    async def work(channel: AgiChannel) -> None:
        try:
            await channel.execute(impatient("FIRST"))
        except AgiTimeoutError:
            seen.append(await channel.execute(get_variable("SECOND")))

    asterisk = FakeAsterisk(
        "r",
        variables={"SECOND": "two"},
        faults=Faults(answers={'GET VARIABLE "FIRST"': late}),
    )
    await play(asterisk, of(work))
    assert seen == ["two"]


async def test_budget() -> None:
    """A route that takes longer than its budget is stopped, and the dialplan is told so."""

    async def work(_channel: AgiChannel) -> None:
        await for_ever()

    asterisk = FakeAsterisk("r")
    aftermath = await play(asterisk, of(work, budget_seconds=0.02))
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Took too long",
        "SGE_ERROR_CODE": "budget_exceeded",
    }
    assert aftermath.session["outcome"] == "budget_exceeded"


async def test_budget_during_a_command() -> None:
    """The budget counts while Asterisk is at work, too."""

    async def work(channel: AgiChannel) -> None:
        await channel.execute(get_variable("X"))

    asterisk = FakeAsterisk("r", faults=NEVER)
    await play(asterisk, of(work, budget_seconds=0.02))
    assert asterisk.variables["SGE_ERROR_CODE"] == "budget_exceeded"


async def test_route_without_a_budget() -> None:
    """A route with no budget outlives the deadline of the environment."""
    passed = asyncio.Event()

    async def work(_channel: AgiChannel) -> Variables:
        await passed.wait()
        return {"DONE": "yes"}

    async with staged(of(work, budget_seconds=None), deadlines=QUICK) as (server, _):
        asyncio.get_running_loop().call_later(QUICK.environment * 2, passed.set)
        asterisk = FakeAsterisk("r")
        await asterisk.run(*server.addresses[0])
    assert asterisk.variables["DONE"] == "yes"


async def test_route_that_ignores_the_budget() -> None:
    """Past the budget and the dead zone the connection is dropped, whatever the route does."""
    release = asyncio.Event()

    async def work(_channel: AgiChannel) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with staged(of(work, budget_seconds=0.02), deadlines=QUICK) as (server, aftermath):
        asterisk = FakeAsterisk("r")
        await asterisk.run(*server.addresses[0])
        assert asterisk.variables == {}
        release.set()
    assert [line["event"] for line in aftermath.warnings] == ["route_ignores_cancellation"]
    assert aftermath.measures.drops.values == {("agi_session",): 1.0}


async def test_environment_that_does_not_come() -> None:
    """Who connects and says nothing is answered `failure` at the deadline."""
    async with staged(plain(), deadlines=QUICK) as (server, aftermath), connected(server) as peer:
        assert await peer.rest() == b"failure environment_timeout\n"
    assert aftermath.session["outcome"] == "environment_timeout"
    assert aftermath.measures.agi_refused.values == {("environment_timeout",): 1.0}


async def test_slow_loris() -> None:
    """A byte now and then does not move the deadline."""
    asterisk = FakeAsterisk("plain", faults=Faults(pause_between_bytes=0.02))
    aftermath = await play(asterisk, plain(), deadlines=QUICK)
    assert asterisk.status == "FAILURE"
    assert aftermath.session["outcome"] == "environment_timeout"


async def test_peer_that_does_not_leave() -> None:
    """After our half-close the peer's end is waited for so long, and then the connection closed."""
    async with staged(plain(), deadlines=QUICK) as (server, aftermath), connected(server) as peer:
        peer.send(ENVIRONMENT % b"plain")
        assert (await peer.rest()).endswith(b'SET VARIABLE "SGE_STATUS" "OK"\n')
        assert await server.drain(5.0)
    assert aftermath.session["outcome"] == "completed"
    assert aftermath.measures.drops.values == {}


async def test_refused_peer_that_does_not_leave() -> None:
    """A peer that was refused and stays is closed as well."""
    async with staged(plain(), deadlines=QUICK) as (server, aftermath), connected(server) as peer:
        assert await peer.rest() == b"failure environment_timeout\n"
        assert await server.drain(5.0)
    assert aftermath.measures.agi_sessions_open.values == {(): 0}


async def test_peer_that_does_not_read() -> None:
    """Variables that the peer never takes in are given up with the connection."""
    value = "x" * 4_000
    deadlines = Deadlines(linger=0.2)

    async def work(_channel: AgiChannel) -> Variables:
        return {f"V{n}": value for n in range(2_000)}

    async with staged(of(work), deadlines=deadlines) as (server, aftermath):
        _reader, writer = await asyncio.open_connection(*server.addresses[0], limit=1024)
        writer.write(ENVIRONMENT % b"r")
        assert await server.drain(5.0)
        writer.transport.abort()
    assert aftermath.measures.drops.values == {("agi_session",): 1.0}
    assert aftermath.warnings == []
