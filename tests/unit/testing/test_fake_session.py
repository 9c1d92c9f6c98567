"""A session from the connection to its end: environment, buffering, status, violations."""

import asyncio
from typing import cast

import pytest
from raw_peer import Peer, serve

from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx


async def nothing(peer: Peer) -> None:
    """Leave at once."""
    del peer


async def test_environment() -> None:
    """The environment has Asterisk's keys in Asterisk's order, one empty line at its end."""
    asterisk = FakeAsterisk(
        "register?x=1",
        arguments=("one", "two words"),
        unique_id="17.4",
        caller_number="",
        caller_name="Ann",
        priority=3,
        account_code="acc",
        request="agi://pbx/register?x=1",
    )
    seen: list[str] = []

    async def script(peer: Peer) -> None:
        seen.extend(peer.environment.decode().split("\n"))

    await serve(asterisk, script)
    assert seen == [
        "agi_network: yes",
        "agi_network_script: register?x=1",
        "agi_request: agi://pbx/register?x=1",
        "agi_channel: PJSIP/1002-00000001",
        "agi_language: en",
        "agi_type: PJSIP",
        "agi_uniqueid: 17.4",
        "agi_version: 22.10.1",
        "agi_callerid: unknown",
        "agi_calleridname: Ann",
        "agi_callingpres: 0",
        "agi_callingani2: 0",
        "agi_callington: 0",
        "agi_callingtns: 0",
        "agi_dnid: unknown",
        "agi_rdnis: unknown",
        "agi_context: sky-genesis-voip",
        "agi_extension: 1001",
        "agi_priority: 3",
        "agi_enhanced: 0.0",
        "agi_accountcode: acc",
        "agi_threadid: 139912345678592",
        "agi_arg_1: one",
        "agi_arg_2: two words",
        "",
        "",
    ]


async def test_environment_without_script() -> None:
    """An empty path has no `agi_network_script`, and the request is the URL of the server."""

    async def script(peer: Peer) -> None:
        port = peer.writer.get_extra_info("sockname")[1]
        assert b"agi_network_script" not in peer.environment
        assert f"agi_request: agi://127.0.0.1:{port}/\n".encode() in peer.environment

    await serve(FakeAsterisk(), script)


async def test_environment_is_not_escaped() -> None:
    """A line feed in an argument makes header lines, and bytes need not be UTF-8."""

    async def script(peer: Peer) -> None:
        assert b"agi_arg_1: a\nagi_callerid: 911\n" in peer.environment
        assert b"agi_calleridname: H\xe9l\n" in peer.environment

    await serve(FakeAsterisk(arguments=("a\nagi_callerid: 911",), caller_name="H\udce9l"), script)


async def test_at_most_127_arguments() -> None:
    """Arguments past the 127th are not sent."""

    async def script(peer: Peer) -> None:
        assert b"agi_arg_127: 126\n" in peer.environment
        assert b"agi_arg_128" not in peer.environment

    await serve(FakeAsterisk(arguments=[str(i) for i in range(200)]), script)


async def test_plain_close_is_success() -> None:
    """A server that leaves without a word makes AGISTATUS SUCCESS."""
    asterisk = FakeAsterisk()
    await serve(asterisk, nothing)
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables == {}
    assert asterisk.violations == []


async def test_reset_is_success() -> None:
    """A server that crashes cannot be told from one that closes."""

    async def script(peer: Peer) -> None:
        peer.writer.transport.abort()

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_half_close_is_answered_by_hangup() -> None:
    """At the normal end Asterisk says HANGUP although nobody hung up."""

    async def script(peer: Peer) -> None:
        assert await peer.finish() == "HANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_no_hangup_line_with_agisighup_no() -> None:
    """AGISIGHUP=no suppresses the HANGUP line of the normal end too."""

    async def script(peer: Peer) -> None:
        assert await peer.finish() == ""

    await serve(FakeAsterisk(variables={"AGISIGHUP": "no"}), script)


@pytest.mark.parametrize("line", [b"failure\n", b"FAILUREfoo bar\n", b"Failure: x\n"])
async def test_failure_line(line: bytes) -> None:
    """A line that begins with `failure`, in any case, ends the session as FAILURE."""

    async def script(peer: Peer) -> None:
        peer.send(line)
        assert (await peer.reader.read()) == b"HANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "FAILURE"
    assert asterisk.violations == []


async def test_failure_without_line_feed() -> None:
    """`failure` at the end of the stream needs no line feed."""

    async def script(peer: Peer) -> None:
        peer.send(b"failure")
        assert await peer.finish() == "HANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "FAILURE"


async def test_commands_behind_failure_are_a_violation() -> None:
    """Nothing may follow `failure`, for nobody reads it."""

    async def script(peer: Peer) -> None:
        peer.send(b"failure\nSET VARIABLE A 1\n")
        await peer.finish()

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.variables == {}
    assert asterisk.violations == ["something was sent after `failure`, which ends the session"]


async def test_commands_with_half_close_run_in_one_round_trip() -> None:
    """A batch followed by the end of file is executed in order, and is no violation."""

    async def script(peer: Peer) -> None:
        peer.send(b"SET VARIABLE A 1\nGET VARIABLE A\n")
        assert await peer.finish() == "200 result=1\n200 result=1 (1)\nHANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.variables == {"A": "1"}
    assert asterisk.violations == []


async def test_last_command_needs_no_line_feed() -> None:
    """Part of a line at the end of file is executed."""

    async def script(peer: Peer) -> None:
        peer.send(b"SET VARIABLE Q 1")
        assert await peer.finish() == "200 result=1\nHANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.variables == {"Q": "1"}


async def test_second_command_of_a_segment_waits() -> None:
    """The second of two commands is answered only when a third comes, and is a violation."""

    async def script(peer: Peer) -> None:
        peer.send(b"NOOP\nGET VARIABLE CHANNEL\n")
        assert await peer.line() == "200 result=0"
        assert await peer.ask("GET VARIABLE EXTEN") == "200 result=1 (PJSIP/1002-00000001)"
        assert await peer.line() == "200 result=1 (1001)"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.violations == ["a command waited in the buffer, unseen behind another"]


async def test_command_left_in_the_buffer() -> None:
    """A server that waits for the reply of its second command waits for ever."""

    async def script(peer: Peer) -> None:
        peer.send(b"NOOP\nNOOP\n")
        assert await peer.line() == "200 result=0"
        assert await peer.line() == ""

    asterisk = FakeAsterisk(deadline=0.5)
    with pytest.raises(TimeoutError, match=r"did not end the session in 0\.5 s(.|\n)*<- NOOP"):
        await serve(asterisk, script)
    assert asterisk.violations == ["a command stayed in the buffer, unseen behind another"]
    assert asterisk.status is None


async def test_partial_line_spins() -> None:
    """A line whose end does not follow at once keeps a core of the PBX busy."""

    async def script(peer: Peer) -> None:
        peer.send(b"GET VARI")
        await asterisk.channel.signal.until(lambda: asterisk.last_session.spun, 2.0)
        assert await peer.ask("ABLE EXTEN") == "200 result=1 (1001)"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.last_session.spun
    assert asterisk.violations == ["part of a line, or a NUL: Asterisk keeps a core busy"]


async def test_nul_spins() -> None:
    """A NUL hides the line feed behind it, and the next line is glued on."""

    async def script(peer: Peer) -> None:
        peer.send(b"GET VARIABLE A\0B\n")
        await asterisk.channel.signal.until(lambda: asterisk.last_session.spun, 2.0)
        assert (await peer.ask("GET VARIABLE EXTEN")).startswith("520 ")

    asterisk = FakeAsterisk(usage=False)
    await serve(asterisk, script)
    assert asterisk.last_session.spun


async def test_128_quoted_words_crash() -> None:
    """Too many quoted words end the PBX: the connection is reset."""

    async def script(peer: Peer) -> None:
        peer.send(b'NOOP "w"' + b' "w"' * 127 + b"\n")
        with pytest.raises(ConnectionResetError):
            await peer.line()

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.last_session.crashed
    assert asterisk.status == "FAILURE"
    assert asterisk.violations == ["more than 127 quoted words: Asterisk crashes"]


@pytest.mark.parametrize(
    ("version", "length", "excess"),
    [("22.10.1", 8175, 0), ("22.10.1", 8300, 1), ("18.26.4", 2031, 0), ("18.26.4", 8175, 4)],
)
async def test_line_limit(version: str, length: int, excess: int) -> None:
    """What exceeds the limit of the version is executed as commands of its own."""

    async def script(peer: Peer) -> None:
        peer.send(b"SET VARIABLE L " + b"z" * length + b"\n")
        replies = (await peer.finish()).splitlines()
        assert replies == [
            "200 result=1",
            *["510 Invalid or unknown command"] * excess,
            "HANGUP",
        ]

    asterisk = FakeAsterisk(agi_version=version)
    await serve(asterisk, script)
    long = "a line too long: its excess is executed as the next command"
    assert asterisk.violations == [long] * excess


async def test_refused_connection() -> None:
    """Nobody listening makes AGISTATUS FAILURE at once, and is no error of the test."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    asterisk = FakeAsterisk()
    await asterisk.run("127.0.0.1", port)
    assert asterisk.status == "FAILURE"
    assert asterisk.dialogue[0].text.startswith("cannot connect: ")


async def test_two_sessions_of_one_call() -> None:
    """The dialplan may run AGI() again: variables stay, commands are told anew."""

    async def first(peer: Peer) -> None:
        await peer.ask("SET VARIABLE SGE_CALL_ID c-1")

    async def second(peer: Peer) -> None:
        assert b"agi_network_script: register\n" in peer.environment
        assert await peer.ask("GET VARIABLE SGE_CALL_ID") == "200 result=1 (c-1)"

    asterisk = FakeAsterisk("register")
    await serve(asterisk, first)
    await serve(asterisk, second)
    assert asterisk.variables == {"SGE_CALL_ID": "c-1"}
    assert asterisk.commands == ["GET VARIABLE SGE_CALL_ID"]


async def test_other_script_for_the_second_session() -> None:
    """`run` takes another script and other arguments for the same call."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\n\n"))
        writer.close()

    asterisk = FakeAsterisk("register")
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await asterisk.run("127.0.0.1", port)
        await asterisk.run("127.0.0.1", port, "end", ("now",))
    assert b"agi_network_script: register\n" in seen[0]
    assert b"agi_network_script: end\n" in seen[1]
    assert b"agi_arg_1: now\n" in seen[1]


async def test_dialogue() -> None:
    """The dialogue has every line both ways, and each event."""

    async def script(peer: Peer) -> None:
        await peer.ask("NOOP")
        await peer.finish()

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert [line[1:] for line in asterisk.dialogue][-5:] == [
        ("<-", "NOOP"),
        ("->", "200 result=0"),
        ("--", "end of file from the server"),
        ("->", "HANGUP"),
        ("--", "AGISTATUS=SUCCESS"),
    ]
    assert asterisk.dialogue[0][1:] == ("--", "connected")
    seconds = [line.seconds for line in asterisk.dialogue]
    assert seconds == sorted(seconds)


async def test_observer_sees_each_line() -> None:
    """An observer is told of every line as it is written down."""
    seen: list[str] = []
    asterisk = FakeAsterisk(observer=lambda line: seen.append(line.text))
    await serve(asterisk, nothing)
    assert seen == [line.text for line in asterisk.dialogue]


def test_results_before_a_session() -> None:
    """Asking for results before there are any is an error."""
    with pytest.raises(RuntimeError, match="no session was run yet"):
        _ = FakeAsterisk().status


async def test_leaving_the_session_by_an_exception_ends_it() -> None:
    """An error in the body of `session` is not held up by a server that waits."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    asterisk = FakeAsterisk()
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LookupError):
            async with asterisk.session("127.0.0.1", port):
                raise LookupError
    assert asterisk.status is None


async def test_slow_reader_is_a_violation() -> None:
    """Asterisk loses what a server does not read within a tenth of a second."""

    async def script(peer: Peer) -> None:
        cast("asyncio.Transport", peer.writer.transport).pause_reading()
        for _ in range(20):
            peer.send(b"GET FULL VARIABLE ${BIG}\n")
            await asyncio.sleep(0)
        await asterisk.channel.signal.until(
            lambda: bool(asterisk.last_session.record.violations), 4
        )
        peer.writer.transport.abort()

    asterisk = FakeAsterisk(variables={"BIG": "x" * (8 << 20)}, pbx=Pbx())
    await serve(asterisk, script)
    assert "the server does not read: Asterisk loses the rest of the line" in asterisk.violations
