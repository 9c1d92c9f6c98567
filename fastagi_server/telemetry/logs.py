"""Log lines: structlog, as JSON for machines or in colour for a terminal.

A slow disk or a blocked journal must never hold up a call, so lines go through a bounded buffer
that a thread of its own writes out: lines gather for 50 ms, errors go out at once. Lines beyond the
limit are dropped and counted. Nothing but that thread ever waits for the reader of the lines.
"""

import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import IO, Any, Literal, cast

import orjson
import structlog

from fastagi_server.telemetry.measures import Counter

Format = Literal["auto", "json", "console"]

BUFFER_LINES = 10_000
"""Lines that may wait for the writer: some seconds of the highest call rate."""

FLUSH_SECONDS = 0.05

CLOSE_SECONDS = 1.0
"""How long the end of the program waits for a reader that does not read."""


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
            _write_all(self._descriptor, chunk)


class _Logger:
    """What structlog calls at the end of its chain: takes the finished line."""

    __slots__ = ("_writer",)

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, line: bytes) -> None:
        self._writer.write(line)

    def urgent(self, line: bytes) -> None:
        self._writer.write(line, urgent=True)

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
            _complete,
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


def _complete(
    _logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add level and time; structlog's own processors for it cost a call a third more."""
    event["level"] = method
    now = time.time()
    second = int(now)
    event["timestamp"] = f"{_second_text(second)}.{int((now - second) * 1e6):06d}Z"
    return event


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


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError:  # nobody reads any more: there is no place left to say so
            return
