"""Errors of the driver in the words of the store."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from fastagi_server.store.errors import (
    StoreBusyError,
    StoreError,
    StoreUnavailableError,
    from_driver,
)


def driver_error(name: str, text: str) -> OperationalError:
    """An error as SQLAlchemy wraps one of the sqlite3 module."""
    cause = sqlite3.OperationalError(text)
    cause.sqlite_errorname = name
    return OperationalError("SELECT secret", {"key": "secret"}, cause)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("SQLITE_BUSY", "database is locked", StoreBusyError),
        ("SQLITE_BUSY_SNAPSHOT", "database is locked", StoreBusyError),
        ("SQLITE_LOCKED", "database table is locked", StoreBusyError),
        ("SQLITE_FULL", "database or disk is full", StoreUnavailableError),
        ("SQLITE_READONLY", "attempt to write a readonly database", StoreUnavailableError),
        ("SQLITE_CORRUPT", "database disk image is malformed", StoreUnavailableError),
        ("SQLITE_IOERR", "disk I/O error", StoreUnavailableError),
    ],
)
def test_kinds_of_trouble(name: str, text: str, kind: type[StoreError]) -> None:
    """A lock may be gone at the next try; a full or damaged disk will not."""
    error = from_driver(driver_error(name, text))
    assert type(error) is kind
    assert name in str(error)
    assert "secret" not in str(error)


def test_error_without_a_name() -> None:
    """What the sqlite3 module raises by itself has no name and is no lock."""
    error = from_driver(OperationalError("", {}, sqlite3.InterfaceError("bad parameter")))
    assert str(error) == "bad parameter (InterfaceError)"


def test_error_of_another_driver() -> None:
    """Another driver's text may hold values, so only its type is told."""
    error = from_driver(OperationalError("", {}, RuntimeError("row with secret")))
    assert str(error) == "RuntimeError"
