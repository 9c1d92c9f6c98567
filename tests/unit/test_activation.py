"""What the service manager is told, and the sockets it gave."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastagi_server.activation import (
    GivenSockets,
    Manager,
    Notifier,
    adopt_sockets,
    connect_notifier,
    open_manager,
)
from fastagi_server.settings.manager import ManagerOffer
from fastagi_server.telemetry.measures import Counter

HIGH_DESCRIPTOR = 800
"""From here on nothing is open in a test."""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end: a socket at `tmp_path / "notify"`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        yield end


def words_of(told: socket.socket) -> list[str]:
    """What was said at once, first of what waits."""
    return told.recv(65536).decode().split("\n")


def test_words_arrive(told: socket.socket, tmp_path: Path) -> None:
    """Words that are said together come together; after the end nothing is said."""
    notifier = connect_notifier(str(tmp_path / "notify"))
    notifier.tell("READY=1", "STATUS=well")
    assert words_of(told) == ["READY=1", "STATUS=well"]
    notifier.tell_stopping(2.5)
    assert words_of(told) == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=2500000"]
    notifier.close()
    notifier.tell("STATUS=gone")
    with pytest.raises(BlockingIOError):
        words_of(told)


def test_reloading_has_a_time(told: socket.socket, tmp_path: Path) -> None:
    """The time of a reload is that of the monotonic clock, as `Type=notify-reload` wants it."""
    notifier = connect_notifier(str(tmp_path / "notify"))
    notifier.tell_reloading()
    first, second = words_of(told)
    notifier.close()
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_abstract_address() -> None:
    """An address that begins with @ is a name without a file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0fastagi-test-{os.getpid()}")
        notifier = connect_notifier(f"@fastagi-test-{os.getpid()}")
        notifier.tell("READY=1")
        assert end.recv(100) == b"READY=1"
        notifier.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1", "/nonexistent/notify"])
def test_nobody_is_told(address: str) -> None:
    """Without a manager, or with one that is not there, saying something does nothing."""
    notifier = connect_notifier(address)
    notifier.tell("READY=1")
    notifier.close()


def fill(channel: socket.socket) -> int:
    """Send until no more is taken; how many."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += channel.send(b"x")
    return sent


def test_a_manager_that_does_not_read() -> None:
    """Words wait for the next one, the last 32 of them; those before are counted as dropped."""
    drops = Counter()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with theirs:
        notifier = Notifier(ours, drops=drops)
        ours.setblocking(False)
        filled = fill(ours)
        for number in range(40):
            notifier.tell(f"STATUS={number}")
        assert drops.values == {("manager_word",): 8.0}
        for _ in range(filled):
            theirs.recv(1)
        notifier.tell("READY=1")
        words = words_of(theirs)
        notifier.close()
    assert words == [*(f"STATUS={number}" for number in range(8, 40)), "READY=1"]


def test_sockets_are_adopted() -> None:
    """Each has its name; nobody inherits them, and accepting from them never waits."""
    first = HIGH_DESCRIPTOR
    for number in (first, first + 1):
        with socket.create_server(("127.0.0.1", 0)) as end:
            os.dup2(end.fileno(), number)
    given = adopt_sockets(["agi", "http"], first=first)
    assert given.names == {"agi", "http"}
    assert [end.fileno() for end in given.agi] == [first]
    assert given.http is not None
    for end in (*given.agi, given.http):
        assert end.get_inheritable() is False
        assert end.getblocking() is False
        end.close()


def test_no_sockets() -> None:
    """Nothing given is nothing."""
    assert adopt_sockets([]) == GivenSockets()
    assert GivenSockets().names == frozenset()


def test_what_is_no_listening_socket() -> None:
    """A file, a socket that does not listen and one that is not TCP are refused in words."""
    with (
        Path(os.devnull).open() as file,
        pytest.raises(ValueError, match="agi cannot be used: Socket"),
    ):
        adopt_sockets(["agi"], first=file.fileno())
    with socket.socket() as idle, pytest.raises(ValueError, match="does not listen for TCP"):
        adopt_sockets(["agi"], first=idle.fileno())
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0fastagi-test-{os.getpid()}")
        local.listen()
        with pytest.raises(ValueError, match="does not listen for TCP"):
            adopt_sockets(["http"], first=local.fileno())


def test_names_that_nobody_serves() -> None:
    """The name is said, and which ones there are."""
    with pytest.raises(ValueError, match="FileDescriptorName=unknown: a socket's name must be"):
        adopt_sockets(["unknown"])


async def test_the_watchdog_is_fed(told: socket.socket, tmp_path: Path) -> None:
    """The loop says at once that it lives, and how; and again in half of the watchdog's time."""
    manager = open_manager(ManagerOffer(str(tmp_path / "notify"), 0.02))
    assert manager.beat_seconds == 0.01
    loop = asyncio.get_running_loop()
    states = iter(["first", "second"])
    async with manager.watching(lambda: next(states, "more")):
        assert await loop.sock_recv(told, 100) == b"WATCHDOG=1\nSTATUS=first"
        assert await loop.sock_recv(told, 100) == b"WATCHDOG=1\nSTATUS=second"
    manager.notifier.close()


def test_how_often_it_is_told() -> None:
    """A status is never older than five seconds, whatever the watchdog."""
    assert Manager().beat_seconds == 5.0
    assert Manager(watchdog_seconds=30.0).beat_seconds == 5.0
    assert Manager(watchdog_seconds=3.0).beat_seconds == 1.5
