"""A real PostgreSQL server on loopback whose data is thrown away with it.

It is Debian's package: the one of this host where it is installed, else one in a root folder of
its own beside Asterisk's (`python3 -m lab.postgres` builds it: half a minute and 400 MB, once).
Nothing is flushed to disk, so that it starts within a second, and it ends with the thread that
started it.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from lab import processes
from lab.errors import InstallError, LabError, StartError
from lab.root import OS_RELEASE, Say, archive_address, cache_folder, run_step

USER = "fastagi"
PASSWORD = "lab-secret"  # noqa: S105 - of a server that only this machine can reach

START_SECONDS = 30
STOP_SECONDS = 20
MAX_CONNECTIONS = 60

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": str(MAX_CONNECTIONS),
    "fsync": "off",  # what is committed survives a crash of the server, not of the machine
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # a root folder has no /dev/shm
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Programs:
    """Debian's server in a root folder, which is `/` for the host's own."""

    root: Path
    folder: Path

    @classmethod
    def find(cls) -> "Programs | None":
        """Return the newest server of this host, else that of the cache folder, if either is."""
        return cls.inside(Path("/")) or cls.inside(built_root())

    @classmethod
    def inside(cls, root: Path) -> "Programs | None":
        """Return the newest server in this root folder."""
        found = (root / "usr/lib/postgresql").glob("*/bin/postgres")
        versions = sorted(found, key=lambda path: float(path.parts[-3]))
        return cls(root, versions[-1].parent) if versions else None

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line that runs a program as a user who may run PostgreSQL."""
        inside = "/" / self.folder.relative_to(self.root) / program
        # The signal for the death of the parent must be asked for after the change of the user.
        dying = ["--pdeathsig", "INT", str(inside), *arguments]
        if os.geteuid() != 0:
            return ["setpriv", *dying]
        uid, gid = self.owner()
        user = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        return ["chroot", str(self.root), "setpriv", *user, *dying]

    def owner(self) -> tuple[int, int]:
        """Return the user and group id that the server's files must have."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        for line in (self.root / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "postgres":
                return int(uid), int(gid)
        raise StartError(f"{self.root} has no user postgres")


def built_root() -> Path:
    """Return the root folder in the cache, built or yet to be built."""
    return cache_folder() / "postgres-root"


def why_not() -> str | None:
    """Return in words why no server can run here, or None when one can."""
    programs = Programs.find()
    if programs is None:
        return "there is no PostgreSQL on this machine: run python3 -m lab.postgres"
    if programs.root != Path("/") and os.geteuid() != 0:
        return "the lab needs root: PostgreSQL is in a root folder of its own"
    return None


def install(say: Say = print) -> None:
    """Put a server into the cache folder unless there is one, here or there.

    Raises InstallError on a machine that cannot have it, CommandError when a step fails.
    """
    found = Programs.find()
    if found is None:
        if os.geteuid() != 0 or "ID=debian" not in OS_RELEASE.read_text().splitlines():
            raise InstallError("PostgreSQL is installed as root and on Debian only")
        build_root(built_root(), say)
        found = Programs.inside(built_root())
    say(f"PostgreSQL is installed in {found.folder if found else built_root()}")


def build_root(root: Path, say: Say) -> None:
    """Unpack Debian with its PostgreSQL into this folder, whole or not at all."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if Programs.inside(root) is not None:
            return
        log = root.parent / "install-postgres.log"
        log.write_text("")
        if shutil.which("debootstrap") is None:
            run_step(["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"], log)
        partial = root.with_name(root.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        say("unpacking Debian sid with PostgreSQL (30 s)")
        options = ["--variant=minbase", "--include=postgresql"]
        run_step(["debootstrap", *options, "sid", str(partial), archive_address()], log)
        partial.rename(root)


@dataclass
class Postgres:
    """One server and its databases; a context manager that ends with all of its data gone."""

    programs: Programs
    folder: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: "count[int]" = field(default_factory=count)

    @classmethod
    def start(cls, programs: Programs | None = None) -> "Postgres":
        """Make an empty server and run it. Raises LabError."""
        programs = programs or Programs.find()
        if programs is None:
            raise StartError(str(why_not()))
        folder = Path(tempfile.mkdtemp(prefix="fastagi-postgres-", dir=programs.root / "tmp"))
        server = cls(programs, folder, _free_port())
        try:
            server.initialise()
            server.resume()
        except LabError:
            server.stop()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def initialise(self) -> None:
        """Make the data folder and the user."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        for path in (self.folder, password):
            os.chown(path, *self.programs.owner())
        access = ("-U", USER, "-A", "scram-sha-256", f"--pwfile={self._inside / 'password'}")
        form = ("-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        run_step(
            self.programs.command("initdb", "-D", str(self._inside / "data"), *access, *form),
            self.folder.with_name(self.folder.name + ".log"),
        )

    def resume(self) -> None:
        """Run the server, again after `halt` or `kill`; returns when it takes connections."""
        settings = {
            **_SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": str(self._inside),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = self.programs.command("postgres", "-D", str(self._inside / "data"), *options)
        self._process = processes.start(command, self.folder / "server.log")
        if not processes.wait_until(self._answers, START_SECONDS):
            raise StartError(f"PostgreSQL does not answer:\n{self.log()[-2000:]}")

    def halt(self) -> None:
        """End the server and its connections in good order; the data stays."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the server without warning, as a crash does; the data stays."""
        self._signal(signal.SIGQUIT)

    def stop(self) -> None:
        """End the server and remove its data."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.with_name(self.folder.name + ".log").unlink(missing_ok=True)

    def create_database(self, template: str = "template0") -> str:
        """Make a database as a copy of another one and return its name."""
        name = f"lab_{next(self._numbers)}"
        order = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(order.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database and whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed) -> None:
        """Run a statement as the owner of the server."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5) as admin:
            admin.execute(statement)

    def url(self, database: str, *, port: int | None = None) -> str:
        """Return the URL of a database, over TCP to 127.0.0.1; `port` is that of a proxy."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def log(self) -> str:
        """Return what the server has said."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def _inside(self) -> Path:
        return "/" / self.folder.relative_to(self.programs.root)

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise StartError(f"PostgreSQL ended at once:\n{self.log()[-2000:]}")
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, which: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(which)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    try:
        install()
    except LabError as error:
        sys.exit(f"lab: {error}")
