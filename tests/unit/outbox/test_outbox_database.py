"""Opening the file: private, sound, and refused in words when it is not an outbox."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from fastagi_server.outbox.database import open_database
from fastagi_server.outbox.errors import OutboxUnusableError, OutboxWriteError, of_sqlite


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """The value of a pragma."""
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value


def test_new_file_is_private_and_durable(tmp_path: Path) -> None:
    """A new outbox belongs to its user alone and flushes every commit to the disk."""
    path = tmp_path / "made" / "outbox.db"
    connection = open_database(path)
    connection.execute("UPDATE tally SET pending = 0")
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    connection.close()


def test_mode_of_an_existing_file_is_corrected(tmp_path: Path) -> None:
    """A file that everybody could read is made private when it is opened."""
    path = tmp_path / "outbox.db"
    open_database(path).close()
    path.chmod(0o644)
    open_database(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_entries_are_still_there_after_reopening(tmp_path: Path) -> None:
    """Opening an outbox does not touch what it holds."""
    path = tmp_path / "outbox.db"
    connection = open_database(path)
    connection.execute("INSERT INTO registered_calls VALUES ('queued-1', 'c1', 1.0)")
    connection.close()
    again = open_database(path)
    assert again.execute("SELECT call_id FROM registered_calls").fetchall() == [("c1",)]
    again.close()


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A file that is no database is named as such and left as it is."""
    path = tmp_path / "outbox.db"
    path.write_bytes(b"these are my notes, not a database " * 100)
    with pytest.raises(OutboxUnusableError, match="not an SQLite database"):
        open_database(path)
    assert path.read_bytes().startswith(b"these are my notes")


def test_other_database_is_refused(tmp_path: Path) -> None:
    """A database that is no outbox is not written to."""
    path = tmp_path / "outbox.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(OutboxUnusableError, match="not an outbox"):
        open_database(path)


def test_newer_version_is_refused(tmp_path: Path) -> None:
    """An outbox written by a later release is not guessed at."""
    path = tmp_path / "outbox.db"
    connection = open_database(path)
    connection.execute("UPDATE schema_version SET version = 2")
    connection.close()
    with pytest.raises(OutboxUnusableError, match="another version"):
        open_database(path)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    """Damage in the middle of the file is found when it is opened, not in the middle of a call."""
    path = tmp_path / "outbox.db"
    connection = open_database(path)
    for number in range(200):
        connection.execute(
            "INSERT INTO registered_calls VALUES (?, ?, 1.0)", (f"queued-{number}", "c" * 100)
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096 * 8 :] = os.urandom(len(content) - 4096 * 8)
    path.write_bytes(content)
    with pytest.raises(OutboxUnusableError, match="damaged"):
        open_database(path)


def test_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """What is no file is said to be none."""
    with pytest.raises(OutboxUnusableError, match="not a regular file"):
        open_database(tmp_path)


def test_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """Nobody makes us write somewhere else by a symbolic link."""
    (tmp_path / "outbox.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutboxUnusableError, match="not a regular file"):
        open_database(tmp_path / "outbox.db")


def test_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    """A path that cannot exist is an error of ours, not of the operating system."""
    (tmp_path / "file").touch()
    with pytest.raises(OutboxUnusableError, match="file"):
        open_database(tmp_path / "file" / "outbox.db")


@pytest.mark.parametrize(
    ("code", "type_", "words"),
    [
        (sqlite3.SQLITE_FULL, OutboxWriteError, "disk is full"),
        (sqlite3.SQLITE_READONLY_DBMOVED, OutboxWriteError, "read-only"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, OutboxWriteError, "locked"),
        (sqlite3.SQLITE_IOERR_FSYNC, OutboxWriteError, "disk failed"),
        (sqlite3.SQLITE_CORRUPT, OutboxUnusableError, "damaged"),
        (sqlite3.SQLITE_CONSTRAINT, OutboxWriteError, "SQLite failed"),
    ],
)
def test_errors_of_sqlite_are_put_in_words(code: int, type_: type[Exception], words: str) -> None:
    """Extended codes are understood, and operators read what happened."""
    error = sqlite3.OperationalError("the library's words")
    error.sqlite_errorcode = code
    mapped = of_sqlite(error)
    assert type(mapped) is type_
    assert words in str(mapped)
    assert mapped.code == "outbox_failed"
