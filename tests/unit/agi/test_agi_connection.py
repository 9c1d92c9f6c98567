"""Laws 1 to 3 of the state machine, and agi.md 1.4: the environment, replies, HANGUP."""

from collections.abc import Callable
from typing import Any

import pytest
from agi_states import (
    ENVIRONMENT,
    GLUED_USAGE_BLOCK,
    USAGE_BLOCK,
    awaiting,
    broke_kind,
    idle,
    state,
)

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import Command
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiDeadChannelError, AgiStateError
from fastagi_server.agi.events import (
    HangupReceived,
    PeerBroke,
    ReplyReceived,
    RequestReceived,
    State,
    StreamEnded,
)
from fastagi_server.agi.replies import Reply

# -- law 1: the environment --


def test_the_environment_is_heard_first() -> None:
    """The request comes with the empty line, and then commands may be sent."""
    connection = AgiConnection()
    assert state(connection) is State.ENVIRONMENT
    assert connection.receive_data(ENVIRONMENT[:-1]) == []
    (event,) = connection.receive_data(b"\n")
    assert isinstance(event, RequestReceived)
    assert event.request.unique_id == "17.4"
    assert state(connection) is State.IDLE


def test_nothing_is_said_before_the_environment() -> None:
    """A command, a marker or a batch before the request is a bug of ours."""
    connection = AgiConnection()
    says: list[Callable[[], bytes]] = [
        lambda: connection.send(agi.noop()),
        connection.synchronise,
        connection.interrupt,
        lambda: connection.finish([agi.noop()]),
    ]
    for say in says:
        with pytest.raises(AgiStateError):
            say()


def test_a_connection_may_be_refused_before_the_environment() -> None:
    """Overload is answered with `failure` at once; what Asterisk still sends is not heard."""
    connection = AgiConnection()
    assert connection.receive_data(b"agi_network: y") == []
    assert connection.finish([], "overload") == b"failure overload\n"
    assert connection.receive_data(b"es\nagi_uniqueid: 17.4\n\nHANGUP\n") == []
    assert connection.receive_eof() == [StreamEnded()]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\n", b"\0", b"agi-", b"x"])
def test_what_is_no_agi_is_told_by_its_first_bytes(data: bytes) -> None:
    """A port scan or a lost browser is not listened to for the environment's whole deadline."""
    connection = AgiConnection()
    assert broke_kind(connection.receive_data(data)) == "environment"
    assert state(connection) is State.BROKEN


def test_a_peer_that_leaves_without_a_word_breaks_nothing() -> None:
    """A health check of a load balancer connects and closes."""
    assert AgiConnection().receive_eof() == [StreamEnded()]


@pytest.mark.parametrize("data", [b"agi_", ENVIRONMENT[:-1]])
def test_an_environment_cut_short_breaks_the_protocol(data: bytes) -> None:
    """A peer that dies in the middle: no request, one clear error."""
    connection = AgiConnection()
    assert connection.receive_data(data) == []
    (event,) = connection.receive_eof()
    assert isinstance(event, PeerBroke)
    assert str(event.error) == f"cut short after {len(data)} bytes"


def test_an_environment_that_cannot_be_read_breaks_the_protocol() -> None:
    """What `parse_request` refuses ends the connection."""
    connection = AgiConnection()
    assert broke_kind(connection.receive_data(b"agi_network: yes\n\n")) == "environment"


def test_a_blank_line_injected_into_the_environment_ends_the_session() -> None:
    """The rest of the real environment arrives as a reply to nothing, and is not believed."""
    connection = AgiConnection()
    events = connection.receive_data(
        b"agi_network: yes\nagi_uniqueid: 1.1\nagi_callerid: x\n\nagi_calleridname: unknown\n"
    )
    assert [type(event) for event in events] == [RequestReceived, PeerBroke]
    assert broke_kind(events) == "unexpected"


# -- law 2: one command in flight --


def test_a_command_and_its_reply() -> None:
    """The bytes are the command's line, and its reply makes the connection idle again."""
    connection = idle()
    assert connection.send(agi.set_variable("X", "1")) == b'SET VARIABLE "X" "1"\n'
    assert state(connection) is State.AWAITING
    assert connection.receive_data(b"200 result=1\n") == [ReplyReceived(Reply(200, "1"))]
    assert state(connection) is State.IDLE


def test_commands_are_never_pipelined() -> None:
    """Asterisk keeps a second line in its buffer until more bytes arrive."""
    connection = awaiting(agi.noop())
    with pytest.raises(AgiStateError, match="cannot be sent while awaiting"):
        connection.send(agi.noop())
    with pytest.raises(AgiStateError):
        connection.synchronise()


@pytest.mark.parametrize(
    ("command", "data", "reply"),
    [
        (agi.noop(), b"510 Invalid or unknown command\n", (510, "", None)),
        (agi.set_priority("x"), USAGE_BLOCK, (520, "", None)),
        (
            agi.set_priority("x"),
            b"520 Invalid command syntax.  Proper usage not available.\n",
            (520, "", None),
        ),
        (
            agi.noop(),
            GLUED_USAGE_BLOCK,
            (520, "", None),
        ),
        (
            agi.get_variable("X"),
            b"511 Command Not Permitted on a dead channel or intercept routine\n",
            (511, "", None),
        ),
        (agi.get_variable("X"), b"200 result=0\n", (200, "0", None)),
        (agi.get_variable("X"), b"200 result=1 ()\n", (200, "1", "")),
        (agi.get_variable("X"), b"200 result=1 (a\nb)\n", (200, "1", "a\nb")),
        (agi.get_variable("X"), b"200 result=1 (\n\n)\n", (200, "1", "\n\n")),
        (agi.get_variable("X"), b"200 result=1 (a) b\nc)\n", (200, "1", "a) b\nc")),
        (agi.get_variable("X"), b"200 result=1 (a\nHANGUP\nb)\n", (200, "1", "a\nHANGUP\nb")),
        (agi.get_variable("X"), b"200 result=1 (\xe9)\n", (200, "1", "\udce9")),
        (agi.database_get("f", "k"), b"200 result=1 (520-\n)\n", (200, "1", "520-\n")),
        (agi.receive_text(0), b"200 result=1 (a\nb)\n", (200, "1", "a\nb")),
        (agi.get_data("f"), b"200 result= (timeout)\n", (200, "", "timeout")),
        (agi.stream_file("f"), b"200 result=0 endpos=8000\n", (200, "0", None)),
        (
            agi.gosub("c", "s", 1),
            b"100 result=0 Trying...\n200 result=0 Gosub complete\n",
            (200, "0", None),
        ),
        (agi.gosub("c", "s", 1), b"503 result=-2 Memory allocation failure\n", (503, "-2", None)),
    ],
)
def test_every_form_of_reply_is_one_event(
    command: Command[Any], data: bytes, reply: tuple[int, str, str | None]
) -> None:
    """One line, a usage block in three forms, an interim line before, a value with newlines."""
    (event,) = awaiting(command).receive_data(data)
    assert isinstance(event, ReplyReceived)
    assert (event.reply.code, event.reply.result, event.reply.text) == reply


def test_a_value_is_not_complete_before_its_parenthesis() -> None:
    """Until then there is no event, and the command stays in flight."""
    connection = awaiting(agi.get_variable("X"))
    assert connection.receive_data(b"200 result=1 (one\ntwo\n") == []
    assert state(connection) is State.AWAITING
    assert connection.receive_data(b"three)\n") == [
        ReplyReceived(Reply(200, "1", "one\ntwo\nthree"))
    ]


def test_a_line_of_a_value_that_ends_in_a_parenthesis_cannot_be_told() -> None:
    """Seen with SHELL(id): the value ends early, and its rest is a reply to nothing.

    Hence values of others are read as base64 (`AgiChannel.get_variables`).
    """
    connection = awaiting(agi.get_variable("X"))
    events = connection.receive_data(b"200 result=1 (groups=(a)\nb)\n")
    assert [type(event) for event in events] == [ReplyReceived, PeerBroke]


@pytest.mark.parametrize(
    "data", [b"200 result=0\n", b"\n", b"garbage\n", b"100 result=0 Trying...\n", USAGE_BLOCK[:52]]
)
def test_a_reply_to_nothing_breaks_the_protocol(data: bytes) -> None:
    """While idle only HANGUP may come; a second reply, late or invented, is not believed."""
    connection = idle()
    assert broke_kind(connection.receive_data(data)) == "unexpected"
    assert state(connection) is State.BROKEN


@pytest.mark.parametrize("data", [b"\n", b"garbage\n", b"\xff\xfe\n", b"agi_network: yes\n"])
def test_a_reply_that_is_none_breaks_the_protocol(data: bytes) -> None:
    """Garbage in answer to a command ends the session."""
    assert broke_kind(awaiting(agi.noop()).receive_data(data)) == "reply"


def test_two_replies_to_one_command_break_the_protocol() -> None:
    """The first is the command's, the second nobody's."""
    events = awaiting(agi.noop()).receive_data(b"200 result=0\n200 result=0\n")
    assert [type(event) for event in events] == [ReplyReceived, PeerBroke]


# -- law 3: HANGUP --


def test_a_hangup_while_idle() -> None:
    """It is an event at once, and only dead-safe commands may be sent from then on."""
    connection = idle()
    assert connection.receive_data(b"HANGUP\n") == [HangupReceived()]
    assert connection.dead
    with pytest.raises(AgiDeadChannelError, match="STREAM FILE needs a live channel"):
        connection.send(agi.stream_file("f"))
    assert connection.send(agi.get_variable("DIALSTATUS")) == b'GET VARIABLE "DIALSTATUS"\n'


def test_a_hangup_between_a_command_and_its_reply() -> None:
    """The notice is no reply: the command's own comes behind it."""
    connection = awaiting(agi.get_variable("X"))
    assert connection.receive_data(b"HANGUP\n") == [HangupReceived()]
    assert state(connection) is State.AWAITING
    assert connection.receive_data(b"200 result=1 (line1)\n") == [
        ReplyReceived(Reply(200, "1", "line1"))
    ]


def test_a_hangup_behind_a_reply_in_one_segment() -> None:
    """A playback that the hang-up ends answers -1 first."""
    events = awaiting(agi.stream_file("f")).receive_data(b"200 result=-1 endpos=80\nHANGUP\n")
    assert events == [ReplyReceived(Reply(200, "-1", None, "endpos=80")), HangupReceived()]


def test_a_hangup_within_a_usage_block() -> None:
    """The notice is taken out of the block, which stays whole."""
    lines = USAGE_BLOCK.splitlines(keepends=True)
    events = awaiting(agi.set_priority("x")).receive_data(
        b"".join([*lines[:2], b"HANGUP\n", *lines[2:]])
    )
    assert [type(event) for event in events] == [HangupReceived, ReplyReceived]


def test_a_hangup_inside_a_value_is_text() -> None:
    """A reply is one write of Asterisk's, so no notice can fall into it."""
    connection = awaiting(agi.get_variable("X"))
    assert connection.receive_data(b"200 result=1 (a\nHANGUP\n") == []
    assert not connection.dead


def test_two_notices_are_one_hangup() -> None:
    """AGIEXITONHANGUP=yes makes Asterisk send two."""
    connection = idle()
    assert connection.receive_data(b"HANGUP\nHANGUP\n") == [HangupReceived()]
    assert connection.receive_eof() == [StreamEnded()]


def test_a_session_that_starts_dead_learns_it_from_511() -> None:
    """In `h` no HANGUP comes, and 511 may also mean a live channel in an intercept routine."""
    connection = awaiting(agi.answer())
    connection.receive_data(b"511 Command Not Permitted on a dead channel or intercept routine\n")
    assert not connection.dead
    assert state(connection) is State.IDLE
