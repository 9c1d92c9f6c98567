"""The token or key that every request carries: held here, shown nowhere.

A token that lives an hour is renewed by writing its file anew, so a file is read again when it
has changed; systemd credentials are files as well. Looking at the file costs a `stat`, at most
once a second, on the event loop's thread: it is a local file.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import structlog

from fastagi_server.sge.errors import CredentialError

log = structlog.get_logger()

Scheme = Literal["bearer", "api_key"]
Header = tuple[bytes, bytes]

SIZE_LIMIT_BYTES = 16_384
LOOK_EVERY_SECONDS = 1.0

_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Credentials(Protocol):
    """Where the client takes its header from."""

    def header(self) -> Header | None:
        """The header to send, or None when the API asks for none."""
        ...

    def changed(self) -> bool:
        """Look again at once, because the API refused the header; True when it is another now."""
        ...


def open_credentials(
    scheme: Scheme, *, value: str | None = None, path: Path | None = None
) -> Credentials:
    """The credential of `scheme` from a file, else from a value, else none at all.

    `bearer` goes into `Authorization`, `api_key` into `X-API-Key`. Raises `CredentialError` when
    it cannot be read or does not fit in a header.
    """
    if path is not None:
        return FileCredentials(scheme, path)
    return FixedCredentials(_header(scheme, value) if value else None)


class FixedCredentials:
    """A credential that does not change while the program runs."""

    def __init__(self, header: Header | None) -> None:
        self._header = header

    def __repr__(self) -> str:
        return "FixedCredentials(***)"

    def header(self) -> Header | None:
        """See `Credentials`."""
        return self._header

    def changed(self) -> bool:
        """Never."""
        return False


class FileCredentials:
    """A credential in a file of its own, read again when the file has changed.

    A file that is missing, empty or unreadable for a moment, as while it is replaced, leaves the
    last credential in use and a line in the log.
    """

    def __init__(
        self, scheme: Scheme, path: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scheme: Scheme = scheme
        self._path = path
        self._clock = clock
        self._seen = self._identity()
        self._header = self._read()
        self._looked_at = clock()

    def __repr__(self) -> str:
        return f"FileCredentials({str(self._path)!r}, ***)"

    def header(self) -> Header | None:
        """See `Credentials`."""
        if self._clock() - self._looked_at >= LOOK_EVERY_SECONDS:
            self._look()
        return self._header

    def changed(self) -> bool:
        """See `Credentials`; reads the file even if it looks the same."""
        before = self._header
        self._seen = (0, 0, 0)
        self._look()
        return self._header != before

    def _look(self) -> None:
        self._looked_at = self._clock()
        try:
            seen = self._identity()
            if seen != self._seen:
                self._header = self._read()
                self._seen = seen
        except CredentialError as error:
            log.warning("credential_unreadable", reason=str(error))

    def _identity(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise CredentialError(f"{self._path}: {error.strerror}") from error
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> Header:
        try:
            with self._path.open("rb") as file:
                content = file.read(SIZE_LIMIT_BYTES + 1)
        except OSError as error:
            raise CredentialError(f"{self._path}: {error.strerror}") from error
        if len(content) > SIZE_LIMIT_BYTES:
            raise CredentialError(f"{self._path} is too large for a credential")
        try:
            return _header(self._scheme, content.decode("ascii"))
        except (CredentialError, UnicodeDecodeError):
            raise CredentialError(f"{self._path} holds no usable credential") from None


def _header(scheme: Scheme, secret: str) -> Header:
    secret = secret.strip()
    if not _VISIBLE.fullmatch(secret):
        raise CredentialError("a credential must be visible ASCII characters without spaces")
    if scheme == "bearer":
        return b"Authorization", b"Bearer " + secret.encode("ascii")
    return b"X-API-Key", secret.encode("ascii")
