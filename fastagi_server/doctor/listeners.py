"""Who listens on a TCP port of this machine, as far as Linux tells us."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LISTENING = "0A"
STATE, ADDRESS, INODE = 3, 1, 9
"""Columns of /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A process with a listening socket; `name` is empty where we may not see it."""

    name: str
    pid: int

    @property
    def words(self) -> str:
        """How a person would call it."""
        return f"{self.name} (pid {self.pid})" if self.name else "a process of another user"


def listeners_on(port: int, proc: Path = PROC) -> list[Listener]:
    """The processes that listen on a port, of any address; empty when none does."""
    inodes = set(_inodes(port, proc))
    if not inodes:
        return []
    found = [Listener(_name(folder), int(folder.name)) for folder in _holders(inodes, proc)]
    return found or [Listener("", 0)]


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if columns[STATE] == LISTENING and int(columns[ADDRESS].rpartition(":")[2], 16) == port:
                yield columns[INODE]


def _holders(inodes: set[str], proc: Path) -> Iterator[Path]:
    links = {f"socket:[{inode}]" for inode in inodes}
    for folder in proc.iterdir():
        if folder.name.isdigit() and not links.isdisjoint(_open_files(folder)):
            yield folder


def _open_files(process: Path) -> Iterator[str]:
    try:
        for file in (process / "fd").iterdir():
            yield str(file.readlink())
    except OSError:  # it has ended, or is not ours to see
        return


def _name(process: Path) -> str:
    try:
        return os.fsdecode((process / "comm").read_bytes()).strip()
    except OSError:
        return ""
