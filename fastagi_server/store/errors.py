"""What the store raises.

    StoreError
    ├── StoreBusyError          a queue or a lock was held for too long; trying again may help
    ├── StoreUnavailableError   the disk is full, read-only or damaged, the server is away, or the
    │                           store is closed
    └── StoreRefusedError       the database does not take this statement or this row
        └── StoreConflictError  another transaction was first; the same work may succeed now

A transaction whose outcome its caller did not wait for may still have been committed: a request
that matters carries an idempotency key.
"""


class StoreError(Exception):
    """Root of everything the store raises by itself."""


class StoreBusyError(StoreError):
    """A limit or a deadline was reached before the transaction could run."""


class StoreUnavailableError(StoreError):
    """The database cannot be read or written, and trying again at once will not help."""


class StoreRefusedError(StoreError):
    """A statement or a row does not fit the tables; the rest of the transaction does."""


class StoreConflictError(StoreRefusedError):
    """Another transaction got in the way of this one, which was taken back as a whole."""
