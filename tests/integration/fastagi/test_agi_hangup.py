"""A caller who hangs up: the route is cancelled, its `finally` still works, nothing hangs."""

import asyncio
from typing import Any

import pytest
from agi_stage import QUICK, connected, of, plain, play, staged

from fastagi_server.agi.commands import (
    answer,
    database_put,
    execute,
    get_variable,
    noop,
    stream_file,
    verbose,
)
from fastagi_server.agi.errors import AgiDeadChannelError, AgiHangupError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import FakeAsterisk

ENVIRONMENT = b"agi_network: yes\nagi_network_script: r\nagi_uniqueid: 17.4\n\n"


async def for_ever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def test_hangup_cancels_the_route() -> None:
    """What the route awaits is cancelled, and the session ends by itself."""
    outcome: list[object] = []

    async def work(channel: AgiChannel) -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            outcome.append(channel.hung_up)
            raise

    asterisk = FakeAsterisk("r", hang_up_after=0.01)
    aftermath = await play(asterisk, of(work))
    assert outcome == [True]
    assert asterisk.status == "HANGUP"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Caller hung up",
        "SGE_ERROR_CODE": "hangup",
    }
    assert aftermath.session["outcome"] == "hangup"
    assert aftermath.warnings == []


async def test_hangup_cancels_within_the_next_turns() -> None:
    """From the bytes of HANGUP to the cancellation the loop turns no more than three times."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> None:
        started.set()
        try:
            await for_ever()
        finally:
            cancelled.set()

    async with (
        staged(of(work)) as (server, _),
        FakeAsterisk("r").session(*server.addresses[0]),
    ):
        await started.wait()
        (session,) = server._sessions  # pyright: ignore[reportPrivateUsage]  # no public view
        session.data_received(b"HANGUP\n")
        for _ in range(3):
            await asyncio.sleep(0)
        assert cancelled.is_set()


async def test_dead_safe_zone() -> None:
    """After the hang-up `finally` may read and write what a dead channel allows."""
    seen: dict[str, Any] = {}

    async def work(channel: AgiChannel) -> None:
        try:
            await for_ever()
        finally:
            seen.update(await channel.get_variables("DIALSTATUS", "HANGUPCAUSE"))
            seen["one"] = await channel.execute(get_variable("DIALSTATUS"))
            await channel.execute(noop())
            await channel.execute(verbose("bye"))
            seen["put"] = await channel.execute(database_put("sge", "last", "17.4"))
            await channel.execute(execute("NoOp"))
            await channel.set_variables({"A": "1", "B": "2"})

    asterisk = FakeAsterisk("r", hang_up_after=0.01, variables={"DIALSTATUS": "CANCEL"})
    await play(asterisk, of(work))
    assert seen == {"DIALSTATUS": "CANCEL", "HANGUPCAUSE": "0", "one": "CANCEL", "put": True}
    assert (asterisk.variables["A"], asterisk.variables["B"]) == ("1", "2")
    assert asterisk.variables["SGE_ERROR_CODE"] == "hangup"


@pytest.mark.parametrize("command", [answer(), stream_file("beep")])
async def test_other_commands_are_not_even_sent(command: Any) -> None:
    """After the hang-up a command that a dead channel refuses raises before a byte is sent."""
    raised: list[BaseException] = []

    async def work(channel: AgiChannel) -> None:
        try:
            await for_ever()
        finally:
            try:
                await channel.execute(command)
            except AgiDeadChannelError as error:
                raised.append(error)

    asterisk = FakeAsterisk("r", hang_up_after=0.01)
    await play(asterisk, of(work))
    assert len(raised) == 1
    assert [c for c in asterisk.commands if not c.startswith("SET VARIABLE")] == []


async def test_dead_channel_error_may_leave_the_route() -> None:
    """A route that lets the refusal out ends as hung up, and nobody is woken by the log."""

    async def work(channel: AgiChannel) -> None:
        try:
            await for_ever()
        finally:
            await channel.execute(answer())

    asterisk = FakeAsterisk("r", hang_up_after=0.01)
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "hangup"
    assert aftermath.warnings == []


async def test_hangup_between_command_and_reply() -> None:
    """HANGUP that overtakes a reply cancels the route; the reply is not taken for another's."""
    seen: dict[str, str] = {}

    async def work(channel: AgiChannel) -> None:
        try:
            await channel.execute(get_variable("FIRST"))
            await for_ever()
        finally:
            seen.update(await channel.get_variables("SECOND"))

    asterisk = FakeAsterisk(
        "r", hang_up_before="GET VARIABLE", variables={"FIRST": "one", "SECOND": "two"}
    )
    await play(asterisk, of(work))
    assert seen == {"SECOND": "two"}
    assert asterisk.status == "HANGUP"


async def test_hangup_during_a_command() -> None:
    """A running command is answered -1, and HANGUP follows: at the latest then all is over."""

    async def work(channel: AgiChannel) -> None:
        await channel.execute(execute("Wait", "9"))
        await for_ever()

    asterisk = FakeAsterisk("r", hang_up_during="EXEC")
    await play(asterisk, of(work))
    assert asterisk.status == "HANGUP"
    assert asterisk.variables["SGE_ERROR_CODE"] == "hangup"


async def test_hangup_with_the_last_bytes_of_the_environment() -> None:
    """A route still gets to its first await when the caller was gone before it began."""
    reached: list[str] = []

    async def work(channel: AgiChannel) -> None:
        reached.append(channel.request.unique_id)
        try:
            await for_ever()
        finally:
            reached.append("finally")

    async with staged(of(work)) as (server, aftermath), connected(server) as peer:
        peer.send(ENVIRONMENT + b"HANGUP\n")
        assert await peer.line() == 'SET VARIABLE "SGE_ERROR" "Caller hung up"\n'
    assert reached == ["17.4", "finally"]
    assert aftermath.session["outcome"] == "hangup"


async def test_exit_on_hangup() -> None:
    """With AGIEXITONHANGUP the stream ends at once: the route is cancelled, commands raise."""
    raised: list[BaseException] = []

    async def work(channel: AgiChannel) -> None:
        try:
            await for_ever()
        finally:
            try:
                await channel.get_variables("DIALSTATUS")
            except AgiHangupError as error:
                raised.append(error)

    asterisk = FakeAsterisk("r", hang_up_after=0.01, variables={"AGIEXITONHANGUP": "yes"})
    aftermath = await play(asterisk, of(work))
    assert len(raised) == 1
    assert asterisk.status == "HANGUP"
    assert asterisk.variables == {}
    assert aftermath.session["outcome"] == "hangup"
    assert aftermath.warnings == []


async def test_connection_lost_while_a_command_is_in_flight() -> None:
    """Who waits for a reply is woken when the connection goes."""
    raised: list[BaseException] = []
    started = asyncio.Event()

    async def work(channel: AgiChannel) -> None:
        try:
            started.set()
            await channel.execute(execute("Wait", "9"))
        except (AgiHangupError, asyncio.CancelledError) as error:
            raised.append(error)
            raise

    async with staged(of(work)) as (server, aftermath):
        asterisk = FakeAsterisk("r")
        async with asterisk.session(*server.addresses[0]) as session:
            await started.wait()
            await session.reset()
    assert len(raised) == 1
    assert aftermath.session["outcome"] == "hangup"


async def test_route_that_outlives_the_dead_zone_is_dropped() -> None:
    """A route that goes on for ever after the hang-up loses its connection, counted and logged."""
    release = asyncio.Event()

    async def work(_channel: AgiChannel) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with staged(of(work), deadlines=QUICK) as (server, aftermath):
        asterisk = FakeAsterisk("r", hang_up_after=0.01)
        await asterisk.run(*server.addresses[0])
        assert aftermath.measures.drops.values == {("agi_session",): 1.0}
        assert server.open_sessions == 1
        release.set()
    (line,) = aftermath.lines("route_ignores_cancellation")
    assert line["route"] == "r"
    assert aftermath.session["outcome"] == "completed"


async def test_silent_hangup_is_seen_by_the_refusal() -> None:
    """With AGISIGHUP=no nothing announces it: a command that needs the call fails with 511."""

    async def work(channel: AgiChannel) -> None:
        asterisk.channel.hang_up()
        await channel.execute(answer())

    asterisk = FakeAsterisk("r", variables={"AGISIGHUP": "no"})
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "command_failed"
    (line,) = aftermath.lines("command_failed")
    assert "511" in line["reason"]


async def test_dead_from_the_beginning() -> None:
    """In the `h` extension a route that only reads and returns works as ever."""

    async def work(channel: AgiChannel) -> Variables:
        return {"GOT": (await channel.get_variables("DIALSTATUS"))["DIALSTATUS"]}

    asterisk = FakeAsterisk("r", dead=True, variables={"DIALSTATUS": "ANSWER"})
    await play(asterisk, of(work))
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables["GOT"] == "ANSWER"


async def test_the_next_call_is_unharmed() -> None:
    """A hung-up session leaves nothing behind that the next one could meet."""

    async def work(_channel: AgiChannel) -> None:
        await for_ever()

    async with staged([of(work), plain()]) as (server, _):
        await FakeAsterisk("r", hang_up_after=0.0).run(*server.addresses[0])
        asterisk = FakeAsterisk("plain")
        await asterisk.run(*server.addresses[0])
        assert asterisk.variables["PLAIN"] == "yes"
