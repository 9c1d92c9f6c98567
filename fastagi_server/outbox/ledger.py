"""What is done to the tables: functions of a connection, each within somebody's transaction.

Instants are seconds since the epoch, so that they mean the same after a restart.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from fastagi_server.outbox.errors import OutboxFullError
from fastagi_server.registration.documents import DocumentError, from_document
from fastagi_server.registration.models import Statement, provisional_call_id
from fastagi_server.registration.ports import Backlog, Entry, Standing

REMEMBERED_SECONDS = 86_400.0
REMEMBERED_LIMIT = 100_000
LONGEST_DELAY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Letter:
    """An entry as operators see it; `code` says why the last attempt failed, or why it died."""

    number: int
    kind: str
    key: str
    attempts: int
    age_seconds: float
    code: str
    document: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much there is, and the age of the oldest entry that waits (0 when none does)."""

    pending: int
    dead: int
    oldest_seconds: float
    remembered_calls: int


def append(
    connection: sqlite3.Connection, kind: str, key: str, document: str, now: float, limit: int
) -> bool:
    """Add an entry behind the others of its call; False when one of its kind waits already."""
    if _tally(connection)[0] >= limit:
        raise OutboxFullError(f"{limit} entries wait already")
    call = provisional_call_id(key)
    cursor = connection.execute(
        "INSERT INTO entries (call, kind, key, document, created_at, due_at, head)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5, NOT EXISTS (SELECT 1 FROM entries WHERE call = ?1))"
        " ON CONFLICT (call, kind) DO NOTHING",
        (call, kind, key, document, now),
    )
    return cursor.rowcount == 1


def standing(connection: sqlite3.Connection, call: str) -> Standing:
    """What is known about a call."""
    waits, call_id = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM entries WHERE call = ?1),"
        " (SELECT call_id FROM registered_calls WHERE call = ?1)",
        (call,),
    ).fetchone()
    return Standing(waits=bool(waits), call_id=call_id)


def backlog(connection: sqlite3.Connection, now: float, limit: int) -> Backlog:
    """The heads that are due, those due first first, and the figures."""
    rows = connection.execute(
        "SELECT number, kind, key, document, attempts, created_at,"
        " (SELECT call_id FROM registered_calls WHERE registered_calls.call = entries.call)"
        " FROM entries WHERE head = 1 AND due_at <= ? ORDER BY due_at, number LIMIT ?",
        (now, limit),
    ).fetchall()
    (next_due_at,) = connection.execute(
        "SELECT min(due_at) FROM entries WHERE head = 1 AND due_at > ?", (now,)
    ).fetchone()
    pending, dead = _tally(connection)
    return Backlog(
        due=tuple(
            Entry(number, kind, key, _read(document), call_id, attempts, _age(created_at, now))
            for number, kind, key, document, attempts, created_at, call_id in rows
        ),
        next_due_seconds=None if next_due_at is None else next_due_at - now,
        pending=pending,
        dead=dead,
        oldest_seconds=_oldest_age(connection, now),
    )


def deliver(connection: sqlite3.Connection, entry: Entry, call_id: str, now: float) -> None:
    """Forget `entry`, let the next one of its call follow, remember the call's id."""
    _remove(connection, entry.number, provisional_call_id(entry.key), now)
    connection.execute(
        "INSERT INTO registered_calls (call, call_id, used_at) VALUES (?, ?, ?)"
        " ON CONFLICT (call) DO UPDATE SET call_id = excluded.call_id, used_at = excluded.used_at",
        (provisional_call_id(entry.key), call_id, now),
    )


def postpone(connection: sqlite3.Connection, number: int, due_at: float, code: str) -> None:
    """Offer an entry again at `due_at`, with one more attempt counted."""
    connection.execute(
        "UPDATE entries SET due_at = ?, attempts = attempts + 1, code = ? WHERE number = ?",
        (due_at, code, number),
    )


def bury(connection: sqlite3.Connection, entry: Entry, code: str, now: float, limit: int) -> int:
    """Make `entry` a dead letter; how many of the oldest beyond `limit` were lost for it."""
    connection.execute(
        "INSERT INTO dead_letters (call, kind, key, document, created_at, attempts, code)"
        " SELECT call, kind, key, document, created_at, attempts + 1, ? FROM entries"
        " WHERE number = ?",
        (code, entry.number),
    )
    _remove(connection, entry.number, provisional_call_id(entry.key), now)
    excess = _tally(connection)[1] - limit
    if excess <= 0:
        return 0
    connection.execute(
        "DELETE FROM dead_letters WHERE number IN"
        " (SELECT number FROM dead_letters ORDER BY number LIMIT ?)",
        (excess,),
    )
    return excess


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Forget calls nobody asked for, and delays that a clock set back has made absurd."""
    connection.execute(
        "DELETE FROM registered_calls WHERE used_at <= ? OR call IN"
        " (SELECT call FROM registered_calls ORDER BY used_at DESC LIMIT -1 OFFSET ?)",
        (now - REMEMBERED_SECONDS, REMEMBERED_LIMIT),
    )
    connection.execute(
        "UPDATE entries SET due_at = ?1 WHERE head = 1 AND due_at > ?2",
        (now, now + LONGEST_DELAY_SECONDS),
    )


def pending_letters(connection: sqlite3.Connection, now: float, limit: int) -> list[Letter]:
    """Entries that wait, oldest first."""
    return _letters(
        connection.execute(
            "SELECT number, kind, key, attempts, created_at, code, document FROM entries"
            " ORDER BY number LIMIT ?",
            (limit,),
        ),
        now,
    )


def dead_letters(connection: sqlite3.Connection, now: float, limit: int) -> list[Letter]:
    """Entries given up, those first that died first."""
    return _letters(
        connection.execute(
            "SELECT number, kind, key, attempts, created_at, code, document FROM dead_letters"
            " ORDER BY number LIMIT ?",
            (limit,),
        ),
        now,
    )


def retry(
    connection: sqlite3.Connection, numbers: Sequence[int] | None, now: float, limit: int
) -> int:
    """Let dead letters, all of them for None, wait again as if new; how many did."""
    retried = 0
    for number, kind, key, document in connection.execute(
        "SELECT number, kind, key, document FROM dead_letters ORDER BY number"
    ).fetchall():
        if numbers is None or number in numbers:
            append(connection, kind, key, document, now, limit)
            retried += drop(connection, [number])
    return retried


def drop(connection: sqlite3.Connection, numbers: Sequence[int] | None) -> int:
    """Delete dead letters, all of them for None; how many there were."""
    if numbers is None:
        return connection.execute("DELETE FROM dead_letters").rowcount
    return sum(
        connection.execute("DELETE FROM dead_letters WHERE number = ?", (number,)).rowcount
        for number in numbers
    )


def statistics(connection: sqlite3.Connection, now: float) -> Statistics:
    """See `Statistics`."""
    pending, dead = _tally(connection)
    (remembered,) = connection.execute("SELECT count(*) FROM registered_calls").fetchone()
    return Statistics(pending, dead, _oldest_age(connection, now), remembered)


def _remove(connection: sqlite3.Connection, number: int, call: str, now: float) -> None:
    connection.execute("DELETE FROM entries WHERE number = ?", (number,))
    connection.execute(
        "UPDATE entries SET head = 1, due_at = ?2"
        " WHERE number = (SELECT min(number) FROM entries WHERE call = ?1) AND head = 0",
        (call, now),
    )


def _tally(connection: sqlite3.Connection) -> tuple[int, int]:
    pending, dead = connection.execute("SELECT pending, dead FROM tally").fetchone()
    return pending, dead


def _oldest_age(connection: sqlite3.Connection, now: float) -> float:
    row = connection.execute("SELECT created_at FROM entries ORDER BY number LIMIT 1").fetchone()
    return 0.0 if row is None else _age(row[0], now)


def _age(created_at: float, now: float) -> float:
    return max(now - created_at, 0.0)


def _read(document: str) -> Statement | None:
    try:
        return from_document(document)
    except DocumentError:
        return None


def _letters(cursor: sqlite3.Cursor, now: float) -> list[Letter]:
    return [
        Letter(number, kind, key, attempts, _age(created_at, now), code, document)
        for number, kind, key, attempts, created_at, code, document in cursor
    ]
