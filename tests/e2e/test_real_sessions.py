"""Routes of a test's own, served by our server, on channels of a real Asterisk."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fastagi_server.agi.commands import gosub, stream_file
from fastagi_server.agi.errors import AgiCommandError, AgiDeadChannelError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.endings import CONTINUE, FAILURE, OnError
from fastagi_server.fastagi.router import Route, Variables, route
from fastagi_server.registration.models import Registration
from fastagi_server.routes import ROUTES
from fastagi_server.service import open_service
from fastagi_server.services import Services
from fastagi_server.settings import load_settings
from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import FakeSge
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root

pytestmark = pytest.mark.asterisk

LONG_PROMPT = "demo-congrats"
"""Half a minute of speech: a test that heard it to its end would not end in time."""

DEADLINE_SECONDS = 10

SPOKEN_PACKETS = 15
"""0.3 s of audio."""

DIALPLAN = """
[sessions]
exten => live,1,Answer()
 same => n,AGI(${SGE_AGI}/test)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => unanswered,1,AGI(${SGE_AGI}/test)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => twice,1,AGI(${SGE_AGI}/test)
 same => n,AGI(${SGE_AGI}/look)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => lines,1,Set(LINES=${URIDECODE(one%0a200 result=1 (two)%0aHANGUP%0a)})
 same => n,Goto(live,2)
exten => elsewhere,1,NoOp()
 same => n,Set(AFTER=elsewhere)
 same => n,Wait(60)

[sky-genesis-voip]
exten => 5000,1,Goto(sessions,live,1)

[sessions-h]
exten => live,1,Answer()
exten => h,1,AGI(${SGE_AGI}/test)
 same => n,Verbose(0,H SAW ${AGISTATUS} ${RESULT} ${SGE_STATUS})
"""


@pytest.fixture(scope="module")
def pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk that writes every line of AGI into its log."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        running.cli("agi set debug on")
        yield running


class Stage:
    """An Asterisk whose calls ask one route, and what the test looks at."""

    def __init__(self, pbx: Asterisk) -> None:
        self.pbx = pbx
        self.begin = len(pbx.log())

    @property
    def log(self) -> str:
        """What Asterisk has logged since the stage was set."""
        return self.pbx.log()[self.begin :]

    async def dial(self, extension: str = "live", context: str = "sessions") -> str:
        """Let a channel run an extension; its id."""
        return await asyncio.to_thread(
            lambda: self.pbx.control.originate(
                "Local/wait@lab", context=context, extension=extension
            )
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something on the side of Asterisk."""
        came = await asyncio.to_thread(wait_until, condition, DEADLINE_SECONDS)
        assert came, self.log[-3000:]

    async def logged(self, pattern: str) -> None:
        """Wait until Asterisk has logged something."""
        await asyncio.to_thread(lambda: self.pbx.wait_for_log(pattern, after=self.begin))

    async def read(self, channel: str, name: str) -> str:
        """A variable of a live channel."""
        return await asyncio.to_thread(self.pbx.control.variable, channel, name)

    async def after(self, channel: str) -> str:
        """AGISTATUS once AGI() has returned."""
        await self.until(lambda: self.pbx.control.variable(channel, "AFTER") != "")
        return await self.read(channel, "AFTER")

    async def hang_up(self, channel: str) -> None:
        """End a channel."""
        await asyncio.to_thread(self.pbx.control.hang_up, channel)


Open = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def serve(pbx: Asterisk, tmp_path: Path) -> AsyncGenerator[Open]:
    """Return what serves routes beside ours, with settings, and gives a stage for them."""
    async with AsyncExitStack() as stack:

        async def start(*tests: Route, **settings: object) -> Stage:
            chosen = load_settings(
                fastagi_listen=("127.0.0.1:0",),
                fastagi_state_dir=tmp_path,
                port=0,
                **settings,
            )
            service = await stack.enter_async_context(
                open_service(chosen, routes=(*ROUTES, *tests))
            )
            port = service.agi.addresses[0][1]
            await asyncio.to_thread(pbx.set_global, "SGE_AGI", f"agi://127.0.0.1:{port}")
            return Stage(pbx)

        yield start
        for channel in pbx.control.channels():
            pbx.control.hang_up(channel["id"])
        assert await asyncio.to_thread(pbx.wait_idle)


def registration(channel: AgiChannel) -> Registration:
    """The call of a channel."""
    request = channel.request
    return Registration(
        system="lab",
        unique_id=request.unique_id,
        channel=request.channel,
        linked_id="",
        context="",
        extension=request.extension,
        caller_number="",
        caller_name="",
        participants=("SIP/1001",),
        call_type="audio",
    )


# -- talk while working


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


# -- variables

ODD_VALUES = {
    "EMPTY": "",
    "SPACES": "  two at either end  ",
    "QUOTES": '"quoted" and \'single\' and \\ \\" backslash',
    "DIALPLAN": "${SECRET} $[1+1] ${SHELL(id)} a,b|c&d=(e)[f]{g};h",
    "TEXT": "Zoë 日本語 \U0001f4de e\u0301",
    "BYTES": "Zo\udceb",
    "LINE": "200 result=1 (x)",
    "FAILURE": "failure",
    "LONG": "x" * 4000,
}


async def test_any_value_comes_back_as_it_was_set(serve: Open) -> None:
    """Set in one command, read in one round trip: quotes, expressions, charsets, 4 kB."""
    values: list[dict[str, str]] = []

    @route("test")
    async def variables(channel: AgiChannel, services: Services) -> Variables:
        """Write and read."""
        await channel.set_variables(ODD_VALUES)
        values.append(await channel.get_variables(*ODD_VALUES))
        return {}

    stage = await serve(variables)
    channel = await stage.dial()
    assert await stage.after(channel) == "SUCCESS"
    assert values == [ODD_VALUES]


async def test_any_value_a_route_returns_reaches_the_dialplan(serve: Open) -> None:
    """The last batch sets what a route returns, byte for byte, 150 variables as well as one."""
    many = {f"V{number}": f"{number}, {number}" for number in range(150)}

    @route("test")
    async def variables(channel: AgiChannel, services: Services) -> Variables:
        """Return all of them."""
        return {**ODD_VALUES, **many}

    @route("look")
    async def look(channel: AgiChannel, services: Services) -> Variables:
        """See what the session before has left."""
        seen.append(await channel.get_variables(*ODD_VALUES))
        seen.append(await channel.get_variables(*many))
        return {}

    seen: list[dict[str, str]] = []
    stage = await serve(variables, look)
    channel = await stage.dial("twice")
    assert await stage.after(channel) == "SUCCESS"
    assert seen == [ODD_VALUES, many]


async def test_a_newline_is_read_and_never_written(serve: Open) -> None:
    """What the dialplan has put into a variable is read whole; we cannot set such a value."""
    seen: list[str] = []

    @route("test")
    async def variables(channel: AgiChannel, services: Services) -> Variables:
        """Hand on what was read."""
        read = await channel.get_variables("LINES")
        seen.append(read["LINES"])
        return {"COPY": read["LINES"]}

    stage = await serve(variables)
    channel = await stage.dial("lines")
    assert await stage.after(channel) == "SUCCESS"
    read = [await stage.read(channel, name) for name in ("COPY", "SGE_STATUS", "SGE_ERROR_CODE")]
    assert seen == ["one\n200 result=1 (two)\nHANGUP\n"]
    assert read == ["", "FAILED", "unwritable_variable"]


async def test_reading_what_is_not_set_is_no_complaint(serve: Open) -> None:
    """An unset variable is "", and Asterisk has nothing to warn of."""
    seen: list[dict[str, str]] = []

    @route("test")
    async def variables(channel: AgiChannel, services: Services) -> Variables:
        """Read what is there and what is not."""
        seen.append(await channel.get_variables("NOT_SET", "CHANNEL(state)", "NOR_THIS"))
        return {}

    stage = await serve(variables)
    channel = await stage.dial()
    await stage.after(channel)
    assert seen == [{"NOT_SET": "", "CHANNEL(state)": "Up", "NOR_THIS": ""}]
    assert " WARNING[" not in stage.log


# -- how sessions end


@pytest.mark.parametrize(
    ("on_error", "status", "after"),
    [
        (CONTINUE, "OK", "SUCCESS"),
        (FAILURE, "OK", "SUCCESS"),
        (OnError("goto", "sessions", "elsewhere", "1"), "OK", "SUCCESS"),
        (CONTINUE, "FAILED", "SUCCESS"),
        (FAILURE, "FAILED", "FAILURE"),
        (OnError("goto", "sessions", "elsewhere", "1"), "FAILED", "elsewhere"),
        (FAILURE, "REFUSED", "FAILURE"),
    ],
)
async def test_a_policy_is_for_failures(
    serve: Open, on_error: OnError, status: str, after: str
) -> None:
    """AGISTATUS, or the place where the dialplan goes on, by policy and outcome."""

    @route("test", on_error=on_error)
    async def ends(channel: AgiChannel, services: Services) -> Variables:
        """End as told."""
        return {"SGE_STATUS": status, "RESULT": "set"}

    stage = await serve(ends)
    channel = await stage.dial("unanswered")
    assert await stage.after(channel) == after
    assert await stage.read(channel, "RESULT") == "set"


async def test_a_route_with_a_bug(serve: Open) -> None:
    """Its caller goes on, told of an internal error."""

    @route("test")
    async def fails(channel: AgiChannel, services: Services) -> Variables:
        """Have a bug."""
        raise RuntimeError("a bug")

    stage = await serve(fails)
    channel = await stage.dial()
    assert await stage.after(channel) == "SUCCESS"
    read = [await stage.read(channel, name) for name in ("SGE_STATUS", "SGE_ERROR_CODE")]
    assert read == ["FAILED", "internal_error"]


async def test_a_command_that_asterisk_fails(serve: Open) -> None:
    """A refused command is an error of that command alone: the session goes on."""

    @route("test")
    async def asks(channel: AgiChannel, services: Services) -> Variables:
        """Ask for what does not exist, and go on."""
        with pytest.raises(AgiCommandError):
            await channel.execute(gosub("no-such-context", "s", "1"))
        return await channel.get_variables("UNIQUEID")

    stage = await serve(asks)
    channel = await stage.dial()
    await stage.after(channel)
    assert await stage.read(channel, "SGE_STATUS") == "OK"


async def test_a_dead_channel_takes_variables(serve: Open) -> None:
    """In the h extension a route reads and sets variables as on a live channel."""

    @route("test")
    async def route_for_the_dead(channel: AgiChannel, services: Services) -> Variables:
        """Read a variable and give an answer."""
        return {"RESULT": (await channel.get_variables("CHANNEL(state)"))["CHANNEL(state)"]}

    stage = await serve(route_for_the_dead)
    await stage.dial("live", "sessions-h")
    await stage.logged("H SAW SUCCESS Up OK")
