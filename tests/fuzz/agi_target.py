"""What the fuzzer does with its bytes: a session of one `AgiConnection`, twice, cut differently.

The input is a script of steps divided by the byte 0x1e. The first byte of a step says what it is:
`d` the peer's bytes follow, `m` the peer echoes the marker, `e` the peer's end of stream, `s` send
the command chosen by the next byte, `i` interrupt, `y` synchronise, `f` finish with as many
commands as the next byte says. One connection hears each `d` at once, its twin byte by byte: both
must tell the same and end in the same state.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import Command
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiError, AgiLocalError
from fastagi_server.agi.events import Event, PeerBroke, ReplyReceived, State, StreamEnded

STEP = b"\x1e"
MAX_ENVIRONMENT = 600
MAX_REPLY = 300
SILENT = {State.BROKEN, State.FINISHING, State.CLOSED}

COMMANDS: list[Command[Any]] = [
    agi.noop(),
    agi.get_variable("X"),
    agi.get_full_variable("${X}"),
    agi.database_get("f", "k"),
    agi.execute("NoOp"),
    agi.gosub("c", "s", 1),
    agi.stream_file("f"),
    agi.get_data("f"),
    agi.get_option("f", "1"),
    agi.wait_for_digit(-1),
    agi.record_file("f", "wav", "", -1),
    agi.speech_recognize("f", 1),
    agi.receive_text(0),
    agi.receive_char(0),
    agi.set_priority("x"),
    agi.answer(),
]


class Twins:
    """Two connections that live the same session."""

    def __init__(self) -> None:
        self.pair = tuple(
            AgiConnection(max_environment=MAX_ENVIRONMENT, max_reply=MAX_REPLY) for _ in range(2)
        )
        self.broken = False

    def step(self, name: bytes, rest: bytes) -> None:
        """Do one step with both and compare."""
        whole, twin = self.pair
        number = rest[0] if rest else 0
        command = COMMANDS[number % len(COMMANDS)]
        match name:
            case b"d":
                pieces = (rest[place : place + 1] for place in range(len(rest)))
                self._hear(
                    whole.receive_data(rest), [e for p in pieces for e in twin.receive_data(p)]
                )
            case b"m" if whole.state is State.SYNCING:
                echoes = (f"200 result=1 ({_marker(one)})\n".encode() for one in self.pair)
                self._hear(*(o.receive_data(e) for o, e in zip(self.pair, echoes, strict=True)))
            case b"e":
                self._hear(whole.receive_eof(), twin.receive_eof())
            case b"s":
                self._say(lambda one: one.send(command))
            case b"i":
                self._say(lambda one: one.interrupt())
            case b"y":
                self._say(lambda one: one.synchronise())
            case b"f":
                self._say(lambda one: one.finish([agi.noop()] * (number % 4), "x"))
            case _:
                return
        self._compare()

    def _say(self, say: Callable[[AgiConnection], bytes]) -> None:
        for one in self.pair:
            with suppress(AgiLocalError):
                line = say(one)
                assert line.endswith(b"\n"), line

    def _hear(self, events: list[Event], twin_events: list[Event]) -> None:
        assert not self.broken or events in ([], [StreamEnded()]), events
        assert _plain(events) == _plain(twin_events), (events, twin_events)
        self.broken = any(isinstance(event, PeerBroke) for event in events) or self.broken
        assert not self.broken or self.pair[0].state in SILENT
        for event in events:
            if isinstance(event, ReplyReceived):
                for command in COMMANDS:
                    with suppress(AgiError):
                        command.read(event.reply)

    def _compare(self) -> None:
        whole, twin = self.pair
        for one in self.pair:
            assert _held(one) <= max(MAX_ENVIRONMENT + 1, MAX_REPLY)
        assert (whole.state, whole.dead) == (twin.state, twin.dead)
        assert whole.needs_sync is twin.needs_sync


def _plain(events: list[Event]) -> list[object]:
    """The events, with errors as their kinds: their words may quote what was buffered."""
    return [event.error.kind if isinstance(event, PeerBroke) else event for event in events]


def _marker(connection: AgiConnection) -> str:
    return connection._marker  # pyright: ignore[reportPrivateUsage]  # each twin has its own


def _held(connection: AgiConnection) -> int:
    """Bytes that a connection keeps between two segments."""
    buffer = connection._buffer  # pyright: ignore[reportPrivateUsage]  # no public view
    block = connection._block  # pyright: ignore[reportPrivateUsage]  # no public view
    return len(buffer) + sum(len(line) + 1 for line in block)


def run_session(data: bytes) -> None:
    """Live the session that these bytes describe; an assertion or any error is a finding."""
    twins = Twins()
    for step in data.split(STEP):
        twins.step(step[:1], step[1:])
