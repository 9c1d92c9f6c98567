"""Log lines: whole, bounded, never waited for, in JSON or for a terminal."""

import asyncio
import contextvars
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from fastagi_server.telemetry import subject
from fastagi_server.telemetry.log_file import Descriptor
from fastagi_server.telemetry.logs import Format, LineWriter, configure_logs
from fastagi_server.telemetry.masking import Masker
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
    writer = LineWriter(Descriptor(pipe[1]), Counter())
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
    writer = LineWriter(Descriptor(pipe[1]), Counter())
    for _ in range(10):
        writer.write(b"line")
    writer.close()
    assert b"".join(chunks) == b"line\n" * 10
    assert len(chunks) <= 2


def test_close_writes_what_waits(pipe: tuple[int, int]) -> None:
    """Nothing that was taken is lost at the end, and the thread is gone."""
    writer = LineWriter(Descriptor(pipe[1]), Counter())
    writer.write(b"last words")
    writer.close()
    os.close(pipe[1])
    assert os.read(pipe[0], 100) == b"last words\n"
    assert "log-writer" not in [thread.name for thread in threading.enumerate()]


def test_line_after_the_close(pipe: tuple[int, int]) -> None:
    """Who logs while the program dies is heard all the same."""
    writer = LineWriter(Descriptor(pipe[1]), Counter())
    writer.close()
    writer.write(b"too late?", urgent=True)
    assert os.read(pipe[0], 100) == b"too late?\n"


def test_blocked_reader_holds_up_nobody(pipe: tuple[int, int]) -> None:
    """When nobody reads, lines are taken up to the limit, then dropped and counted."""
    reading, writing = pipe
    filled = fill(writing)
    drops = Counter()
    writer = LineWriter(Descriptor(writing), drops, limit=10)
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
    writer = LineWriter(Descriptor(pipe[1]), Counter())
    writer.write(b"never read")
    writer.close()
    with os.fdopen(os.dup(pipe[0]), "rb") as file:
        file.read(filled)
        assert file.readline() == b"never read\n"


def test_reader_that_left(pipe: tuple[int, int]) -> None:
    """A broken pipe is no error of the program."""
    os.close(pipe[0])
    writer = LineWriter(Descriptor(pipe[1]), Counter())
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

        def configure(level: str = "info", style: Format = "json", **options: Any) -> Lines:
            writers.append(configure_logs(level, style, Counter(), stream=stream, **options))

            def lines() -> list[str]:
                for writer in writers:
                    writer.close()
                return path.read_text("utf-8").splitlines()

            return lines

        yield configure
        for writer in writers:
            writer.close()
    root.handlers[:], root.level = before
    threading.excepthook = threading.__excepthook__
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
        "logger": "sge.voip",
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
        "sge.voip.some.library",
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
    assert json.loads(lines()[0])["logger"] == "sge.voip.asyncio"


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


def test_a_line_of_a_call_has_its_ids(configured: Callable[..., Lines]) -> None:
    """What is known of the call is in each line of its task; what a line says itself goes first."""
    lines = configured()
    log = structlog.get_logger("rooms")

    def work() -> None:
        subject.current.set(subject.Subject("17.4"))
        log.info("one")
        subject.learn(linked_id="17.3", call="c1")
        subject.learn()
        log.info("two")
        log.info("three", unique_id="18.1")

    contextvars.copy_context().run(work)
    log.info("four")
    subject.learn(call="nobody's")
    names = ("unique_id", "linked_id", "call")
    assert [[json.loads(line).get(name) for name in names] for line in lines()] == [
        ["17.4", None, None],
        ["17.4", "17.3", "c1"],
        ["18.1", "17.3", "c1"],
        [None, None, None],
    ]


def test_grep_voip_finds_every_line(configured: Callable[..., Lines]) -> None:
    """Of the service, of its parts and of libraries; in both forms."""
    written = 0
    for style in ("json", "console"):
        structlog.reset_defaults()
        lines = configured(style=style)
        structlog.get_logger().info("plain")
        structlog.stdlib.get_logger("rooms").info("named")
        logging.getLogger("some.library").warning("careful")
        assert len(lines()) == written + 3
        written += 3
        assert all("sge.voip" in line for line in lines())


def test_lines_are_masked(configured: Callable[..., Lines]) -> None:
    """Secrets and personal data are gone from fields, messages and traces."""
    lines = configured("debug", masker=Masker(key=b"k" * 16, secrets=["hunter2-hunter2"]))
    log = structlog.get_logger()
    error = ValueError("caller_name='Anna' gave hunter2-hunter2 at PJSIP/31337-0000002a")
    log.error("route_failed", exc_info=error)
    log.warning("x", reason=str(error), caller_number="31337")
    logging.getLogger("some.library").error("oh: %s", error)
    text = "".join(lines())
    assert len(lines()) == 3
    assert "ValueError: caller_name='***#" in text
    for leak in ("Anna", "hunter2", "31337"):
        assert leak not in text


def test_a_log_file(configured: Callable[..., Lines], tmp_path: Path) -> None:
    """With a file, lines go there and nowhere else; never in colour."""
    path = tmp_path / "api.log"
    elsewhere = configured(style="console", file=path)
    structlog.get_logger().info("agi_session", route="register")
    assert elsewhere() == []
    (line,) = path.read_text().splitlines()
    assert "agi_session" in line
    assert "\x1b" not in line


def test_a_log_file_that_cannot_be_written(
    configured: Callable[..., Lines], tmp_path: Path
) -> None:
    """Lines go to standard error, which says why."""
    lines = configured(file=tmp_path / "missing" / "api.log")
    structlog.get_logger().info("agi_session")
    first, second = map(json.loads, lines())
    assert first["event"] == "agi_session"
    assert (second["event"], second["level"]) == ("log_file_unwritable", "error")


def test_reports_hear_of_every_line(configured: Callable[..., Lines]) -> None:
    """With the call's ids, and before the trace is made text or anything is masked."""
    heard: list[dict[str, Any]] = []

    class Reports:
        def receive(self, event: Mapping[str, Any]) -> None:
            heard.append(dict(event))

    lines = configured(reports=Reports())
    log = structlog.get_logger("rooms")
    error = ValueError("PJSIP/31337")
    log.debug("unheard")
    log.error("failed", exc_info=error, unique_id="17.4")
    lines()
    (event,) = heard
    assert event.pop("timestamp")
    assert event == {
        "event": "failed",
        "level": "error",
        "logger": "sge.voip.rooms",
        "unique_id": "17.4",
        "exc_info": error,
    }


def test_a_thread_that_fails(configured: Callable[..., Lines]) -> None:
    """What nobody catches in a thread is a line, too."""
    lines = configured()

    def fail() -> None:
        raise LookupError("inside")

    thread = threading.Thread(target=fail, name="some-thread")
    thread.start()
    thread.join()
    (line,) = map(json.loads, lines())
    assert (line["event"], line["thread"]) == ("thread_failed", "some-thread")
    assert "LookupError: inside" in line["exception"]
