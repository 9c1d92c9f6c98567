"""A file that is read again when it has changed.

Keys are rolled over and operators leave while the program runs. Looking costs a `stat`, at most
once a second, on the event loop's thread: these are small local files.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from fastagi_server.trust.errors import TrustError

T = TypeVar("T")

SIZE_LIMIT_BYTES = 256 * 1024
LOOK_EVERY_SECONDS = 1.0

_log = structlog.stdlib.get_logger("trust")


class WatchedFile(Generic[T]):
    """What `parse` makes of the file's content, at most a second old.

    A file that is missing, unreadable or wrong for a moment, as while it is replaced, leaves the
    last value in use and a line in the log; at the start it raises TrustError. `parse` raises
    ValueError.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[bytes], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._parse = parse
        self._clock = clock
        self._seen = self._identity()
        self._value = self._read()
        self._looked_at = clock()

    def value(self) -> T:
        """The present value."""
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_SECONDS:
            self._looked_at = now
            self._look()
        return self._value

    def _look(self) -> None:
        try:
            seen = self._identity()
            if seen == self._seen:
                return
            # Before reading: a file that stays wrong is complained about once.
            self._seen = seen
            self._value = self._read()
        except TrustError as error:
            _log.warning("trusted_file_unreadable", reason=str(error))
        else:
            _log.info("trusted_file_read_again", path=str(self._path))

    def _identity(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise TrustError(f"{self._path}: {error.strerror}") from error
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> T:
        try:
            with self._path.open("rb") as file:
                content = file.read(SIZE_LIMIT_BYTES + 1)
        except OSError as error:
            raise TrustError(f"{self._path}: {error.strerror}") from error
        if len(content) > SIZE_LIMIT_BYTES:
            raise TrustError(f"{self._path} has more than {SIZE_LIMIT_BYTES} bytes")
        try:
            return self._parse(content)
        except ValueError as error:
            raise TrustError(f"{self._path}: {error}") from None
