"""Errors of the driver in the words of the store."""

import sqlite3

import pytest

from fastagi_server.store.errors import (
    StoreBusyError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from fastagi_server.store.sqlite import explain


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("SQLITE_BUSY", "database is locked", StoreBusyError),
        ("SQLITE_BUSY_SNAPSHOT", "database is locked", StoreBusyError),
        ("SQLITE_LOCKED", "database table is locked", StoreBusyError),
        ("SQLITE_ERROR", "no such table: calls", StoreRefusedError),
        ("SQLITE_FULL", "database or disk is full", StoreUnavailableError),
        ("SQLITE_READONLY", "attempt to write a readonly database", StoreUnavailableError),
        ("SQLITE_CORRUPT", "database disk image is malformed", StoreUnavailableError),
        ("SQLITE_IOERR", "disk I/O error", StoreUnavailableError),
    ],
)
def test_kinds_of_trouble(name: str, text: str, kind: type[StoreError]) -> None:
    """A lock may be gone at the next try; a full or damaged disk will not."""
    cause = sqlite3.OperationalError(text)
    cause.sqlite_errorname = name
    error = explain(cause)
    assert type(error) is kind
    assert str(error) == f"{text} ({name})"


def test_row_that_does_not_fit() -> None:
    """A row that breaks a constraint is refused alone."""
    cause = sqlite3.IntegrityError("UNIQUE constraint failed: calls.id")
    cause.sqlite_errorname = "SQLITE_CONSTRAINT_PRIMARYKEY"
    assert type(explain(cause)) is StoreRefusedError


def test_error_without_a_name() -> None:
    """What the sqlite3 module raises by itself has no name and is no lock."""
    error = explain(sqlite3.ProgrammingError("Cannot operate on a closed database."))
    assert type(error) is StoreUnavailableError
    assert str(error) == "Cannot operate on a closed database. (ProgrammingError)"
