"""The commands for the database, as an operator runs them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastagi_server.cli import main
from fastagi_server.store.database import find_place
from fastagi_server.store.migrating import HEAD


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, and no settings file."""
    for name in ("FASTAGI_CONFIG", "SGE_API_URL", "FASTAGI_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FASTAGI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def run(*words: str) -> Result:
    """Run the program with these words."""
    return CliRunner().invoke(main, words)


def test_check_and_upgrade() -> None:
    """A database is behind until it was upgraded, and then it is not."""
    before = run("store", "check")
    assert before.output == f"the tables are at nothing; this version needs {HEAD}\n"
    assert before.exit_code == 1
    upgrade = run("store", "upgrade")
    assert upgrade.output == f"the tables were at nothing and are at {HEAD} now\n"
    assert upgrade.exit_code == 0
    assert run("store", "upgrade").output == f"the tables are at {HEAD} already\n"
    after = run("store", "check")
    assert after.output == f"the tables are at {HEAD}; this version needs {HEAD}\n"
    assert after.exit_code == 0


def test_database_of_a_newer_version(folder: Path) -> None:
    """What a newer version has upgraded is refused in words."""
    run("store", "upgrade")
    connection = find_place(f"sqlite:///{folder}/sge.sqlite3").connect()
    connection.command("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    upgrade = run("store", "upgrade")
    assert upgrade.exit_code == 1
    assert "made by a newer version of this program: it is at step 9999" in upgrade.output


def test_database_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that names no database is refused in words, without its password."""
    monkeypatch.setenv("FASTAGI_DATABASE_URL", "mysql://user:secret@host/db")
    check = run("store", "check")
    assert check.exit_code == 1
    assert "must be sqlite:///<file> or postgresql://" in check.output
    assert "secret" not in check.output


def test_remote_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a remote API there is no database here."""
    monkeypatch.setenv("SGE_API_URL", "http://127.0.0.1:1")
    check = run("store", "check")
    assert check.exit_code == 1
    assert "its database is there" in check.output


def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faulty settings end a command before it does anything."""
    monkeypatch.setenv("PORT", "many")
    check = run("store", "check")
    assert check.exit_code == 2
    assert "error: PORT" in check.output
