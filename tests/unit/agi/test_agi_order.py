"""Laws 4 to 6 of the state machine, and agi.md 1.5: interruption, the end, a broken peer."""

from collections.abc import Callable
from typing import Any

import pytest
from agi_states import (
    USAGE_BLOCK,
    awaiting,
    broke_kind,
    echo,
    idle,
    out_of_step,
    state,
)

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import Command
from fastagi_server.agi.connection import failure_line
from fastagi_server.agi.errors import AgiDeadChannelError, AgiStateError
from fastagi_server.agi.events import (
    HangupReceived,
    PeerBroke,
    ReplyReceived,
    State,
    StreamEnded,
    SyncReceived,
)
from fastagi_server.agi.replies import Reply

# -- law 4: interruption and order --


@pytest.mark.parametrize(
    ("command", "stray"),
    [
        (agi.stream_file("f"), b""),
        (agi.get_data("f"), b""),
        (agi.get_option("f", "1"), b""),
        (agi.stream_file("f"), b"200 result=0 endpos=8000\n"),
        (agi.stream_file("f"), b"200 result=-1 endpos=80\n"),
        (agi.wait_for_digit(-1), b"200 result=1\n"),
    ],
)
def test_an_interrupted_command_is_over_when_the_marker_comes_back(
    command: Command[Any], stray: bytes
) -> None:
    """Its own reply, which may or may not have been on its way, is dropped."""
    connection = awaiting(command)
    marker = connection.interrupt()
    assert state(connection) is State.SYNCING
    assert connection.receive_data(stray + echo(marker)) == [SyncReceived()]
    assert state(connection) is State.IDLE
    assert connection.send(agi.noop()) == b"NOOP\n"


def test_a_hangup_during_an_interruption_is_heard() -> None:
    """The marker is dead-safe, so it still comes back."""
    connection = awaiting(agi.stream_file("f"))
    marker = connection.interrupt()
    events = connection.receive_data(b"200 result=-1 endpos=8\nHANGUP\n" + echo(marker))
    assert events == [HangupReceived(), SyncReceived()]


@pytest.mark.parametrize(
    "command", [agi.execute("Wait", "1"), agi.say_digits("1"), agi.gosub("c", "s", 1), agi.noop()]
)
def test_what_cannot_be_interrupted(command: Command[Any]) -> None:
    """Asterisk reads the next line only after these commands."""
    connection = awaiting(command)
    with pytest.raises(AgiStateError, match="nothing to interrupt"):
        connection.interrupt()
    assert state(connection) is State.AWAITING


def test_nothing_can_be_interrupted_while_idle() -> None:
    """There is no playback in flight."""
    with pytest.raises(AgiStateError, match="nothing to interrupt while idle"):
        idle().interrupt()


def test_nothing_is_sent_while_the_marker_is_out() -> None:
    """No command; the session may still be ended."""
    connection = awaiting(agi.stream_file("f"))
    connection.interrupt()
    with pytest.raises(AgiStateError):
        connection.send(agi.noop())
    with pytest.raises(AgiStateError):
        connection.synchronise()
    assert connection.finish([], "timeout") == b"failure timeout\n"


def test_an_interruption_that_was_not_seen_is_repeated() -> None:
    """The first marker lay in Asterisk's buffer; the second moves it, and both come back."""
    connection = awaiting(agi.stream_file("f"))
    first, second = connection.interrupt(), connection.interrupt()
    assert connection.receive_data(echo(first)) == []
    assert connection.receive_data(echo(second)) == [SyncReceived()]
    assert state(connection) is State.IDLE


def test_the_marker_of_another_time_is_no_answer() -> None:
    """Each marker is a new one, which no peer can guess."""
    connection = idle()
    first = connection.synchronise()
    connection.receive_data(echo(first))
    second = connection.synchronise()
    assert first != second
    assert connection.receive_data(echo(first)) == []
    assert connection.receive_data(b"200 result=1 (sync-000000000000)\n") == []
    assert connection.receive_data(echo(second)) == [SyncReceived()]


@pytest.mark.parametrize(
    "stray", [b"", USAGE_BLOCK, b"520 Invalid command syntax.  Proper usage not available.\n"]
)
def test_an_application_that_answers_twice(stray: bytes) -> None:
    """EXEC of an application that returned 1 may be followed by a usage block."""
    connection = awaiting(agi.execute("Odd"))
    assert connection.receive_data(b"200 result=1\n") == [ReplyReceived(Reply(200, "1"))]
    assert out_of_step(connection)
    with pytest.raises(AgiStateError, match="before `synchronise`"):
        connection.send(agi.noop())
    marker = connection.synchronise()
    assert connection.receive_data(stray + echo(marker)) == [SyncReceived()]
    assert not out_of_step(connection)
    assert connection.send(agi.noop()) == b"NOOP\n"


def test_a_second_answer_that_came_already_needs_no_marker() -> None:
    """The usage block in the same segment restores the order by itself."""
    connection = awaiting(agi.execute("Odd"))
    assert connection.receive_data(b"200 result=1\n" + USAGE_BLOCK) == [
        ReplyReceived(Reply(200, "1"))
    ]
    assert not connection.needs_sync
    assert connection.send(agi.noop()) == b"NOOP\n"


def test_a_usage_block_cut_by_a_marker() -> None:
    """The rest of the block belongs to the block, not to the marker."""
    connection = awaiting(agi.execute("Odd"))
    connection.receive_data(b"200 result=1\n" + USAGE_BLOCK[:60])
    marker = connection.synchronise()
    assert connection.receive_data(USAGE_BLOCK[60:] + echo(marker)) == [SyncReceived()]


def test_out_of_step_only_a_usage_block_may_come() -> None:
    """Any other second reply is one to nothing."""
    connection = awaiting(agi.execute("Odd"))
    events = connection.receive_data(b"200 result=1\n200 result=1\n")
    assert broke_kind(events) == "unexpected"


@pytest.mark.parametrize("data", [b"200 result=0\n", b"200 result=-2\n", b"510 unknown\n"])
def test_other_results_of_exec_keep_the_order(data: bytes) -> None:
    """Only the return code 1 makes Asterisk answer twice."""
    connection = awaiting(agi.execute("NoOp"))
    connection.receive_data(data)
    assert not connection.needs_sync


def test_other_commands_that_answer_1_keep_the_order() -> None:
    """SET VARIABLE answers 1 every time."""
    connection = awaiting(agi.set_variable("X", "1"))
    connection.receive_data(b"200 result=1\n")
    assert not connection.needs_sync


# -- law 5: the end --


def test_the_last_lines_go_out_together() -> None:
    """All variables in one write, of which only the end of the stream is heard."""
    connection = idle()
    data = connection.finish([agi.set_variable("A", "1"), agi.set_variable("B", "2")])
    assert data == b'SET VARIABLE "A" "1"\nSET VARIABLE "B" "2"\n'
    assert state(connection) is State.FINISHING
    assert connection.receive_data(b"200 result=1\n200 result=1\nHANGUP\n") == []
    assert connection.receive_eof() == [StreamEnded()]
    assert state(connection) is State.CLOSED


def test_failure_follows_the_last_lines() -> None:
    """The line that makes AGISTATUS=FAILURE comes last, since Asterisk reads no further."""
    data = idle().finish([agi.set_variable("A", "1")], "overload")
    assert data == b'SET VARIABLE "A" "1"\nfailure overload\n'


def test_the_line_of_failure() -> None:
    """Seven letters count; the rest is for whoever reads the wire, in ASCII."""
    assert failure_line("so é") == b"failure so ?\n"


def test_nothing_to_say_is_nothing_to_send() -> None:
    """A batch may be empty: the half-close alone ends the session."""
    assert idle().finish([]) == b""


def test_the_hangup_of_every_end_is_no_hangup() -> None:
    """Asterisk sends HANGUP when we half-close, although nobody hung up."""
    connection = idle()
    connection.finish([])
    assert connection.receive_data(b"HANGUP\n") == []
    assert not connection.dead


@pytest.mark.parametrize("data", [b"garbage\n", b"x" * 2_000_000, b"520-\n", b"agi_network: yes\n"])
def test_what_is_said_after_the_last_lines_is_neither_heard_nor_kept(data: bytes) -> None:
    """Nothing depends on it any more, so a peer may say what it likes."""
    connection = idle()
    connection.finish([agi.noop()])
    assert connection.receive_data(data) == []
    assert len(connection._buffer) == 0  # pyright: ignore[reportPrivateUsage]  # no public view


def test_what_was_half_heard_before_the_last_lines_is_not_kept() -> None:
    """Neither the lines of a value in flight nor the beginning of the next."""
    connection = awaiting(agi.get_variable("X"))
    connection.receive_data(b"200 result=1 (one\ntw")
    connection.finish([])
    held = (connection._buffer, connection._block)  # pyright: ignore[reportPrivateUsage]  # no view
    assert [len(part) for part in held] == [0, 0]


@pytest.mark.parametrize("command", [agi.noop(), agi.stream_file("f"), agi.get_variable("X")])
def test_the_last_lines_follow_a_command_in_flight(command: Command[Any]) -> None:
    """Asterisk executes them behind it, or interrupts it; its reply is not waited for."""
    connection = awaiting(command)
    data = connection.finish([agi.set_variable("A", "1")], "budget")
    assert data == b'SET VARIABLE "A" "1"\nfailure budget\n'
    assert connection.receive_data(b"200 result=1 (one\ntwo)\n200 result=1\nHANGUP\n") == []


@pytest.mark.parametrize("line", [b"", b"200 result=1\n"])
def test_the_last_lines_need_no_marker_before(line: bytes) -> None:
    """Neither one that is still out nor one that is due keeps a session from ending."""
    connection = awaiting(agi.execute("Odd") if line else agi.stream_file("f"))
    connection.receive_data(line) if line else connection.interrupt()
    assert connection.finish([agi.set_variable("A", "1")]) == b'SET VARIABLE "A" "1"\n'


def test_a_dead_channel_takes_only_dead_safe_last_lines() -> None:
    """SET VARIABLE and `failure` work in `h`; SET CONTEXT would answer 511."""
    connection = idle()
    connection.receive_data(b"HANGUP\n")
    with pytest.raises(AgiDeadChannelError):
        connection.finish([agi.set_context("c")])
    assert state(connection) is State.IDLE
    assert connection.finish([agi.set_variable("A", "1")], "x").endswith(b"failure x\n")


def test_a_session_ends_once() -> None:
    """After the last lines nothing more can be said."""
    connection = idle()
    connection.finish([])
    says: list[Callable[[], bytes]] = [
        lambda: connection.finish([]),
        lambda: connection.send(agi.noop()),
        connection.synchronise,
        connection.interrupt,
    ]
    for say in says:
        with pytest.raises(AgiStateError):
            say()


# -- law 6: a peer that broke --


def test_after_a_breach_nothing_is_heard() -> None:
    """Neither what came in the same segment behind it nor later, but for the end of the stream."""
    connection = awaiting(agi.noop())
    events = connection.receive_data(b"garbage\n200 result=0\nHANGUP\n")
    assert [type(event) for event in events] == [PeerBroke]
    assert state(connection) is State.BROKEN
    assert connection.receive_data(b"200 result=0\nHANGUP\n") == []
    assert not connection.dead
    assert connection.receive_eof() == [StreamEnded()]


def test_a_breach_leaves_the_last_lines() -> None:
    """The dialplan is still told; no other command is sent to such a peer."""
    connection = awaiting(agi.noop())
    connection.receive_data(b"garbage\n")
    with pytest.raises(AgiStateError):
        connection.send(agi.noop())
    with pytest.raises(AgiStateError):
        connection.synchronise()
    data = connection.finish([agi.set_variable("A", "1")], "protocol_error")
    assert data == b'SET VARIABLE "A" "1"\nfailure protocol_error\n'


@pytest.mark.parametrize("command", [None, agi.noop(), agi.stream_file("f")])
def test_the_end_of_the_stream_is_heard_once(command: Command[Any] | None) -> None:
    """In whatever state: Asterisk is gone, and a reply will not come."""
    connection = idle() if command is None else awaiting(command)
    assert connection.receive_eof() == [StreamEnded()]
    assert connection.receive_eof() == []
    assert state(connection) is State.CLOSED
    with pytest.raises(AgiStateError):
        connection.finish([])
