"""Who listens on a port: on this machine, and in a /proc of a test."""

import os
import socket
from pathlib import Path

from fastagi_server.doctor.listeners import Listener, listeners_on

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retr uid timeout inode
   0: 0100007F:11DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:11DD 0100007F:BEEF 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
"""


def test_this_process() -> None:
    """A socket of ours is found with our name and number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (found,) = listeners_on(listener.getsockname()[1])
    assert found.pid == os.getpid()
    assert found.words == f"{found.name} (pid {os.getpid()})"


def test_nobody() -> None:
    """A port that was let go has no listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert listeners_on(port) == []


def make_proc(folder: Path) -> Path:
    """A /proc with two listening sockets, one of them held by the process 42."""
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text(TABLE)
    descriptors = folder / "42" / "fd"
    descriptors.mkdir(parents=True)
    (descriptors / "3").symlink_to("socket:[4711]")
    (folder / "42" / "comm").write_text("nginx\n")
    (folder / "43").mkdir()
    (folder / "self").mkdir()
    return folder


def test_by_table(tmp_path: Path) -> None:
    """Only listening sockets count, not their connections; the holder is named."""
    assert listeners_on(4573, make_proc(tmp_path)) == [Listener("nginx", 42)]


def test_of_another_user(tmp_path: Path) -> None:
    """A socket whose holder we may not see is still one."""
    (found,) = listeners_on(8080, make_proc(tmp_path))
    assert found.words == "a process of another user"


def test_no_tables(tmp_path: Path) -> None:
    """Where there is no such table, nobody is seen."""
    assert listeners_on(4573, tmp_path) == []
