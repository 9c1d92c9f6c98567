"""How sessions end: the variables in one batch, half-close, and what goes wrong with either."""

import asyncio
from typing import Any, cast

import pytest
from agi_stage import ENVIRONMENT, connected, of, plain, play, staged

from fastagi_server.agi.commands import answer, execute
from fastagi_server.agi.errors import AgiStateError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.endings import FAILURE, OnError
from fastagi_server.fastagi.router import Router, Variables, route
from fastagi_server.telemetry.masking import PLAIN_FIELDS, PLAIN_LINES
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults, Pbx

GOTO = OnError.from_text("goto:from-agi,error,3")


async def returns(_channel: AgiChannel) -> Variables:
    """A route that fails politely."""
    return {"SGE_STATUS": "FAILED", "SGE_ERROR": "API call failed", "SGE_ERROR_CODE": "api_error"}


async def raises(_channel: AgiChannel) -> None:
    """A route with a bug."""
    raise LookupError("no such thing")


async def test_batch_then_half_close() -> None:
    """All variables come in one segment, and the end of the stream right behind them."""

    async def work(_channel: AgiChannel) -> Variables:
        return {"SGE_CALL_ID": "c1", "SGE_CHANNEL_ID": "17.4"}

    async with staged(of(work)) as (server, aftermath), connected(server) as peer:
        peer.send(ENVIRONMENT % b"r")
        assert await peer.rest() == (
            b'SET VARIABLE "SGE_ERROR" ""\n'
            b'SET VARIABLE "SGE_ERROR_CODE" ""\n'
            b'SET VARIABLE "SGE_CALL_ID" "c1"\n'
            b'SET VARIABLE "SGE_CHANNEL_ID" "17.4"\n'
            b'SET VARIABLE "SGE_STATUS" "OK"\n'
        )
        peer.send(b"200 result=1\n200 result=1\n200 result=1\nHANGUP\n")
        assert server.open_sessions == 1
    assert aftermath.session["outcome"] == "completed"
    assert aftermath.warnings == []


async def test_the_line_of_a_session() -> None:
    """One line tells route, outcome, status, code, unique id and duration."""
    aftermath = await play(FakeAsterisk("r", unique_id="17.4"), of(returns))
    line = dict(aftermath.session)
    assert line.pop("ms") >= 0
    assert line == {
        "event": "agi_session",
        "log_level": "info",
        "route": "r",
        "outcome": "completed",
        "status": "FAILED",
        "code": "api_error",
        "unique_id": "17.4",
        "linked_id": "",
        "call": "",
    }
    assert aftermath.measures.agi_sessions.values == {("r", "completed"): 1.0}
    assert list(aftermath.measures.agi_session_seconds.values) == [("r",)]


async def test_route_that_returns_nothing() -> None:
    """A route need not return variables: the status says that it went well."""

    async def work(_channel: AgiChannel) -> None:
        pass

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables == {"SGE_STATUS": "OK", "SGE_ERROR": "", "SGE_ERROR_CODE": ""}


@pytest.mark.parametrize(
    "value",
    [
        "",
        " spaces around ",
        'quote " and \\ backslash',
        "comma, semicolon; (parentheses) [brackets] {braces}",
        "${EXTEN} $[1+1] $$",
        "é \u202e \U0001f4de",
        "\udcff\udcfe",
        "\t\x01\x7f",
        "x" * 7_000,
    ],
)
async def test_variables_with_any_characters(value: str) -> None:
    """What a route returns is what the dialplan reads, expanded by nobody."""

    async def work(_channel: AgiChannel) -> Variables:
        return {"V": value}

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.variables["V"] == value


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"V": "line\nline"}, "newline"),
        ({"V": "cr\r"}, "carriage return"),
        ({"V": "nul\0"}, "NUL"),
        ({"V": "x" * 9_000}, "this Asterisk reads 8191"),
        ({"SHELL(rm -r /)": "x"}, "SHELL"),
        ({"not a name": "x"}, "not a variable"),
        ({"V": "\ud800"}, "bytes"),
    ],
)
async def test_unwritable_variable(variables: Variables, why: str) -> None:
    """What cannot be written is not written in part: the route has failed, and the log says why."""

    async def work(_channel: AgiChannel) -> Variables:
        return {"SGE_CALL_ID": "c1", **variables}

    asterisk = FakeAsterisk("r")
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Unusable answer",
        "SGE_ERROR_CODE": "unwritable_variable",
    }
    assert aftermath.session["code"] == "unwritable_variable"
    (line,) = aftermath.warnings
    assert line["event"] == "variable_refused"
    assert why in line["reason"]


async def test_unwritable_variable_is_a_failure_to_the_policy() -> None:
    """A route that fails only now has failed: `on_error` applies."""

    async def work(_channel: AgiChannel) -> Variables:
        return {"V": "a\nb"}

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work, on_error=FAILURE))
    assert asterisk.status == "FAILURE"


@pytest.mark.parametrize("returned", [3, "text", ["V"], {"V": 3}, {"V": None}, {3: "V"}])
async def test_route_that_returns_something_else(returned: Any) -> None:
    """What is no mapping of text to text is the route's bug, and nothing of it is written."""

    async def work(_channel: AgiChannel) -> Variables:
        return cast("Variables", returned)

    asterisk = FakeAsterisk("r")
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "internal_error"
    assert [line["event"] for line in aftermath.warnings] == ["route_failed"]


@pytest.mark.parametrize("work", [returns, raises])
async def test_on_error_continue(work: Any) -> None:
    """By default the dialplan goes on, and finds the status."""
    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables["SGE_STATUS"] == "FAILED"
    assert asterisk.goes_on_at == ("sky-genesis-voip", "1001", 3)


@pytest.mark.parametrize("work", [returns, raises])
async def test_on_error_failure(work: Any) -> None:
    """`failure` makes AGISTATUS=FAILURE, with the variables set all the same."""
    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work, on_error=FAILURE))
    assert asterisk.status == "FAILURE"
    assert asterisk.variables["SGE_STATUS"] == "FAILED"


@pytest.mark.parametrize("work", [returns, raises])
async def test_on_error_goto(work: Any) -> None:
    """`goto` sends the dialplan elsewhere."""
    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work, on_error=GOTO))
    assert asterisk.status == "SUCCESS"
    assert asterisk.goes_on_at == ("from-agi", "error", 3)


async def test_on_error_goto_of_a_dead_channel() -> None:
    """A hung-up channel goes nowhere; nothing that it refuses is sent."""
    asterisk = FakeAsterisk("r", hang_up_after=0.01)

    async def work(_channel: AgiChannel) -> None:
        await asyncio.Event().wait()

    await play(asterisk, of(work, on_error=GOTO))
    assert [c for c in asterisk.commands if not c.startswith("SET VARIABLE")] == []


async def test_on_error_is_not_for_success() -> None:
    """A route that did well is left alone by its policy."""
    asterisk = FakeAsterisk("plain")

    async def work(_channel: AgiChannel) -> Variables:
        return {"SGE_STATUS": "QUEUED"}

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work, on_error=FAILURE))
    assert asterisk.status == "SUCCESS"


async def test_refused_is_an_error() -> None:
    """REFUSED is what a policy is for, as FAILED is."""

    async def work(_channel: AgiChannel) -> Variables:
        return {"SGE_STATUS": "REFUSED"}

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work, on_error=FAILURE))
    assert asterisk.status == "FAILURE"
    assert asterisk.variables["SGE_ERROR_CODE"] == ""


async def test_administrator_has_the_last_word() -> None:
    """A policy of the settings replaces the route's own."""
    router = Router([of(returns, on_error=FAILURE)], default="r", policies={"r": GOTO})
    asterisk = FakeAsterisk("r")
    await play(asterisk, router)
    assert asterisk.status == "SUCCESS"
    assert asterisk.goes_on_at == ("from-agi", "error", 3)


async def test_unknown_route() -> None:
    """A path that nobody serves fails at once; the log shows it."""
    asterisk = FakeAsterisk("regsiter?participant=SIP/1")
    aftermath = await play(asterisk, plain())
    assert asterisk.status == "FAILURE"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Unknown route",
        "SGE_ERROR_CODE": "unknown_route",
    }
    assert aftermath.session["route"] == "none"
    assert aftermath.lines("unknown_route") == [
        {"event": "unknown_route", "log_level": "warning", "path": "regsiter"}
    ]
    assert aftermath.measures.agi_sessions.values == {("none", "unknown_route"): 1.0}


async def test_empty_path_is_the_default_route() -> None:
    """`agi://host` without a path is served by the default route."""
    asterisk = FakeAsterisk("")
    aftermath = await play(asterisk, plain())
    assert asterisk.variables["PLAIN"] == "yes"
    assert aftermath.session["route"] == "plain"


async def test_route_that_raises() -> None:
    """A bug of a route costs its caller nothing but the answer, and is logged with its trace."""
    asterisk = FakeAsterisk("r", unique_id="17.4")
    aftermath = await play(asterisk, of(raises))
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Internal error",
        "SGE_ERROR_CODE": "internal_error",
    }
    (line,) = aftermath.warnings
    assert (line["event"], line["route"], line["unique_id"]) == ("route_failed", "r", "17.4")
    assert isinstance(line["exc_info"], LookupError)


async def test_route_that_lets_a_cancellation_escape() -> None:
    """A task of the route's own that was cancelled does not leave the caller waiting."""

    async def work(_channel: AgiChannel) -> None:
        other = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(other.cancel)
        await other

    asterisk = FakeAsterisk("r")
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "internal_error"
    assert [line["event"] for line in aftermath.warnings] == ["route_failed"]


async def test_route_that_raises_while_it_is_stopped() -> None:
    """The reason of the stop comes first; the bug is logged for the route's author."""

    async def work(_channel: AgiChannel) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("in finally")

    asterisk = FakeAsterisk("r", hang_up_after=0.01)
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "hangup"
    assert [line["event"] for line in aftermath.warnings] == ["route_failed"]


async def test_route_that_answers_though_it_is_stopped() -> None:
    """A route may turn its cancellation into an answer, which then counts."""

    async def work(_channel: AgiChannel) -> Variables:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"SGE_STATUS": "QUEUED"}
        return {}

    asterisk = FakeAsterisk("r", hang_up_after=0.01)
    await play(asterisk, of(work))
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"


async def test_command_that_asterisk_refuses() -> None:
    """A 520 that the route does not handle has a code of its own."""

    async def work(channel: AgiChannel) -> None:
        await channel.execute(answer())

    usage = b"520-Invalid command syntax.  Proper usage follows:\nx\n520 End of proper usage.\n"
    asterisk = FakeAsterisk("r", faults=Faults(answers={"ANSWER": Answer(usage)}))
    aftermath = await play(asterisk, of(work))
    assert asterisk.variables["SGE_ERROR_CODE"] == "command_failed"
    assert [line["event"] for line in aftermath.warnings] == ["command_failed"]


async def test_two_tasks_on_one_channel() -> None:
    """A second command while another task waits raises, and the first is answered all the same."""
    seen: list[object] = []

    async def read(channel: AgiChannel, name: str) -> None:
        try:
            seen.append(await channel.get_variables(name))
        except AgiStateError as error:
            seen.append(str(error))

    async def work(channel: AgiChannel) -> None:
        await asyncio.gather(read(channel, "A"), read(channel, "B"))

    asterisk = FakeAsterisk("r", variables={"A": "1", "B": "2"})
    await play(asterisk, of(work))
    assert seen == ["one command at a time: another task waits for its reply", {"A": "1"}]


async def test_prompt_while_another_task_waits() -> None:
    """A prompt is no exception: it raises, and does not steal the other's reply."""
    seen: list[object] = []

    async def read(channel: AgiChannel) -> None:
        seen.append(await channel.get_variables("A"))

    async def play_prompt(channel: AgiChannel) -> None:
        try:
            async with channel.playing("please-wait"):
                seen.append("playing")
        except AgiStateError:
            seen.append("refused")

    async def work(channel: AgiChannel) -> None:
        await asyncio.gather(read(channel), play_prompt(channel))

    await play(FakeAsterisk("r", variables={"A": "1"}), of(work))
    assert seen == ["refused", {"A": "1"}]


async def test_application_that_makes_asterisk_answer_twice() -> None:
    """After an application that returns 1 a usage block may follow; the next command is in step."""

    async def odd(_channel: object, _options: str) -> int:
        return 1

    async def work(channel: AgiChannel) -> Variables:
        code = await channel.execute(execute("Odd"))
        return {"CODE": str(code), **await channel.get_variables("AFTER")}

    asterisk = FakeAsterisk("r", pbx=Pbx(applications={"Odd": odd}), variables={"AFTER": "it"})
    await play(asterisk, of(work))
    assert (asterisk.variables["CODE"], asterisk.variables["AFTER"]) == ("1", "it")
    assert asterisk.commands[1].startswith('GET FULL VARIABLE "sync-')


async def test_one_bug_does_not_reach_the_next_call() -> None:
    """A hundred failing calls at once, and one that works among them."""

    @route("bad")
    async def bad(_channel: AgiChannel, _services: object) -> None:
        raise LookupError

    async with staged([plain(), bad]) as (server, _):
        address = server.addresses[0]
        failing = [FakeAsterisk("bad") for _ in range(100)]
        asterisk = FakeAsterisk("plain")
        await asyncio.gather(*(each.run(*address) for each in [*failing, asterisk]))
    assert asterisk.variables["PLAIN"] == "yes"
    assert {each.variables["SGE_ERROR_CODE"] for each in failing} == {"internal_error"}


async def test_the_line_of_a_session_needs_no_masking() -> None:
    """All its fields are words of ours, ids and figures, so it is not searched."""
    aftermath = await play(FakeAsterisk("r", unique_id="17.4"), of(returns))
    fields = set(aftermath.session) - {"log_level"}
    assert aftermath.session["event"] in PLAIN_LINES
    assert fields <= PLAIN_FIELDS
