"""Where finished log lines go: an open descriptor, or a file that may be rotated and may fill up.

Used by the writer's thread alone, so that waiting here holds up nobody.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from fastagi_server.telemetry.measures import Counter

RETRY_SECONDS = 1.0
"""After a file could not be written, before it is tried again."""

MODE = 0o640
"""Of a new file: its group may read, such as Debian's `adm`."""

_DIVERTED = "log_file_line"
_log = structlog.stdlib.get_logger("logs")


class Sink(Protocol):
    """Takes whole lines; never raises."""

    def write(self, lines: bytes) -> None:
        """Write lines, each with its newline."""
        ...


class Descriptor:
    """A sink that somebody else opened and closes, such as standard error."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, lines: bytes) -> None:
        """Write all, or give up what nobody reads any more: no place is left to say so."""
        view = memoryview(lines)
        while view:
            try:
                view = view[os.write(self._number, view) :]
            except OSError:
                return


class LogFile:
    """A sink that appends to the file at `path`, made when it is not there.

    A file that was renamed or deleted is noticed before the next lines, which go into a new one: no
    signal is needed to rotate it. While it cannot be written, lines go to `fallback` instead, which
    is said once, and are counted in `drops` under "log_file_line"; the file is tried again every
    second. A line is never torn between the two, nor joined with the rest of an earlier one.
    """

    def __init__(
        self,
        path: Path,
        *,
        fallback: Sink,
        drops: Counter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._fallback = fallback
        self._drops = drops
        self._clock = clock
        self._descriptor: int | None = None
        self._retry_at: float | None = None
        self._is_torn = False
        # A series that is there from the start is not added by this thread while another counts.
        drops.add(_DIVERTED, amount=0.0)

    def write(self, lines: bytes) -> None:
        """Write to the file, or what it does not take to the fallback."""
        is_resting = self._retry_at is not None and self._clock() < self._retry_at
        left = lines if is_resting else self._append(lines)
        if left:
            self._drops.add(_DIVERTED, amount=float(left.count(b"\n")))
            self._fallback.write(left)

    def close(self) -> None:
        """Close the file; a later `write` opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, lines: bytes) -> bytes:
        """The lines that the file did not take whole."""
        written = 0
        try:
            descriptor = self._opened()
            if self._is_torn:
                os.write(descriptor, b"\n")
                self._is_torn = False
            while written < len(lines):
                written += os.write(descriptor, lines[written:])
        except OSError as error:
            whole = lines.rfind(b"\n", 0, written) + 1
            self._is_torn = self._is_torn or whole < written
            self._failed(error)
            return lines[whole:]
        self._succeeded()
        return b""

    def _opened(self) -> int:
        if self._descriptor is not None and not self._is_current(self._descriptor):
            self.close()
            self._is_torn = False
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._descriptor

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        try:
            descriptor = os.open(self._path, flags | os.O_EXCL, MODE)
        except FileExistsError:
            return os.open(self._path, flags, MODE)
        os.fchmod(descriptor, MODE)  # the mask of a hardened service would keep operators out
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        """Whether the path still names the file that is open."""
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    def _failed(self, error: OSError) -> None:
        is_first = self._retry_at is None
        self._retry_at = self._clock() + RETRY_SECONDS
        if is_first:
            _log.error("log_file_unwritable", path=str(self._path), reason=error.strerror)

    def _succeeded(self) -> None:
        if self._retry_at is not None:
            self._retry_at = None
            _log.warning("log_file_writable_again", path=str(self._path))
