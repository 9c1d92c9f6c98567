"""`fastagi-server call`: acting as Asterisk and printing what was said."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fastagi_server.testing.asterisk.record import Line
from fastagi_server.testing.caller import call, escape, format_line, parse_url

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1") -> AsyncGenerator[int]:
    """Run a server, after each environment was read, and give its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, host, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def set_status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Set a variable whose value has a tab, and leave."""
    await reader.readuntil(b"\n\n")
    writer.write(b'SET VARIABLE SGE_STATUS "A\tB"\n')
    await reader.readline()
    writer.write_eof()
    await reader.read()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("agi://h", ("h", 4573, "")),
        ("agi://h/", ("h", 4573, "")),
        ("AGI://h:1/s?x=1/2", ("h", 1, "s?x=1/2")),
        ("agi://127.0.0.1:4573/register?a=b&c=%20", ("127.0.0.1", 4573, "register?a=b&c=%20")),
        ("agi://[::1]/s", ("::1", 4573, "s")),
        ("agi://[::1]:65535/s", ("::1", 65535, "s")),
    ],
)
def test_parse_url(url: str, parts: tuple[str, int, str]) -> None:
    """Host, port and script are told apart as Asterisk does."""
    assert parse_url(url) == parts


@pytest.mark.parametrize(
    "url",
    ["http://h/", "agi:/h", "agi://", "agi://h?x=1", "agi://h:0/", "agi://h:65536/", "agi://h:x/"],
)
def test_bad_url(url: str) -> None:
    """A URL by which Asterisk would find nothing is refused."""
    with pytest.raises(ValueError, match=r"URL|slash|port"):
        parse_url(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é", "plain é"),
        ("a\tb\r", "a\\tb\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\udcff", "\\xff"),
        ("\u202e", "\\u202e"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    """Nothing that is printed can move the cursor or change colours."""
    assert escape(text) == shown


def test_format_line() -> None:
    """A line shows milliseconds, direction and text."""
    assert format_line(Line(0.0123, "->", "200 result=1")) == "     12.3 ms -> 200 result=1"


async def test_call() -> None:
    """The dialogue is written line by line, then the variables that were set."""
    written: list[str] = []
    async with serving(set_status) as port:
        code = await call(
            f"agi://127.0.0.1:{port}/register?x=1",
            ["arg"],
            variables={"CALLERID(num)": "7", "EXTEN": "88", "MINE": "m"},
            write=written.append,
        )
    texts = [line.split(" ms ")[-1] for line in written]
    assert code == 0
    assert texts[0] == "-- connected"
    assert f"-> agi_request: agi://127.0.0.1:{port}/register?x=1" in texts
    assert "-> agi_callerid: 7" in texts
    assert "-> agi_extension: 88" in texts
    assert "-> agi_arg_1: arg" in texts
    assert '<- SET VARIABLE SGE_STATUS "A\\tB"' in texts
    assert texts[-2] == "-- AGISTATUS=SUCCESS"
    assert texts[-1] == "SGE_STATUS=A\\tB"


async def test_call_over_ipv6() -> None:
    """An IPv6 address in brackets is called."""
    async with serving(set_status, "::1") as port:
        assert await call(f"agi://[::1]:{port}/s", write=lambda _: None) == 0


async def test_call_prints_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without another writer the lines go to standard output."""
    async with serving(set_status) as port:
        await call(f"agi://127.0.0.1:{port}/s")
    assert "SGE_STATUS=A\\tB\n" in capsys.readouterr().out


async def test_call_that_fails() -> None:
    """`failure` from the server makes exit code 1."""

    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        writer.write(b"failure\n")
        await reader.read()

    written: list[str] = []
    async with serving(fail) as port:
        assert await call(f"agi://127.0.0.1:{port}/s", write=written.append) == 1
    assert written[-1].endswith("-- AGISTATUS=FAILURE")


async def test_call_of_nobody() -> None:
    """A refused connection makes exit code 1, and says why."""
    written: list[str] = []
    async with serving(set_status) as port:
        pass
    assert await call(f"agi://127.0.0.1:{port}/s", write=written.append) == 1
    assert "-- cannot connect: " in written[0]


async def test_call_that_never_ends() -> None:
    """A server that does not end the session makes exit code 2."""

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.read()

    written: list[str] = []
    async with serving(wait) as port:
        assert await call(f"agi://127.0.0.1:{port}/s", timeout=0.1, write=written.append) == 2
    assert written[-1] == (
        "the server did not end the session in 0.1 s; Asterisk would wait for ever"
    )


@pytest.mark.parametrize(
    ("dead", "hang_up_after", "status"), [(True, None, "SUCCESS"), (False, 0.01, "HANGUP")]
)
async def test_call_that_hangs_up(*, dead: bool, hang_up_after: float | None, status: str) -> None:
    """The call may be dead from the beginning, or hang up later; neither is a failure."""

    async def leave_on_hangup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        writer.write(b"CHANNEL STATUS\n")
        while (await reader.readline()).startswith(b"200"):
            pass

    written: list[str] = []
    async with serving(leave_on_hangup) as port:
        url = f"agi://127.0.0.1:{port}/s"
        code = await call(url, dead=dead, hang_up_after=hang_up_after, write=written.append)
    assert code == 0
    assert written[-1].endswith(f"-- AGISTATUS={status}")
