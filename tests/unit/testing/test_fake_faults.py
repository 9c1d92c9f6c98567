"""Faults that a test may put into a session of the fake Asterisk."""

import asyncio

import pytest
from raw_peer import Peer, serve

from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults


@pytest.mark.parametrize("size", [0, 1, 100])
async def test_environment_cut_short(size: int) -> None:
    """The environment ends after so many bytes, and the connection with it."""

    async def script(peer: Peer) -> None:
        assert len(await peer.reader.read()) == size

    asterisk = FakeAsterisk(faults=Faults(cut_environment_after=size))
    await serve(asterisk, script, environment=False)
    assert asterisk.status == "FAILURE"


async def test_raw_environment() -> None:
    """The whole environment may be other bytes."""

    async def script(peer: Peer) -> None:
        assert peer.environment == b"GET / HTTP/1.1\r\n\xff\n\n"

    await serve(FakeAsterisk(faults=Faults(environment=b"GET / HTTP/1.1\r\n\xff\n\n")), script)


async def test_more_header_lines() -> None:
    """Lines may be put in before the empty one: spoofed, repeated, a megabyte long."""

    async def script(peer: Peer) -> None:
        environment = await peer.reader.readuntil(b"agi_arg_1: x\n")
        assert b"agi_callerid: 1002\n" in environment
        assert await peer.reader.readuntil(b"\n\n") == b"agi_callerid: 911\n\n"

    lines = (b"agi_arg_1: x\n", b"agi_callerid: 911\n")
    await serve(FakeAsterisk(faults=Faults(header_lines=lines)), script, environment=False)


async def test_megabyte_of_header() -> None:
    """A header of a megabyte arrives whole at a server that reads."""
    length = 0

    async def script(peer: Peer) -> None:
        nonlocal length
        while chunk := await peer.reader.read(65536):
            length += len(chunk)
            if chunk.endswith(b"\n\n"):
                return

    line = b"agi_arg_1: " + b"x" * (1 << 20) + b"\n"
    asterisk = FakeAsterisk(faults=Faults(header_lines=(line,)))
    await serve(asterisk, script, environment=False)
    assert length > 1 << 20


async def test_slow_loris() -> None:
    """The environment may come byte by byte, with a pause after each."""

    async def script(peer: Peer) -> None:
        assert await peer.reader.read(100) == b"a"

    asterisk = FakeAsterisk(faults=Faults(environment=b"agi\n\n", pause_between_bytes=3600.0))
    await serve(asterisk, script, environment=False)


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (Answer(b"\xff\xfe garbage\n"), b"\xff\xfe garbage\n"),
        (Answer(b"200 result=1\n" * 2), b"200 result=1\n200 result=1\n"),
        (Answer(b""), b""),
        (Answer(b"200 result=0\n", after_seconds=0.01), b"200 result=0\n"),
    ],
)
async def test_false_answers(answer: Answer, heard: bytes) -> None:
    """A command may be answered by anything, late, twice or never; it is not run."""

    async def script(peer: Peer) -> None:
        peer.send(b"SET VARIABLE A 1\n")
        peer.writer.write_eof()
        assert await peer.reader.read() == heard + b"HANGUP\n"

    asterisk = FakeAsterisk(faults=Faults(answers={"set variable": answer}))
    await serve(asterisk, script)
    assert asterisk.variables == {}
    assert asterisk.commands == ["SET VARIABLE A 1"]


async def test_answers_go_by_the_beginning() -> None:
    """Only commands that begin so are answered falsely."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("GET VARIABLE A") == "garbage"
        assert await peer.ask("GET FULL VARIABLE x") == "200 result=1 (x)"

    await serve(FakeAsterisk(faults=Faults(answers={"GET VARIABLE": Answer(b"garbage\n")})), script)


async def test_answer_and_close() -> None:
    """Asterisk may go away after an answer."""

    async def script(peer: Peer) -> None:
        peer.send(b"NOOP\n")
        assert await peer.reader.read() == b"200 resu"

    asterisk = FakeAsterisk(faults=Faults(answers={"NOOP": Answer(b"200 resu", then="close")}))
    await serve(asterisk, script)
    assert asterisk.status == "FAILURE"


async def test_answer_and_reset() -> None:
    """Asterisk may reset the connection instead of an answer."""

    async def script(peer: Peer) -> None:
        peer.send(b"NOOP\n")
        with pytest.raises(ConnectionResetError):
            await peer.reader.read()

    asterisk = FakeAsterisk(faults=Faults(answers={"NOOP": Answer(b"", then="reset")}))
    await serve(asterisk, script)


async def test_bytes_that_nobody_asked_for() -> None:
    """The body of a session may send anything, and reset the connection."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        heard.set_result(await reader.readline())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    asterisk = FakeAsterisk()
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asterisk.session("127.0.0.1", port) as session:
            await asterisk.channel.signal.until(
                lambda: any(line.text == "" for line in asterisk.dialogue), 0.5
            )
            session.send(b"HANGUP\n")
            assert await heard == b"HANGUP\n"
            await session.reset()
    assert asterisk.status == "SUCCESS"


async def test_flood_is_held_back() -> None:
    """A server that floods a busy Asterisk is held back by TCP and loses nothing."""

    async def script(peer: Peer) -> None:
        peer.send(b"EXEC Wait 0.05\n")
        line = b"NOOP " + b"x" * 8000 + b"\n"
        for _ in range(40):
            peer.send(line)
            await peer.writer.drain()
        peer.writer.write_eof()
        replies = (await peer.reader.read()).splitlines()
        assert replies == [b"200 result=0"] * 41 + [b"HANGUP"]

    await serve(FakeAsterisk(), script)
