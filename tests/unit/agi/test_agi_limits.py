"""What bounds an `AgiConnection`: bytes of a line, of the environment, of a reply."""

from typing import Any

import pytest
from agi_states import ENVIRONMENT, broke_kind, idle, state

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import Command
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.agi.events import PeerBroke, ReplyReceived, RequestReceived, State
from fastagi_server.agi.replies import Reply


@pytest.mark.parametrize(
    ("version", "most"), [("22.10.1", 8191), ("22.5.2", 2047), ("18.26.4", 2047), ("GIT-x", 2047)]
)
def test_a_line_longer_than_this_asterisk_reads_is_refused(version: str, most: int) -> None:
    """The excess would be executed as the next command."""
    longest = "x" * (most - len('SET VARIABLE "X" ""\n'))
    assert len(idle(version).send(agi.set_variable("X", longest))) == most
    connection = idle(version)
    with pytest.raises(AgiGuardError, match=f"this Asterisk reads {most}"):
        connection.send(agi.set_variable("X", longest + "x"))
    with pytest.raises(AgiGuardError):
        connection.finish([agi.noop(), agi.set_variable("X", longest + "x")])
    assert state(connection) is State.IDLE


def test_the_limit_counts_bytes() -> None:
    """An é is two of them, a byte that is no UTF-8 one."""
    text = "é" * 1000
    with pytest.raises(AgiGuardError):
        idle("22.5.2").send(agi.set_variable("X", text + "x" * 28))
    assert len(idle("22.5.2").send(agi.set_variable("X", text + "\udce9" * 27))) == 2047


@pytest.mark.parametrize("cut", [1, 7, 5000])
def test_an_environment_of_exactly_the_limit_is_taken(cut: int) -> None:
    """The limit counts the lines without the empty one, however they arrive."""
    connection = AgiConnection(max_environment=len(ENVIRONMENT) - 2)
    events = [
        event
        for start in range(0, len(ENVIRONMENT), cut)
        for event in connection.receive_data(ENVIRONMENT[start : start + cut])
    ]
    assert [type(event) for event in events] == [RequestReceived]


@pytest.mark.parametrize("cut", [1, 7, 5000])
def test_an_environment_over_the_limit_is_refused(cut: int) -> None:
    """One byte more is too much, however it arrives."""
    connection = AgiConnection(max_environment=len(ENVIRONMENT) - 3)
    events = [
        event
        for start in range(0, len(ENVIRONMENT), cut)
        for event in connection.receive_data(ENVIRONMENT[start : start + cut])
    ]
    assert [type(event) for event in events] == [PeerBroke]


def test_a_megabyte_of_header_is_not_kept() -> None:
    """The default limit is 64 KiB, and nothing stays in memory."""
    connection = AgiConnection()
    connection.receive_data(b"agi_network: yes\nagi_request: ")
    kinds = [connection.receive_data(b"x" * 1024) for _ in range(64)]
    assert broke_kind(kinds[-1]) == "environment"
    assert len(connection._buffer) == 0  # pyright: ignore[reportPrivateUsage]  # no public view


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (agi.noop(), b"200 result=" + b"1" * 100),
        (agi.get_variable("X"), b"200 result=1 (" + b"line\n" * 20),
        (agi.get_variable("X"), b"200 result=1 (" + b"\n" * 100),
        (agi.set_priority("x"), b"520-\n" + b"\n" * 100),
        (agi.set_priority("x"), b"520-\n" + b"HANGUP\n" * 20),
        (agi.noop(), b"200 result=1" + b" " * 89 + b"\n"),
    ],
)
@pytest.mark.parametrize("cut", [1, 3, 5000])
def test_a_reply_over_the_limit_breaks_the_protocol(
    command: Command[Any], data: bytes, cut: int
) -> None:
    """Bytes of all its lines count, newlines too, however they arrive."""
    connection = AgiConnection(max_reply=100)
    connection.receive_data(ENVIRONMENT)
    connection.send(command)
    events = [
        event
        for start in range(0, len(data), cut)
        for event in connection.receive_data(data[start : start + cut])
    ]
    assert broke_kind(events) == "reply_size"


def test_the_limit_is_that_of_one_reply() -> None:
    """A reply of exactly the limit passes, again and again."""
    connection = AgiConnection(max_reply=100)
    connection.receive_data(ENVIRONMENT)
    data = b"200 result=1 (" + b"x" * 84 + b")\n"
    for _ in range(3):
        connection.send(agi.get_variable("X"))
        (event,) = connection.receive_data(data)
        assert event == ReplyReceived(Reply(200, "1", "x" * 84))
