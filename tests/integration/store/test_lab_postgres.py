"""The lab's own PostgreSQL server."""

from pathlib import Path

import psycopg
import pytest

from lab import postgres as module
from lab.errors import InstallError, StartError
from lab.postgres import Postgres, Programs, install, why_not


def make_server(root: Path, version: str) -> Path:
    """Make a root folder look as if it had a server; returns the folder of its programs."""
    folder = root / "usr/lib/postgresql" / version / "bin"
    folder.mkdir(parents=True)
    (folder / "postgres").touch()
    return folder


def nowhere(_root: Path) -> None:
    """No server, wherever one looks."""


def test_data_lasts_as_long_as_the_server(postgres: Postgres) -> None:
    """Data survives a halt and a crash of the server, and is gone when it is stopped."""
    with Postgres.start(postgres.programs) as server:
        name = server.create_database()
        with psycopg.connect(server.url(name)) as connection:
            connection.execute("CREATE TABLE things (number INTEGER)")
            connection.execute("INSERT INTO things VALUES (7)")
        for end in (server.halt, server.kill):
            end()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.url(name))
            server.resume()
        copy = server.create_database(name)
        with psycopg.connect(server.url(copy)) as connection:
            assert connection.execute("SELECT number FROM things").fetchall() == [(7,)]
        server.drop_database(copy)
        folder = server.folder
        assert folder.exists()
    assert not folder.exists()


def test_servers_run_side_by_side(postgres: Postgres) -> None:
    """A second server has a port and a folder of its own."""
    with Postgres.start(postgres.programs) as second:
        assert second.port != postgres.port
        assert second.folder != postgres.folder
        psycopg.connect(second.url("postgres")).close()
    psycopg.connect(postgres.url("postgres")).close()


def test_server_that_does_not_start(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends at once is an error with its own last words, and leaves no folder."""
    monkeypatch.setitem(module._SETTINGS, "max_connections", "many")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(StartError, match='invalid value for parameter "max_connections"'):
        Postgres.start(postgres.programs)


def test_newest_server_is_taken(tmp_path: Path) -> None:
    """Of several versions the newest counts, by number."""
    make_server(tmp_path, "9.6")
    newest = make_server(tmp_path, "15")
    assert Programs.inside(tmp_path) == Programs(tmp_path, newest)
    assert Programs.inside(tmp_path / "empty") is None


def test_commands_in_a_root_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root a program runs in its root folder as its user; else as it is."""
    programs = Programs(tmp_path, make_server(tmp_path, "18"))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:\npostgres:x:101:104::/:\n")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert programs.command("postgres", "-D", "/data") == [
        *("chroot", str(tmp_path), "setpriv", "--reuid=101", "--regid=104", "--clear-groups"),
        *("--pdeathsig", "INT", "/usr/lib/postgresql/18/bin/postgres", "-D", "/data"),
    ]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert programs.command("initdb")[:2] == ["setpriv", "--pdeathsig"]


def test_machine_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no server the reason says how to get one, and where it can be had."""
    monkeypatch.setenv("FASTAGI_LAB_DIR", str(tmp_path))
    monkeypatch.setattr(Programs, "inside", nowhere)
    assert why_not() == "there is no PostgreSQL on this machine: run python3 -m lab.postgres"
    with pytest.raises(StartError, match="no PostgreSQL on this machine"):
        Postgres.start()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(InstallError, match="as root and on Debian only"):
        install()


def test_installed_server_is_named(postgres: Postgres) -> None:
    """To install where a server is says which one, and does nothing."""
    said: list[str] = []
    install(said.append)
    assert said == [f"PostgreSQL is installed in {postgres.programs.folder}"]
