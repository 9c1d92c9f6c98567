"""The file of the outbox: its schema, and how it is opened.

The journal is written ahead (WAL) with `synchronous=FULL`: a commit returns when it is on the
disk, and readers never wait for writers. The file and its companions belong to their user alone,
because entries hold the numbers and names of callers.

`entries` wait for delivery. The first entry of a call that waits is its head, and only heads are
delivered, which is what keeps the order of a call. `call` is the provisional call id everywhere.
"""

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

from fastagi_server.outbox.errors import OutboxUnusableError, of_sqlite

SCHEMA_VERSION = 1
BUSY_SECONDS = 2.0
WAL_LIMIT_BYTES = 16_777_216

_SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
INSERT INTO schema_version VALUES (1);

CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    head INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_call ON entries (call, kind);
CREATE UNIQUE INDEX heads_by_call ON entries (call) WHERE head = 1;
CREATE INDEX heads_by_due ON entries (due_at, number) WHERE head = 1;

CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL
) STRICT;

CREATE TABLE registered_calls (
    call TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    used_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX registered_calls_by_use ON registered_calls (used_at);

CREATE TABLE tally (pending INTEGER NOT NULL, dead INTEGER NOT NULL) STRICT;
INSERT INTO tally VALUES (0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entries
    BEGIN UPDATE tally SET pending = pending + 1; END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries
    BEGIN UPDATE tally SET pending = pending - 1; END;
CREATE TRIGGER letter_added AFTER INSERT ON dead_letters
    BEGIN UPDATE tally SET dead = dead + 1; END;
CREATE TRIGGER letter_removed AFTER DELETE ON dead_letters
    BEGIN UPDATE tally SET dead = dead - 1; END;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the outbox at `path`, made anew when there is none, and check that it is sound.

    The connection commits by hand and may be used by another thread than the caller's, by one at
    a time. Blocks for `BUSY_SECONDS` at most for locks of other processes. Raises `OutboxError`.
    """
    try:
        _prepare_file(path)
    except OSError as error:
        raise OutboxUnusableError(f"{path}: {error.strerror}") from error
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _configure(connection)
            _install_schema(connection)
            _check(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        mapped = of_sqlite(error)
        raise type(mapped)(f"{path}: {mapped}") from error
    except OutboxUnusableError as error:
        raise OutboxUnusableError(f"{path}: {error}") from error
    return connection


def _prepare_file(path: Path) -> None:
    """See that the file exists and is private.

    An existing file is not opened here: closing it would drop the locks that SQLite holds on it
    elsewhere in this process (POSIX locks belong to the process, not to the descriptor).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise OutboxUnusableError(f"{path} is not a regular file") from None
        if stat.S_IMODE(mode) != 0o600:  # noqa: PLR2004 - the mode the docstring promises
            path.chmod(0o600)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _configure(connection: sqlite3.Connection) -> None:
    _enter_wal_mode(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    connection.execute("PRAGMA trusted_schema = OFF")


def _enter_wal_mode(connection: sqlite3.Connection) -> None:
    """The one step for which SQLite does not wait: several processes may start together."""
    patience_ends_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= patience_ends_at:
                raise
            time.sleep(0.01)
        else:
            return


def _install_schema(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with closing(connection.execute("SELECT count(*) FROM sqlite_schema")) as cursor:
        empty = cursor.fetchone() == (0,)
    if empty:
        for statement in _statements():
            connection.execute(statement)
    connection.execute("COMMIT")
    try:
        versions = connection.execute("SELECT version FROM schema_version").fetchall()
    except sqlite3.OperationalError:
        raise OutboxUnusableError("a database, but not an outbox") from None
    if versions != [(SCHEMA_VERSION,)]:
        raise OutboxUnusableError(f"an outbox of another version: {versions}")


def _statements() -> list[str]:
    """The statements of the schema, for execution inside a transaction of ours."""
    statements: list[str] = []
    text = ""
    for line in _SCHEMA.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements


def _check(connection: sqlite3.Connection) -> None:
    findings = connection.execute("PRAGMA quick_check(1)").fetchall()
    if findings != [("ok",)]:
        raise OutboxUnusableError(f"the file is damaged: {findings[0][0]}")
