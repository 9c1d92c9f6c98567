"""What the store raises, and how a driver's error becomes it.

    StoreError
    ├── StoreBusyError          a queue or a lock was held for too long; trying again may help
    ├── StoreUnavailableError   the disk is full, read-only or damaged, or the store is closed
    └── StoreRefusedError       the database does not take this statement or this row

A transaction whose outcome its caller did not wait for may still have been committed: a request
that matters carries an idempotency key.
"""

import sqlite3


class StoreError(Exception):
    """Root of everything the store raises by itself."""


class StoreBusyError(StoreError):
    """A limit or a deadline was reached before the transaction could run."""


class StoreUnavailableError(StoreError):
    """The database cannot be read or written, and trying again at once will not help."""


class StoreRefusedError(StoreError):
    """A statement or a row does not fit the tables; the rest of the transaction does."""


def from_driver(error: sqlite3.Error) -> StoreError:
    """The store's error for a driver's; no values are in the message."""
    # Errors that the sqlite3 module raises by itself carry no name.
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    message = f"{error} ({name})"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError(message)
    if isinstance(error, sqlite3.IntegrityError) or name == "SQLITE_ERROR":
        return StoreRefusedError(message)
    return StoreUnavailableError(message)
