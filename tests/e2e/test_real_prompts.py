"""Routes that let prompts play while they work, on channels of a real Asterisk."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from session_stage import (
    DEADLINE_SECONDS,
    DIALPLAN,
    Open,
    open_sessions,
    registration,
)

from fastagi_server.agi.commands import stream_file
from fastagi_server.agi.errors import AgiDeadChannelError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.services import Services
from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import FakeSge
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root

pytestmark = pytest.mark.asterisk

LONG_PROMPT = "demo-congrats"
"""Half a minute of speech: a test that heard it to its end would not end in time."""

SPOKEN_PACKETS = 15
"""0.3 s of audio."""


@pytest.fixture(scope="module")
def pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk that writes every line of AGI into its log."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        running.cli("agi set debug on")
        yield running


@pytest.fixture
async def serve(pbx: Asterisk, tmp_path: Path) -> AsyncGenerator[Open]:
    """Return what serves routes beside ours, with settings, and gives a stage for them."""
    async with open_sessions(pbx, tmp_path) as start:
        yield start


async def test_a_prompt_plays_until_the_api_has_answered(serve: Open) -> None:
    """It is heard while the question is under way, and is cut short by the answer."""

    @route("test")
    async def register_and_talk(channel: AgiChannel, services: Services) -> Variables:
        """Register while the caller hears a prompt."""
        async with channel.playing(LONG_PROMPT):
            outcome = await services.registrar.register(registration(channel))
        return {"SGE_STATUS": outcome.status.value, "SGE_CALL_ID": outcome.call_id}

    async with FakeSge() as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        proxy.stall("to client")
        stage = await serve(
            register_and_talk,
            sge_api_url=f"http://127.0.0.1:{proxy.port}",
            sge_api_key="k",
            sge_deadline_seconds=20.0,
        )
        channel = await stage.dial()
        await stage.logged(f"Playing '{LONG_PROMPT}.gsm'")
        await sge.wait_for_requests(1)
        heard_before_the_answer = stage.log
        proxy.resume()
        status = await stage.after(channel)
        read = [await stage.read(channel, name) for name in ("SGE_STATUS", "SGE_CALL_ID")]
    assert status == "SUCCESS"
    assert read == ["REGISTERED", next(iter(sge.calls))]
    assert "AGI Tx >> 200" not in heard_before_the_answer
    # Only a prompt that was heard to its end, or hung up on, is answered with a position.
    assert "endpos" not in stage.log


async def test_audio_flows_while_a_prompt_plays_and_stops_with_it(serve: Open) -> None:
    """A phone is sent the prompt while the work is under way, and nothing more afterwards."""
    done = asyncio.Event()

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Play until told."""
        async with channel.playing(LONG_PROMPT):
            await done.wait()
        return {}

    stage = await serve(talk)
    with Phone.calling(stage.pbx, "1002", "5000") as caller:
        await stage.logged(f"Playing '{LONG_PROMPT}.gsm'")
        channel = stage.pbx.control.channels()[0]["id"]
        await stage.until(lambda: packets(stage.pbx, channel)[0] > SPOKEN_PACKETS)
        done.set()
        status = await stage.after(channel)
        sent, received = packets(stage.pbx, channel)
        # The phone's own audio is the clock: it sends a packet every 20 ms.
        await stage.until(lambda: packets(stage.pbx, channel)[1] > received + SPOKEN_PACKETS)
        sent_later, _ = packets(stage.pbx, channel)
        await stage.hang_up(channel)
        assert await asyncio.to_thread(caller.wait), caller.explain()
    assert status == "SUCCESS"
    assert sent_later == sent


def packets(pbx: Asterisk, channel: str) -> tuple[int, int]:
    """RTP packets that Asterisk has sent to a channel's phone, and received from it."""
    counts = pbx.control.request("GET", f"channels/{channel}/rtp_statistics")
    return counts["txcount"], counts["rxcount"]


async def test_a_prompt_whose_work_is_done_at_once(serve: Open) -> None:
    """An answer from memory stops the prompt that has hardly begun."""

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Begin a prompt and end it in the same breath."""
        async with channel.playing(LONG_PROMPT):
            pass
        return await channel.get_variables("CHANNEL(state)")

    stage = await serve(talk)
    channel = await stage.dial()
    assert await stage.after(channel) == "SUCCESS"
    assert "endpos" not in stage.log


async def test_a_prompt_that_ends_before_the_work(serve: Open) -> None:
    """A short prompt is over by itself, and the route goes on undisturbed."""
    done = asyncio.Event()

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Play a beep while waiting for longer."""
        async with channel.playing("beep"):
            await done.wait()
        return {"STATE": (await channel.get_variables("CHANNEL(state)"))["CHANNEL(state)"]}

    stage = await serve(talk)
    channel = await stage.dial()
    await stage.logged(r"AGI Tx >> 200 result=0 endpos=\d+")
    done.set()
    assert await stage.after(channel) == "SUCCESS"
    assert await stage.read(channel, "STATE") == "Up"


async def test_a_prompt_that_does_not_exist(serve: Open) -> None:
    """The work is done all the same; AGISTATUS=FAILURE is Asterisk's own doing."""

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Play what is not there."""
        async with channel.playing("no-such-prompt"):
            read = await channel.get_variables("CHANNEL(state)")
        return {"STATE": read["CHANNEL(state)"]}

    stage = await serve(talk)
    channel = await stage.dial()
    assert await stage.after(channel) == "FAILURE"
    assert await stage.read(channel, "STATE") == "Up"
    assert await stage.read(channel, "SGE_STATUS") == "OK"


async def test_a_command_stops_the_prompt(serve: Open) -> None:
    """A route that asks for something while a prompt plays gets its answer at once."""

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Play two prompts one after the other, and ask a question during the first."""
        async with channel.playing(LONG_PROMPT):
            state = (await channel.get_variables("CHANNEL(state)"))["CHANNEL(state)"]
        async with channel.playing("demo-instruct"):
            position = await channel.get_variables("UNIQUEID")
        return {"STATE": state, **position}

    stage = await serve(talk)
    channel = await stage.dial()
    assert await stage.after(channel) == "SUCCESS"
    assert await stage.read(channel, "STATE") == "Up"
    assert "endpos" not in stage.log


async def test_the_budget_ends_during_a_prompt(serve: Open) -> None:
    """The prompt stops with the route, and the dialplan is told why."""

    @route("test", budget_seconds=0.3)
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Wait for what never comes."""
        async with channel.playing(LONG_PROMPT):
            await asyncio.Event().wait()
        return {}

    stage = await serve(talk)
    channel = await stage.dial()
    assert await stage.after(channel) == "SUCCESS"
    read = [await stage.read(channel, name) for name in ("SGE_STATUS", "SGE_ERROR_CODE")]
    assert read == ["FAILED", "budget_exceeded"]


async def test_the_caller_hangs_up_during_a_prompt(serve: Open) -> None:
    """The route is cancelled; its `finally` reads variables, and cannot play any more."""
    seen: list[object] = []
    over = asyncio.Event()

    @route("test")
    async def talk(channel: AgiChannel, services: Services) -> Variables:
        """Wait for what never comes, and tidy up."""
        try:
            async with channel.playing(LONG_PROMPT):
                await asyncio.Event().wait()
        finally:
            seen.append(channel.hung_up)
            seen.append((await channel.get_variables("UNIQUEID"))["UNIQUEID"])
            with pytest.raises(AgiDeadChannelError):
                await channel.execute(stream_file("beep"))
            over.set()
        return {}

    stage = await serve(talk)
    channel = await stage.dial()
    await stage.logged(f"Playing '{LONG_PROMPT}.gsm'")
    await stage.hang_up(channel)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await over.wait()
    assert seen == [True, channel]
    assert await asyncio.to_thread(stage.pbx.wait_idle)
    assert "beep" not in stage.log
