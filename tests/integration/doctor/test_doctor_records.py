"""The doctor on the store and the outbox: not made, behind, ahead, locked, away, with letters."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from doctor_case import found, port_of, settings_of, silent_socket, told

from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.registration.models import Registration
from fastagi_server.store.database import find_place
from fastagi_server.store.migrating import HEAD, bring_up_to_date
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration("pbx", "17.4", "", "", "", "", "", "", ("SIP/1001",), "audio")
LONG_AGO = 1_700_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a store with tables that are up to date."""
    path = tmp_path / "sge.sqlite3"
    bring_up_to_date(find_place(f"sqlite:///{path}"))
    return path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else who uses it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        yield opened


async def store(folder: Path, **given: object) -> tuple[str, str]:
    """Level and reason of what is found of the store."""
    ((level, why),) = told(await found(settings_of(folder, **given), "store"), "store")
    return level, why


@pytest.mark.usefixtures("file")
async def test_well(tmp_path: Path) -> None:
    """Up to date, and nobody is in the way."""
    assert await store(tmp_path) == ("ok", f"can be written; its tables are at step {HEAD}")


async def test_not_made(tmp_path: Path) -> None:
    """There is none yet, and looking makes none."""
    path = tmp_path / "sge.sqlite3"
    assert await store(tmp_path) == ("warn", f"{path} is not there yet; the service makes it")
    assert not path.exists()


async def test_no_tables(tmp_path: Path) -> None:
    """A file without tables."""
    (tmp_path / "sge.sqlite3").touch()
    assert await store(tmp_path) == ("warn", "has no tables yet; the service makes them")


@pytest.mark.parametrize(
    ("step", "level", "why"),
    [
        ("0001", "warn", f"its tables are at step 0001, not {HEAD}"),
        ("9999", "fail", f"its tables are at step 9999, and this version knows {HEAD}"),
    ],
)
async def test_other_step(
    tmp_path: Path, connection: sqlite3.Connection, step: str, level: str, why: str
) -> None:
    """Tables of an older version are brought up to date; those of a newer one are not ours."""
    connection.execute("UPDATE alembic_version SET version_num = ?", (step,))
    assert await store(tmp_path) == (level, why)


async def test_locked(tmp_path: Path, connection: sqlite3.Connection) -> None:
    """Somebody keeps others from writing."""
    connection.execute("BEGIN IMMEDIATE")
    level, why = await store(tmp_path)
    assert level == "fail"
    assert why.startswith("locked, or busy: database is locked")


async def test_no_database(tmp_path: Path) -> None:
    """A file that is none."""
    (tmp_path / "sge.sqlite3").write_text("not a database" * 100)
    level, why = await store(tmp_path)
    assert level == "fail"
    assert why.startswith("file is not a database")


async def test_postgresql_that_is_away(tmp_path: Path) -> None:
    """Nobody listens; the password is not told."""
    url = "postgresql://user:hidden-password@127.0.0.1:1/calls"
    level, why = await store(tmp_path, fastagi_database_url=url)
    assert level == "fail"
    assert "hidden-password" not in why


async def test_postgresql_that_hangs(tmp_path: Path) -> None:
    """It takes the connection and says nothing."""
    with silent_socket() as listener:
        url = f"postgresql://user:hidden-password@127.0.0.1:{port_of(listener)}/calls"
        level, why = await store(tmp_path, fastagi_database_url=url)
    assert level == "fail"
    assert "hidden-password" not in why


async def test_remote_store(tmp_path: Path) -> None:
    """With a remote API there is none here."""
    remote = await store(tmp_path, sge_api_url="http://127.0.0.1:1")
    assert remote == ("ok", "the remote SGE API keeps the records")


async def test_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is counted; what was given up, or waits for long, is worth a look."""
    path = tmp_path / "outbox.sqlite3"
    settings = settings_of(tmp_path)
    assert told(await found(settings, "store"), "outbox") == [("ok", "nothing has waited yet")]
    async with open_outbox(path, measures=Measures()) as outbox:
        monkeypatch.setattr(outbox, "_clock", lambda: LONG_AGO)
        await outbox.append(REGISTRATION)
        ((level, why),) = told(await found(settings, "store"), "outbox")
        assert (level, why.partition(",")[0]) == ("warn", "1 wait")
        (entry,) = (await outbox.backlog(1)).due
        await outbox.died(entry, "request_refused")
    assert told(await found(settings, "store"), "outbox") == [
        ("warn", "1 registrations were given up")
    ]


async def test_outbox_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is none."""
    (tmp_path / "outbox.sqlite3").write_text("not a database" * 100)
    ((level, why),) = told(await found(settings_of(tmp_path), "store"), "outbox")
    assert level == "fail"
    assert why.endswith("cannot be read: file is not a database")
