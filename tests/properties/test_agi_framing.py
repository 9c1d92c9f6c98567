"""The same bytes give the same events however TCP cuts them, and no bytes raise an error."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import KINDS, Command, CommandKind
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiError
from fastagi_server.agi.events import Event, PeerBroke, ReplyReceived, State
from fastagi_server.agi.replies import parse_reply
from fastagi_server.agi.results import nothing

ENVIRONMENT = b"agi_network: yes\nagi_uniqueid: 17.4\nagi_version: 22.10.1\n\n"
USAGE_BLOCK = b"520-Invalid command syntax.\nUsage: X\n520 End of proper usage.\n"

FRAGMENTS = st.sampled_from(
    [
        ENVIRONMENT,
        b"agi_callerid: ann\n",
        b"agi_arg_1: x\n",
        b"\n",
        b"HANGUP\n",
        b"200 result=0\n",
        b"200 result=1\n",
        b"200 result=-1 endpos=7\n",
        b"200 result=1 (value)\n",
        b"200 result=1 (one\n",
        b"two)\n",
        b"200 result= (timeout)\n",
        b"100 result=0 Trying...\n",
        b"510 Invalid or unknown command\n",
        b"520 Invalid command syntax.  Proper usage not available.\n",
        USAGE_BLOCK,
        b"520-x\n",
        b"520-x520 End of proper usage.\n",
        b"garbage\n",
        b"\xff\xfe\0\n",
    ]
)
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=12), max_size=12).map(b"".join)


def _fresh() -> AgiConnection:
    return AgiConnection(max_environment=120, max_reply=90)


def _idle() -> AgiConnection:
    connection = _fresh()
    connection.receive_data(ENVIRONMENT)
    return connection


def _sent(command: Command[Any]) -> AgiConnection:
    connection = _idle()
    connection.send(command)
    return connection


def _out_of_step() -> AgiConnection:
    connection = _sent(agi.execute("Odd"))
    connection.receive_data(b"200 result=1\n")
    return connection


def _finishing() -> AgiConnection:
    connection = _out_of_step()
    connection.finish([agi.noop(), agi.noop()])
    return connection


def _syncing() -> AgiConnection:
    connection = _sent(agi.stream_file("f"))
    connection.interrupt()
    return connection


def _refused() -> AgiConnection:
    connection = _fresh()
    connection.receive_data(b"agi_net")
    connection.finish([], "overload")
    return connection


STARTS: dict[str, Callable[[], AgiConnection]] = {
    "environment": _fresh,
    "idle": _idle,
    "a line awaited": lambda: _sent(agi.noop()),
    "a value awaited": lambda: _sent(agi.get_variable("X")),
    "a subroutine awaited": lambda: _sent(agi.gosub("c", "s", 1)),
    "an application awaited": lambda: _sent(agi.execute("Odd")),
    "out of step": _out_of_step,
    "syncing": _syncing,
    "finishing": _finishing,
    "refused": _refused,
}


def _plain(events: list[Event]) -> list[object]:
    """The events, with errors as their kinds: their words may quote what was buffered."""
    return [event.error.kind if isinstance(event, PeerBroke) else event for event in events]


def _outcome(start: str, pieces: list[bytes], *, eof: bool) -> tuple[list[object], object]:
    connection = STARTS[start]()
    events = [event for piece in pieces for event in connection.receive_data(piece)]
    if eof:
        events += connection.receive_eof()
    return _plain(events), (
        connection.state,
        connection.dead,
        connection.needs_sync,
    )


@given(st.sampled_from(sorted(STARTS)), STREAMS, st.data(), st.booleans())
def test_cuts_make_no_difference(
    start: str,
    stream: bytes,
    data: st.DataObject,
    eof: bool,  # noqa: FBT001 - drawn, not called
) -> None:
    """In every state, with the limits within reach of the stream."""
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _outcome(start, pieces, eof=eof) == _outcome(start, [stream], eof=eof)


@given(st.sampled_from(sorted(STARTS)), STREAMS)
def test_byte_by_byte_makes_no_difference(start: str, stream: bytes) -> None:
    """The finest cut of all."""
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    assert _outcome(start, pieces, eof=False) == _outcome(start, [stream], eof=False)


@given(st.sampled_from(sorted(STARTS)), st.lists(STREAMS | st.binary(), max_size=5))
def test_any_bytes_are_events_or_a_breach(start: str, pieces: list[bytes]) -> None:
    """No error escapes, a breach is the last event of all, and then nothing is buffered."""
    connection = STARTS[start]()
    broken = False
    for piece in pieces:
        events = connection.receive_data(piece)
        assert not (broken and events)
        breaches = [event for event in events if isinstance(event, PeerBroke)]
        assert breaches == events[len(events) - len(breaches) :]
        broken = broken or bool(breaches)
        assert broken == (connection.state is State.BROKEN)
        assert not broken or not connection._buffer  # pyright: ignore[reportPrivateUsage]  # no view
    assert len(connection.receive_eof()) == 1


@given(st.sampled_from(sorted(KINDS)).map(KINDS.__getitem__), STREAMS)
def test_any_reply_is_a_value_or_an_agi_error(kind: CommandKind, stream: bytes) -> None:
    """Whatever a peer answers, no command raises another kind of error."""
    connection = _sent(Command(kind, b"X\n", nothing))
    for event in connection.receive_data(stream):
        if isinstance(event, ReplyReceived):
            for built in COMMANDS:
                with suppress(AgiError):
                    built.read(event.reply)


@given(
    st.from_regex(
        re.compile(r"\A200 result=-?[0-9]{0,22}( \([a-z]{0,7}\))?( endpos=-?[0-9]{0,30})?\Z")
    )
)
def test_any_number_is_a_value_or_an_agi_error(line: str) -> None:
    """Numbers of any length, where Python's own conversions have limits."""
    for built in COMMANDS:
        with suppress(AgiError):
            built.read(parse_reply(line, holds_value=built.kind.holds_value))


COMMANDS: list[Command[Any]] = [
    agi.answer(),
    agi.channel_status(),
    agi.database_deltree("f"),
    agi.database_get("f", "k"),
    agi.database_put("f", "k", "v"),
    agi.execute("NoOp"),
    agi.get_data("f"),
    agi.get_full_variable("${X}"),
    agi.get_variable("X"),
    agi.gosub("c", "s", 1),
    agi.receive_char(1),
    agi.receive_text(1),
    agi.record_file("f", "wav", "", 1),
    agi.say_digits("1"),
    agi.speech_recognize("f", 1),
    agi.stream_file("f"),
    agi.verbose("m"),
    agi.wait_for_digit(1),
]
"""One command for each way of reading a reply."""
