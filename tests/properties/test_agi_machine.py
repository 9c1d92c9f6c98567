"""Any sequence of what a session may do and a peer may say, against a model in a few lines."""

import re
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
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
    SyncReceived,
)

INTERRUPTIBLE: list[Command[Any]] = [
    agi.stream_file("f"),
    agi.get_data("f"),
    agi.get_option("f", "1"),
    agi.wait_for_digit(-1),
]
PLAIN: list[Command[Any]] = [
    agi.noop(),
    agi.answer(),
    agi.set_variable("X", "1"),
    agi.execute("NoOp"),
    agi.gosub("c", "s", 1),
    agi.say_digits("1"),
]
DEAD_SAFE = {"EXEC", "NOOP", "SET VARIABLE"}
MARKER_LINE = re.compile(rb'GET FULL VARIABLE "(sync-[0-9a-f]{12})"\n')
SET = agi.set_variable("X", "1")


class Session(RuleBasedStateMachine):
    """The model: where we are, which command is out, whether the caller is still there."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = AgiConnection()
        self.where = "environment"
        self.dead = False
        self.out: Command[Any] | None = None
        self.marker: bytes = b""
        self.in_step = True

    @initialize(split=st.integers(0, 60))
    def environment(self, split: int) -> None:
        """The request comes first, in two pieces."""
        block = b"agi_network: yes\nagi_uniqueid: 17.4\nagi_version: 22.10.1\n\n"
        events = self.connection.receive_data(block[:split])
        events += self.connection.receive_data(block[split:])
        assert [type(event) for event in events] == [RequestReceived]
        self.where = "idle"

    @rule(command=st.sampled_from([*PLAIN, *INTERRUPTIBLE]))
    def send(self, command: Command[Any]) -> None:
        """A command goes out only while idle, and to a dead channel only if that is safe."""
        if self.where != "idle" or not self.in_step:
            with pytest.raises(AgiStateError):
                self.connection.send(command)
        elif self.dead and command.kind.name not in DEAD_SAFE:
            with pytest.raises(AgiDeadChannelError):
                self.connection.send(command)
        else:
            assert self.connection.send(command) == command.line
            self.where, self.out = "awaiting", command

    @precondition(lambda self: self.where == "awaiting")
    @rule(code=st.sampled_from(["200 result=0", "200 result=1", "510 no", "511 no", "520 no"]))
    def reply(self, code: str) -> None:
        """The command in flight is answered once, or twice after an EXEC that returned 1."""
        assert self.out is not None
        (event,) = self.connection.receive_data(code.encode() + b"\n")
        assert isinstance(event, ReplyReceived)
        assert event.reply.code == int(code[:3])
        self.in_step = self.out.kind.name != "EXEC" or event.reply.result != "1"
        self.where, self.out = "idle", None

    @precondition(lambda self: self.where == "idle" and not self.in_step)
    @rule()
    def second_reply(self) -> None:
        """A usage block behind the reply of an EXEC is dropped, and puts us in step again."""
        assert self.connection.receive_data(b"520-x\nUsage\n520 End of proper usage.\n") == []
        self.in_step = True

    @precondition(lambda self: self.where in {"awaiting", "syncing"})
    @rule()
    def interim(self) -> None:
        """`100` promises a reply and is none."""
        assert self.connection.receive_data(b"100 result=0 Trying...\n") == []

    @precondition(lambda self: self.where in {"idle", "awaiting", "syncing"})
    @rule()
    def hang_up(self) -> None:
        """The first notice is an event."""
        expected = [] if self.dead else [HangupReceived()]
        assert self.connection.receive_data(b"HANGUP\n") == expected
        self.dead = self.dead or bool(expected)

    @rule()
    def interrupt(self) -> None:
        """Only four commands can be interrupted while they are out, and that again and again."""
        if self.where == "syncing" or (self.where == "awaiting" and self.out in INTERRUPTIBLE):
            self._marker_goes_out(self.connection.interrupt())
        else:
            with pytest.raises(AgiStateError):
                self.connection.interrupt()

    @rule()
    def synchronise(self) -> None:
        """A marker may be sent whenever nothing else is out."""
        if self.where == "idle":
            self._marker_goes_out(self.connection.synchronise())
        else:
            with pytest.raises(AgiStateError):
                self.connection.synchronise()

    @precondition(lambda self: self.where == "syncing")
    @rule(stray=st.sampled_from([b"", b"200 result=1\n", b"200 result=-1 endpos=8\n", b"what\n"]))
    def marker_comes_back(self, stray: bytes) -> None:
        """Whatever came before it is dropped."""
        data = stray + b"200 result=1 (" + self.marker + b")\n"
        assert self.connection.receive_data(data) == [SyncReceived()]
        self.where, self.out = "idle", None

    @rule(sets=st.integers(0, 3), failure=st.sampled_from(["", "overload"]))
    def finish(self, sets: int, failure: str) -> None:
        """The last lines may be said once, whatever is in flight."""
        if self.where in {"finishing", "closed"}:
            with pytest.raises(AgiStateError):
                self.connection.finish([SET] * sets, failure)
            return
        data = self.connection.finish([SET] * sets, failure)
        assert data == SET.line * sets + (b"failure overload\n" if failure else b"")
        self.where = "finishing"

    @precondition(lambda self: self.where == "idle" and self.in_step)
    @rule(data=st.sampled_from([b"200 result=0\n", b"\n", b"520-x\n"]))
    def reply_to_nothing(self, data: bytes) -> None:
        """It ends the connection."""
        self._breaks(data, "unexpected")

    @precondition(lambda self: self.where == "awaiting")
    @rule(data=st.sampled_from([b"\n", b"what\n", b"\xff\n"]))
    def garbage(self, data: bytes) -> None:
        """It ends the connection, too."""
        self._breaks(data, "reply")

    @precondition(lambda self: self.where != "environment")
    @rule()
    def end_of_stream(self) -> None:
        """Told once."""
        expected = [] if self.where == "closed" else [StreamEnded()]
        assert self.connection.receive_eof() == expected
        self.where = "closed"

    @precondition(lambda self: self.where in {"finishing", "broken", "closed"})
    @rule(data=st.binary(max_size=8) | st.sampled_from([b"HANGUP\n", b"200 result=1\n"]))
    def words_that_nobody_hears(self, data: bytes) -> None:
        """We have said our last, or have stopped believing."""
        assert self.connection.receive_data(data) == []

    @invariant()
    def the_model_holds(self) -> None:
        """State, hang-up and open replies are those of the model."""
        assert self.connection.state is State(self.where)
        assert self.connection.dead is self.dead
        assert self.connection.needs_sync is not self.in_step

    def _marker_goes_out(self, line: bytes) -> None:
        match: re.Match[bytes] | None = re.fullmatch(
            rb'GET FULL VARIABLE "(sync-[0-9a-f]{12})"\n', line
        )
        assert match is not None
        assert match[1] != self.marker
        self.where, self.marker, self.in_step = "syncing", match[1], True

    def _breaks(self, data: bytes, kind: str) -> None:
        (event,) = self.connection.receive_data(data)
        assert isinstance(event, PeerBroke)
        assert event.error.kind == kind
        self.where = "broken"


TestSession = Session.TestCase
TestSession.__doc__ = "The connection does what the model says, whatever happens in whatever order."
