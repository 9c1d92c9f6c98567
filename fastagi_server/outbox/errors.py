"""What may go wrong with the outbox.

    registration.ports.OutboxError
    ├── OutboxFullError        as many entries as may be; nothing was written
    ├── OutboxUnusableError    the file is damaged, of a newer version, or may not be opened
    └── OutboxWriteError       it cannot be written at the moment: disk full, read-only, busy

Errors of SQLite are mapped here and nowhere else.
"""

import sqlite3

from fastagi_server.registration import codes
from fastagi_server.registration.ports import OutboxError

_PRIMARY_CODE = 0xFF


class OutboxFullError(OutboxError):
    """The outbox holds as many entries as it may."""

    code = codes.OUTBOX_FULL


class OutboxUnusableError(OutboxError):
    """The file cannot serve as an outbox; somebody has to look at it."""


class OutboxWriteError(OutboxError):
    """The outbox cannot be written (or read) at the moment."""


_UNUSABLE = {
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "the file may not be opened",
}
_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file is read-only",
    sqlite3.SQLITE_BUSY: "another process holds it locked",
    sqlite3.SQLITE_IOERR: "the disk failed",
}


def of_sqlite(error: sqlite3.Error) -> OutboxError:
    """The error of this package that `error` of SQLite stands for."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    if code in _UNUSABLE:
        return OutboxUnusableError(f"{_UNUSABLE[code]} ({error})")
    return OutboxWriteError(f"{_UNWRITABLE.get(code, 'SQLite failed')} ({error})")
