"""Routes of a test's own, served by our server, on channels of a real Asterisk."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from session_stage import (
    DIALPLAN,
    Open,
    open_sessions,
)

from fastagi_server.agi.commands import gosub
from fastagi_server.agi.errors import AgiCommandError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.endings import CONTINUE, FAILURE, OnError
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.services import Services
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk


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
