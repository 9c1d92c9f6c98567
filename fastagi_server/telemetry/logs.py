"""Log lines: structlog, as JSON for machines or in colour for a terminal.

A slow disk or a blocked journal must never hold up a call, so lines go through a bounded buffer
that a thread of its own writes out. Lines beyond the limit are dropped and counted; a crash of the
interpreter loses at most the lines of the last 50 ms, and none that is an error.
"""

import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import IO, Any, Literal, cast

import orjson
import structlog

from fastagi_server.telemetry.measures import Counter

Format = Literal["auto", "json", "console"]

BUFFER_LINES = 10_000
"""Lines that may wait for the writer: some seconds of the highest call rate."""

FLUSH_SECONDS = 0.05


class LineWriter:
    """Writes whole lines to a file descriptor from a thread of its own.

    `drops` counts, under "log_line", the lines that came while `limit` others waited.
    """

    def __init__(self, descriptor: int, drops: Counter, *, limit: int = BUFFER_LINES) -> None:
        self._descriptor = descriptor
        self._drops = drops
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one line, without its newline."""
        if len(self._lines) >= self._limit:
            self._drops.add("log_line")
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Write what waits now, on the caller's thread."""
        with self._writing:
            lines = self._lines
            while lines:
                chunk = b"".join(lines.popleft() + b"\n" for _ in range(min(len(lines), 500)))
                _write_all(self._descriptor, chunk)

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout=1.0)
        self.flush()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            if not self._closing:
                threading.Event().wait(FLUSH_SECONDS)  # let lines gather: one write for many
            self._wake.clear()
            self.flush()


class _Logger:
    """What structlog calls at the end of its chain: takes the finished line."""

    __slots__ = ("_writer",)

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, line: bytes) -> None:
        self._writer.write(line)

    def urgent(self, line: bytes) -> None:
        self._writer.write(line)
        self._writer.flush()

    debug = info = warning = msg
    error = critical = exception = fatal = urgent


def configure_logs(
    level: str, style: Format, drops: Counter, *, stream: IO[Any] | None = None
) -> LineWriter:
    """Set up all logging of the process, that of libraries included; returns the writer to close.

    `auto` is `console` on a terminal and `json` elsewhere.
    """
    stream = stream or cast("IO[Any]", sys.stderr)
    writer = LineWriter(stream.fileno(), drops)
    console = style == "console" or (style == "auto" and stream.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _console_renderer(colors=stream.isatty()) if console else _render_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Logger(writer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_Bridge()], force=True)
    return writer


class _Bridge(logging.Handler):
    """Carries the standard library's records, such as asyncio's, into structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # structlog has the five levels
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit must not stop the program
            text = str(record.msg)
        structlog.get_logger().log(
            level, text, logger=record.name, exc_info=record.exc_info or None
        )


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


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError:  # nobody reads any more: there is no place left to say so
            return
