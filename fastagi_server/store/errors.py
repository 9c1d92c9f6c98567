"""What the store raises, and how a driver's error becomes it.

    StoreError
    ├── StoreBusyError          a queue or a lock was held for too long; trying again may help
    └── StoreUnavailableError   the disk is full, read-only or damaged, or the store is closed

A transaction whose outcome its caller did not wait for may still have been committed: a request
that matters carries an idempotency key.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError


class StoreError(Exception):
    """Root of everything the store raises by itself."""


class StoreBusyError(StoreError):
    """A limit or a deadline was reached before the transaction could run."""


class StoreUnavailableError(StoreError):
    """The database cannot be read or written, and trying again at once will not help."""


def from_driver(error: DBAPIError) -> StoreError:
    """The store's error for a driver's; SQL and values stay out of the message."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # Errors that the sqlite3 module raises by itself carry no name.
        name = getattr(cause, "sqlite_errorname", type(cause).__name__)
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreBusyError(f"database is locked ({name})")
        return StoreUnavailableError(f"{cause} ({name})")
    return StoreUnavailableError(type(cause).__name__)
