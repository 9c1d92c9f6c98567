"""Log lines: whole, bounded, never waited for, in JSON or for a terminal."""

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import structlog

from fastagi_server.telemetry.logs import Format, LineWriter, configure_logs
from fastagi_server.telemetry.measures import Counter

Lines = Callable[[], list[str]]


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    """Both ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_lines(descriptor: int, count: int) -> list[bytes]:
    """Exactly so many lines from a pipe; waits for them."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return [file.readline() for _ in range(count)]


def fill(writing: int) -> int:
    """Fill a pipe to its last byte; how many went in."""
    os.set_blocking(writing, False)
    filled = 0
    try:
        while True:
            filled += os.write(writing, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    return filled


def test_lines_are_written(pipe: tuple[int, int]) -> None:
    """Each line comes out whole and in order, with its newline."""
    writer = LineWriter(pipe[1], Counter())
    for number in range(1_000):
        writer.write(b"line %d" % number)
    assert read_lines(pipe[0], 1_000) == [b"line %d\n" % number for number in range(1_000)]
    writer.close()


def test_lines_are_gathered(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that come together go out together."""
    chunks: list[bytes] = []
    write = os.write

    def note(descriptor: int, data: Any) -> int:
        chunks.append(bytes(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", note)
    writer = LineWriter(pipe[1], Counter())
    for _ in range(10):
        writer.write(b"line")
    writer.close()
    assert b"".join(chunks) == b"line\n" * 10
    assert len(chunks) <= 2


def test_close_writes_what_waits(pipe: tuple[int, int]) -> None:
    """Nothing that was taken is lost at the end, and the thread is gone."""
    writer = LineWriter(pipe[1], Counter())
    writer.write(b"last words")
    writer.close()
    os.close(pipe[1])
    assert os.read(pipe[0], 100) == b"last words\n"
    assert "log-writer" not in [thread.name for thread in threading.enumerate()]


def test_line_after_the_close(pipe: tuple[int, int]) -> None:
    """Who logs while the program dies is heard all the same."""
    writer = LineWriter(pipe[1], Counter())
    writer.close()
    writer.write(b"too late?", urgent=True)
    assert os.read(pipe[0], 100) == b"too late?\n"


def test_blocked_reader_holds_up_nobody(pipe: tuple[int, int]) -> None:
    """When nobody reads, lines are taken up to the limit, then dropped and counted."""
    reading, writing = pipe
    filled = fill(writing)
    drops = Counter()
    writer = LineWriter(writing, drops, limit=10)
    for number in range(1_000):
        writer.write(b"line %d" % number, urgent=number % 2 == 0)
    assert drops.values[("log_line",)] >= 980
    with os.fdopen(os.dup(reading), "rb") as file:
        file.read(filled)
        assert file.readline() == b"line 0\n"
    writer.close()


def test_close_waits_for_a_blocked_reader_only_so_long(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ends even if its log cannot be written."""
    monkeypatch.setattr("fastagi_server.telemetry.logs.CLOSE_SECONDS", 0.05)
    filled = fill(pipe[1])
    writer = LineWriter(pipe[1], Counter())
    writer.write(b"never read")
    writer.close()
    with os.fdopen(os.dup(pipe[0]), "rb") as file:
        file.read(filled)
        assert file.readline() == b"never read\n"


def test_reader_that_left(pipe: tuple[int, int]) -> None:
    """A broken pipe is no error of the program."""
    os.close(pipe[0])
    writer = LineWriter(pipe[1], Counter())
    writer.write(b"to nobody")
    writer.close()


@pytest.fixture
def configured(tmp_path: Path) -> Generator[Callable[..., Lines]]:
    """Set up logging into a file; what was set up before is restored at the end."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    writers: list[LineWriter] = []
    path = tmp_path / "log"

    with path.open("ab") as stream:

        def configure(level: str = "info", style: Format = "json") -> Lines:
            writers.append(configure_logs(level, style, Counter(), stream=stream))

            def lines() -> list[str]:
                for writer in writers:
                    writer.close()
                return path.read_text("utf-8").splitlines()

            return lines

        yield configure
        for writer in writers:
            writer.close()
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_json(configured: Callable[..., Lines]) -> None:
    """One JSON object a line, with event, level, time and the values."""
    lines = configured()
    structlog.get_logger().info("agi_session", route="register", ms=1.5, path=Path("/x"))
    (line,) = map(json.loads, lines())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "agi_session",
        "level": "info",
        "route": "register",
        "ms": 1.5,
        "path": "PosixPath('/x')",
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ren\udcc3", "Ren?"),
        ("line\nbreak \x1b[31m", "line\nbreak \x1b[31m"),
        (2**70, 2**70),
        ({1: "a"}, {"1": "a"}),
    ],
)
def test_json_of_anything(configured: Callable[..., Lines], value: Any, shown: object) -> None:
    """Bytes of no encoding and huge numbers are no reason to lose a line, or to raise."""
    lines = configured()
    structlog.get_logger().info("odd", value=value)
    (line,) = lines()
    assert json.loads(line)["value"] == shown


def test_levels(configured: Callable[..., Lines]) -> None:
    """Lines below the level are not written."""
    lines = configured("warning")
    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [json.loads(line)["event"] for line in lines()] == ["c", "d"]


def test_exception(configured: Callable[..., Lines]) -> None:
    """A trace is part of the one line."""
    lines = configured()
    try:
        dict[str, str]()["no such thing"]
    except KeyError:
        structlog.get_logger().exception("route_failed")
    (line,) = map(json.loads, lines())
    assert line["level"] == "error"
    assert "KeyError: 'no such thing'" in line["exception"]


def test_console(configured: Callable[..., Lines]) -> None:
    """For people: no JSON, and nothing that could move the cursor."""
    lines = configured(style="console")
    structlog.get_logger().info("agi_session", name="x\n\x1b[2J", raw="Ren\udcc3", route="r")
    (line,) = lines()
    assert "agi_session" in line
    assert "route=r" in line
    assert "\x1b" not in line
    assert "Ren\\udcc3" in line


def test_auto_is_json_where_nobody_looks(configured: Callable[..., Lines]) -> None:
    """A file is no terminal."""
    lines = configured(style="auto")
    structlog.get_logger().info("hello")
    assert json.loads(lines()[0])["event"] == "hello"


def test_standard_library(configured: Callable[..., Lines]) -> None:
    """Warnings of libraries come the same way, with their logger; their chatter does not."""
    lines = configured("debug")
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("careful: %s", "hot")
    try:
        dict[str, str]()["inside"]
    except KeyError:
        library.exception("failed")
    first, second = map(json.loads, lines())
    assert (first["event"], first["logger"], first["level"]) == (
        "careful: hot",
        "some.library",
        "warning",
    )
    assert "KeyError: 'inside'" in second["exception"]


@pytest.mark.parametrize(("number", "level"), [(35, "warning"), (45, "error"), (70, "critical")])
def test_levels_of_the_standard_library(
    configured: Callable[..., Lines], number: int, level: str
) -> None:
    """A level that structlog does not have counts as the one below."""
    lines = configured()
    logging.getLogger("some.library").log(number, "odd level")
    assert json.loads(lines()[0])["level"] == level


def test_bad_arguments_of_the_standard_library(configured: Callable[..., Lines]) -> None:
    """A library's mistake in a message does not become ours."""
    lines = configured()
    wanting = "%d and %d"
    logging.getLogger("some.library").warning(wanting, "one")
    assert json.loads(lines()[0])["event"] == wanting


async def test_asyncio_tells_of_lost_errors(configured: Callable[..., Lines]) -> None:
    """What asyncio would print on its own is a line like any other."""
    lines = configured()
    asyncio.get_running_loop().call_exception_handler({"message": "lost"})
    assert json.loads(lines()[0])["logger"] == "asyncio"


def test_standard_error_is_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines go to standard error, where systemd and containers look for them."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    with os.fdopen(os.dup(2), "w") as stream:
        sys_stderr, sys.stderr = sys.stderr, stream
        try:
            writer = configure_logs("info", "json", Counter())
            structlog.get_logger().info("hello")
            writer.close()
        finally:
            sys.stderr = sys_stderr
            root.handlers[:], root.level = before
            structlog.reset_defaults()
    assert json.loads(capfd.readouterr().err)["event"] == "hello"
