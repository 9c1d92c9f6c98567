"""Talk while working: a prompt that stops the moment the work is done."""

import asyncio

import pytest
from agi_stage import QUICK, noticing, of, play, staged

from fastagi_server.agi.commands import get_variable
from fastagi_server.agi.errors import AgiTimeoutError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults, Pbx

LONG = Pbx(sounds={"please-wait": 3600.0})


def commands(asterisk: FakeAsterisk) -> list[str]:
    """The commands before the last batch, markers without their number."""
    return [
        command.split("sync-")[0]
        for command in asterisk.commands
        if not command.startswith("SET VARIABLE")
    ]


async def silence(channel: AgiChannel) -> None:
    """Wait until the prompt is known to be over; the route's budget is the deadline."""
    dialogue = channel._dialogue  # pyright: ignore[reportPrivateUsage]  # no public view
    while dialogue._prompt:  # noqa: ASYNC110 # pyright: ignore[reportPrivateUsage] - nobody tells it
        await asyncio.sleep(0)


async def test_prompt_stops_at_once() -> None:
    """The prompt plays while the body works, and is over when it is done, an hour too early."""
    playing = asyncio.Event()

    async def work(channel: AgiChannel) -> Variables:
        async with channel.playing("please-wait"):
            await playing.wait()
        return await channel.get_variables("AFTER")

    asterisk = FakeAsterisk(
        "r", pbx=LONG, variables={"AFTER": "it"}, observer=noticing(playing, "STREAM FILE")
    )
    aftermath = await play(asterisk, of(work))
    assert commands(asterisk)[:2] == ['STREAM FILE "please-wait" ""', 'GET FULL VARIABLE "']
    assert asterisk.variables["AFTER"] == "it"
    assert asterisk.status == "SUCCESS"
    assert aftermath.warnings == []


async def test_work_that_is_done_at_once() -> None:
    """A prompt that is stopped before Asterisk even began it is stopped all the same."""

    async def work(channel: AgiChannel) -> None:
        async with channel.playing("please-wait"):
            pass

    asterisk = FakeAsterisk("r", pbx=LONG)
    async with staged(of(work)) as (server, _):
        await asterisk.run(*server.addresses[0])
    assert asterisk.variables["SGE_STATUS"] == "OK"


async def test_prompt_that_ends_early() -> None:
    """A prompt shorter than the work ends by itself, and nothing is interrupted."""

    async def work(channel: AgiChannel) -> None:
        async with channel.playing("beep", "#"):
            await silence(channel)

    asterisk = FakeAsterisk("r")
    aftermath = await play(asterisk, of(work))
    assert commands(asterisk) == ['STREAM FILE "beep" "#"']
    assert aftermath.warnings == []


async def test_missing_file() -> None:
    """A prompt that cannot be played is logged; the work goes on, AGISTATUS is Asterisk's doing."""

    async def work(channel: AgiChannel) -> Variables:
        async with channel.playing("nofile"):
            await silence(channel)
        return {"DONE": "yes"}

    asterisk = FakeAsterisk("r", pbx=Pbx(missing_files={"nofile"}))
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["DONE"] == "yes"
    assert asterisk.status == "FAILURE"
    assert aftermath.lines("prompt_not_played") == [
        {
            "event": "prompt_not_played",
            "log_level": "warning",
            "command": 'STREAM FILE "nofile" ""',
        }
    ]


async def test_hangup_during_the_prompt() -> None:
    """The work is cancelled; the prompt is Asterisk's to end, and no fault of ours."""

    async def work(channel: AgiChannel) -> None:
        async with channel.playing("please-wait"):
            await asyncio.Event().wait()

    asterisk = FakeAsterisk("r", pbx=LONG, hang_up_after=0.05)
    aftermath = await play(asterisk, of(work))
    assert commands(asterisk) == ['STREAM FILE "please-wait" ""']
    assert asterisk.variables["SGE_ERROR_CODE"] == "hangup"
    assert aftermath.warnings == []


async def test_connection_lost_during_the_prompt() -> None:
    """Leaving the prompt raises nothing of its own when there is no connection any more."""
    raised: list[BaseException] = []

    async def work(channel: AgiChannel) -> None:
        try:
            async with channel.playing("please-wait"):
                await asyncio.Event().wait()
        except BaseException as error:
            raised.append(error)
            raise

    asterisk = FakeAsterisk("r", pbx=LONG, hang_up_after=0.05, variables={"AGIEXITONHANGUP": "1"})
    aftermath = await play(asterisk, of(work))
    assert [type(error) for error in raised] == [asyncio.CancelledError]
    assert aftermath.session["outcome"] == "hangup"
    assert aftermath.warnings == []


async def test_budget_during_the_prompt() -> None:
    """When the time is up the prompt is stopped, and the variables are set."""

    async def work(channel: AgiChannel) -> None:
        async with channel.playing("please-wait"):
            await asyncio.Event().wait()

    asterisk = FakeAsterisk("r", pbx=LONG)
    await play(asterisk, of(work, budget_seconds=0.05))
    assert commands(asterisk) == ['STREAM FILE "please-wait" ""', 'GET FULL VARIABLE "']
    assert asterisk.variables["SGE_ERROR_CODE"] == "budget_exceeded"


async def test_error_in_the_body() -> None:
    """An error of the work leaves the prompt stopped behind it."""

    async def fail() -> None:
        raise LookupError

    async def work(channel: AgiChannel) -> Variables:
        try:
            async with channel.playing("please-wait"):
                await fail()
        except LookupError:
            pass
        return await channel.get_variables("AFTER")

    asterisk = FakeAsterisk("r", pbx=LONG, variables={"AFTER": "it"})
    await play(asterisk, of(work))
    assert asterisk.variables["AFTER"] == "it"


async def test_command_during_the_prompt() -> None:
    """A command stops the prompt first, and is answered with its own reply."""
    playing = asyncio.Event()

    async def work(channel: AgiChannel) -> Variables:
        async with channel.playing("please-wait"):
            await playing.wait()
            value = await channel.execute(get_variable("DURING"))
        return {"GOT": value or ""}

    asterisk = FakeAsterisk(
        "r", pbx=LONG, variables={"DURING": "it"}, observer=noticing(playing, "STREAM FILE")
    )
    await play(asterisk, of(work))
    assert asterisk.variables["GOT"] == "it"
    assert commands(asterisk) == [
        'STREAM FILE "please-wait" ""',
        'GET FULL VARIABLE "',
        'GET VARIABLE "DURING"',
    ]


async def test_two_prompts() -> None:
    """A second prompt takes the place of the first."""

    async def work(channel: AgiChannel) -> None:
        async with channel.playing("please-wait"), channel.playing("still-waiting"):
            await asyncio.sleep(0)

    asterisk = FakeAsterisk("r", pbx=Pbx(sounds={"please-wait": 60.0, "still-waiting": 60.0}))
    async with staged(of(work)) as (server, _):
        await asterisk.run(*server.addresses[0])
    assert [c for c in commands(asterisk) if c.startswith("STREAM")] == [
        'STREAM FILE "please-wait" ""',
        'STREAM FILE "still-waiting" ""',
    ]
    assert asterisk.variables["SGE_STATUS"] == "OK"


async def test_prompt_that_cannot_be_stopped() -> None:
    """A deaf Asterisk: the work's answer counts, and the batch goes out behind the prompt."""
    deaf = Faults(answers={"STREAM FILE": Answer(b""), "GET FULL": Answer(b"")})

    async def work(channel: AgiChannel) -> Variables:
        async with channel.playing("please-wait"):
            await asyncio.sleep(0)
        return {"DONE": "yes"}

    asterisk = FakeAsterisk("r", faults=deaf)
    async with staged(of(work), deadlines=QUICK) as (server, _):
        await asterisk.run(*server.addresses[0])
    assert asterisk.variables["DONE"] == "yes"


async def test_prompt_behind_a_lost_command() -> None:
    """A prompt cannot begin while the command before it is still unanswered."""
    lost = Faults(answers={"GET VARIABLE": Answer(b"")})

    async def work(channel: AgiChannel) -> None:
        waiting = asyncio.create_task(channel.execute(get_variable("X")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        with pytest.raises(AgiTimeoutError, match="before this prompt"):
            async with channel.playing("please-wait"):
                pass

    asterisk = FakeAsterisk("r", faults=lost)
    aftermath = await play(asterisk, of(work), deadlines=QUICK)
    assert asterisk.variables["SGE_STATUS"] == "OK"
    assert aftermath.warnings == []
