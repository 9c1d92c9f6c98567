"""Log lines: structlog, as JSON for machines or in colour for a terminal.

A slow disk or a blocked journal must never hold up a call, so lines go through a bounded buffer
that a thread of its own writes out: lines gather for 50 ms, errors go out at once. Lines beyond the
limit are dropped and counted. Nothing but that thread ever waits for the reader of the lines.

Every line has `event`, `level`, `timestamp` and `logger`, which begins with `sge.voip`; those of a
call have what is known of `unique_id`, `linked_id` and `call`.
"""

import json
import logging
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal, Protocol, cast

import orjson
import structlog

from fastagi_server.telemetry import subject
from fastagi_server.telemetry.levels import leveled_logger, set_level
from fastagi_server.telemetry.log_file import Descriptor, LogFile, Sink
from fastagi_server.telemetry.masking import PLAIN_LINES, Masker
from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.recent import RecentLines

Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]
Format = Literal["auto", "json", "console"]

BUFFER_LINES = 10_000
"""Lines that may wait for the writer: some seconds of the highest call rate."""

FLUSH_SECONDS = 0.05

CLOSE_SECONDS = 1.0
"""How long the end of the program waits for a reader that does not read."""

ROOT = "sge.voip"
"""What every logger's name begins with, so that `grep voip` finds every line."""


class ErrorReports(Protocol):
    """Where lines go besides the log; `telemetry.sentry` implements it."""

    def receive(self, event: Mapping[str, Any]) -> None:
        """Take the fields of a line of any level, unmasked, with `exc_info` not yet rendered."""
        ...


class LineWriter:
    """Writes whole lines to a sink from a thread of its own.

    `drops` counts, under "log_line", the lines that came while `limit` others waited.
    """

    def __init__(self, sink: Sink, drops: Counter, *, limit: int = BUFFER_LINES) -> None:
        self._sink = sink
        self._drops = drops
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        """Take one line, without its newline. After `close` it is written at once."""
        if len(self._lines) >= self._limit:
            self._drops.add("log_line")
            return
        self._lines.append(line)
        if urgent:
            self._hurry.set()
        if not self._wake.is_set():
            self._wake.set()
        if self._closing and not self._thread.is_alive():
            self._write_out()

    def close(self) -> None:
        """End the thread once it has written what waits, which it may take a second for."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._hurry.wait(FLUSH_SECONDS)  # let lines gather: one write for many
            self._wake.clear()
            self._hurry.clear()
            self._write_out()
        self._write_out()  # what came between the last look and `close`

    def _write_out(self) -> None:
        lines = self._lines
        while lines:
            chunk = b"".join(lines.popleft() + b"\n" for _ in range(min(len(lines), 500)))
            self._sink.write(chunk)


class _Logger:
    """What structlog calls at the end of its chain: takes the finished line."""

    __slots__ = ("_writer", "debug", "info", "name", "warning")

    def __init__(self, writer: LineWriter, name: str = "") -> None:
        self._writer = writer
        self.name = f"{ROOT}.{name}" if name else ROOT
        self.debug = self.info = self.warning = writer.write

    def urgent(self, line: bytes) -> None:
        self._writer.write(line, urgent=True)

    error = critical = exception = fatal = urgent


def configure_logs(
    level: str,
    style: Format,
    drops: Counter,
    *,
    stream: IO[Any] | None = None,
    file: Path | None = None,
    masker: Masker | None = None,
    reports: ErrorReports | None = None,
    recent: RecentLines | None = None,
    forks: bool = False,
) -> LineWriter:
    """Set up all logging of the process, that of libraries included; returns the writer to close.

    Lines go to `stream`, standard error by default, or to `file` and to `stream` what that does not
    take. `auto` is `console` on a terminal and `json` elsewhere. Without a `masker` only what has
    the form of a secret or of personal data is masked. `reports` hears of every line,
    and `recent` once it is masked. With `forks` the children of the process can set up theirs: no
    logger keeps the writer, whose thread is not theirs.
    """
    stream = stream or cast("IO[Any]", sys.stderr)
    descriptor = Descriptor(stream.fileno())
    sink = LogFile(file, fallback=descriptor, drops=drops) if file else descriptor
    writer = LineWriter(sink, drops)
    masker = masker or Masker(key=secrets.token_bytes(16))
    on_terminal = file is None and stream.isatty()
    console = style == "console" or (style == "auto" and on_terminal)
    structlog.configure(
        processors=[
            _finishing(masker, reports, recent),
            _console_renderer(colors=on_terminal) if console else _render_json,
        ],
        wrapper_class=leveled_logger(),
        logger_factory=lambda *names: _Logger(writer, *names),
        cache_logger_on_first_use=not forks,
    )
    logging.basicConfig(handlers=[_Bridge(masker)], force=True)
    set_level(level)
    threading.excepthook = _log_thread_error
    return writer


def _log_thread_error(failure: threading.ExceptHookArgs) -> None:
    """What nobody catches in a thread, which Python would only print."""
    error = failure.exc_value
    thread = failure.thread.name if failure.thread else ""
    structlog.stdlib.get_logger("threads").error("thread_failed", thread=thread, exc_info=error)


class _Bridge(logging.Handler):
    """Carries the standard library's records, such as asyncio's, into structlog.

    Their text is masked here: that of the program's own lines is always a word.
    """

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # structlog has the five levels
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit must not stop the program
            text = str(record.msg)
        log = structlog.stdlib.get_logger(record.name)
        text = self._masker.text(text)
        if record.exc_info:
            log.log(level, text, exc_info=record.exc_info)
        else:
            log.log(level, text)


def _finishing(
    masker: Masker, reports: ErrorReports | None, recent: RecentLines | None
) -> Processor:
    """All that is done to a line before it is rendered.

    It is one function because every session has a line: a chain of structlog's processors for it
    costs a call a third more.
    """
    subject_of_task = subject.current.get

    def finish(
        logger: _Logger, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        about = subject_of_task()
        if about is not None and "call" not in event:
            for name, value in subject.ids_in(about).items():
                event.setdefault(name, value)
        event["logger"] = logger.name
        event["level"] = method
        now = time.time()
        second = int(now)
        event["timestamp"] = f"{_second_text(second)}.{int((now - second) * 1e6):06d}Z"
        if reports is not None:
            reports.receive(event)
        if "exc_info" in event:
            structlog.processors.format_exc_info(logger, method, event)
        if event["event"] not in PLAIN_LINES:
            masker.event(event)
            if recent is not None:
                recent.note(event)
        return event

    return finish


@lru_cache(maxsize=2)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _render_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # bytes of Asterisk that are not UTF-8, a number of 65 bits
        return json.dumps(event, default=repr, ensure_ascii=False).encode("utf-8", "replace")


def _console_renderer(
    *, colors: bool
) -> Callable[[Any, str, MutableMapping[str, Any]], Mapping[str, Any] | bytes]:
    renderer = structlog.dev.ConsoleRenderer(colors=colors)

    def render(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        return str(renderer(logger, method, event)).encode("utf-8", "backslashreplace")

    return render
