"""The state machine of one AGI connection: bytes in, events out; commands in, bytes out.

The laws:

1. The first thing heard is the environment, up to its empty line; nothing is said before it.
2. One command is in flight. The next is sent when its reply has come, never earlier: Asterisk
   keeps a second line in its buffer until more bytes arrive.
3. `HANGUP` is no reply. It may come at any time, also between a command and its reply, and from
   then on the channel is dead: only dead-safe commands may be sent.
4. A running playback may be cut short by `interrupt`. Whether its reply still comes cannot be
   known, so the interrupting line is a marker that Asterisk echoes, and all before the echo is
   dropped. The same marker restores order after an application that makes Asterisk answer twice:
   while `needs_sync` is set, nothing but the marker or the last lines may be sent. By law 2 a
   marker that Asterisk read together with the command is not seen until more bytes arrive (in
   practice, one sent within half a millisecond), hence `interrupt` may be repeated.
5. The last lines of a session go out together by `finish`, followed by a half-close: end of file
   is what makes Asterisk execute all of them in one round trip, behind a command still in flight.
   Only the end of the stream is heard from then on: which replies belong to the batch could not be
   told, and Asterisk sends a `HANGUP` at every end.
6. A peer that breaks the protocol is not believed again: after `PeerBroke` the connection hears
   nothing more, but may still say its last lines.

    ENVIRONMENT -> IDLE -> AWAITING -> IDLE
                             └-> SYNCING -> IDLE
    any of these -> FINISHING -> CLOSED        by `finish`, then by end of stream
    any of these -> BROKEN -> FINISHING        by the peer's fault
"""

from collections.abc import Iterable
from secrets import token_hex
from typing import Any

from fastagi_server.agi.command import KINDS, Command, CommandKind, WhenInterrupted
from fastagi_server.agi.errors import (
    AgiDeadChannelError,
    AgiGuardError,
    AgiRemoteError,
    AgiReplyError,
    AgiRequestError,
    AgiStateError,
)
from fastagi_server.agi.events import (
    Event,
    HangupReceived,
    PeerBroke,
    ReplyReceived,
    RequestReceived,
    State,
    StreamEnded,
    SyncReceived,
)
from fastagi_server.agi.guards import LINE_LIMIT, line_limit
from fastagi_server.agi.replies import USAGE, parse_reply
from fastagi_server.agi.request import parse_request

MAX_ENVIRONMENT = 64 * 1024
"""Bytes of the environment block; 127 arguments of 500 bytes fit."""

MAX_REPLY = 1024 * 1024
"""Bytes of one reply; GET FULL VARIABLE has no limit of its own."""

_DEAF = (State.FINISHING, State.BROKEN, State.CLOSED)
"""States in which only the end of the stream is heard; a tuple, because hashing an Enum costs
more than the comparisons, and Asterisk may send each line of its environment by itself."""

_FIRST_BYTES = b"agi_"
_HANGUP = b"HANGUP"
_USAGE_END = "520 End of proper usage."


def failure_line(reason: str) -> bytes:
    """The line that makes Asterisk leave AGI with AGISTATUS=FAILURE; the dialplan goes on.

    Asterisk reads no further than the first word; `reason` is for whoever traces the wire.
    """
    return f"failure {reason}\n".encode("ascii", "replace")


class AgiConnection:
    """The protocol of one session; see the laws above.

    `max_environment` and `max_reply` bound what is buffered, in bytes.
    """

    __slots__ = (
        "_block",
        "_buffer",
        "_gathered",
        "_kind",
        "_line_limit",
        "_marker",
        "_max_environment",
        "_max_reply",
        "_scanned",
        "dead",
        "needs_sync",
        "state",
    )

    def __init__(
        self, *, max_environment: int = MAX_ENVIRONMENT, max_reply: int = MAX_REPLY
    ) -> None:
        self.state = State.ENVIRONMENT
        self.dead = False
        self.needs_sync = False
        self._buffer = bytearray()
        self._scanned = 0
        self._block: list[str] = []
        self._gathered = 0
        self._kind: CommandKind | None = None
        self._marker = ""
        self._line_limit = LINE_LIMIT
        self._max_environment = max_environment
        self._max_reply = max_reply

    # -- what is said --

    def send(self, command: Command[Any]) -> bytes:
        """The bytes of one command, which is then in flight.

        Raises `AgiStateError` unless IDLE and in step, `AgiDeadChannelError` for a command that a
        dead channel refuses, `AgiGuardError` for a line longer than this Asterisk reads.
        """
        if self.needs_sync:
            raise AgiStateError(f"{command.kind.name} cannot be sent before `synchronise`")
        if self.state is not State.IDLE:
            raise AgiStateError(f"{command.kind.name} cannot be sent while {self.state.value}")
        line = self._checked(command)
        self.state = State.AWAITING
        self._kind = command.kind
        return line

    def interrupt(self) -> bytes:
        """The bytes that stop the playback in flight; `SyncReceived` tells that it is over.

        To be called again, after some tens of milliseconds, while that event does not come: only
        the last marker's echo counts. Raises `AgiStateError` when nothing that can be interrupted
        is in flight.
        """
        kind = self._kind
        if self.state is not State.SYNCING and (
            self.state is not State.AWAITING
            or kind is None
            or kind.when_interrupted is WhenInterrupted.FINISHES
        ):
            raise AgiStateError(f"nothing to interrupt while {self.state.value}")
        return self._send_marker()

    def synchronise(self) -> bytes:
        """The bytes of a marker, sent while IDLE when a stray reply may still be on its way."""
        if self.state is not State.IDLE:
            raise AgiStateError(f"cannot synchronise while {self.state.value}")
        return self._send_marker()

    def finish(self, commands: Iterable[Command[Any]], failure: str = "") -> bytes:
        """The session's last bytes; the caller half-closes right behind them.

        With `failure`, a short text, Asterisk ends AGI with AGISTATUS=FAILURE after the commands.
        A command in flight is no longer waited for: Asterisk executes the batch behind it.
        Raises `AgiStateError` before the environment (unless `commands` is empty) and after the
        end, otherwise as `send` does.
        """
        batch = list(commands)
        if self.state in (State.FINISHING, State.CLOSED):
            raise AgiStateError(f"cannot finish while {self.state.value}")
        if batch and self.state is State.ENVIRONMENT:
            raise AgiStateError("no command can be sent before the environment is complete")
        data = b"".join([command.line for command in batch])
        if self.dead or len(data) > self._line_limit:  # else every line is within its limit
            for command in batch:
                self._checked(command)
        self._leave(State.FINISHING)
        return data + failure_line(failure) if failure else data

    def _checked(self, command: Command[Any]) -> bytes:
        if self.dead and not command.kind.dead_safe:
            raise AgiDeadChannelError(f"{command.kind.name} needs a live channel")
        line = command.line
        if len(line) > self._line_limit:
            raise AgiGuardError(
                f"{command.kind.name} of {len(line)} bytes; this Asterisk reads {self._line_limit}"
            )
        return line

    def _send_marker(self) -> bytes:
        self._marker = f"sync-{token_hex(6)}"
        self.state = State.SYNCING
        self.needs_sync = False
        self._kind = KINDS["GET FULL VARIABLE"]
        return f'GET FULL VARIABLE "{self._marker}"\n'.encode()

    # -- what is heard --

    def receive_data(self, data: bytes) -> list[Event]:
        """The events in these bytes; how TCP cut them makes no difference."""
        if self.state in _DEAF:
            return []
        self._buffer += data
        events: list[Event] = []
        try:
            if self.state is State.ENVIRONMENT:
                self._receive_environment(events)
            if self.state is not State.ENVIRONMENT:
                self._receive_lines(events)
        except AgiRemoteError as error:
            self._leave(State.BROKEN)
            events.append(PeerBroke(error))
        return events

    def receive_eof(self) -> list[Event]:
        """The events of the peer's end of stream."""
        if self.state is State.CLOSED:
            return []
        cut_short = self.state is State.ENVIRONMENT and bool(self._buffer)
        seen = len(self._buffer)
        self._leave(State.CLOSED)
        if cut_short:
            return [PeerBroke(AgiRequestError("environment", f"cut short after {seen} bytes"))]
        return [StreamEnded()]

    def _leave(self, state: State) -> None:
        self.state = state
        self._buffer = bytearray()
        self._block.clear()

    def _receive_environment(self, events: list[Event]) -> None:
        buffer, scanned = self._buffer, self._scanned
        if scanned < len(_FIRST_BYTES) and not buffer.startswith(_FIRST_BYTES[: len(buffer)]):
            # a port scan, a lost web browser
            raise AgiRequestError("environment", f"not AGI: {bytes(buffer[:20])!r}")
        end = buffer.find(b"\n\n", scanned - 1 if scanned else 0)
        self._scanned = len(buffer)
        # without the empty line, the last byte may be the first of its two newlines
        if (len(buffer) - 1 if end < 0 else end) > self._max_environment:
            raise AgiRequestError("environment", f"longer than {self._max_environment} bytes")
        if end < 0:
            return
        request = parse_request(bytes(buffer[:end]))
        self._buffer = buffer[end + 2 :]  # a buffer that is only emptied keeps its memory
        self._scanned = 0
        self._line_limit = line_limit(request.version)
        self.state = State.IDLE
        events.append(RequestReceived(request))

    def _receive_lines(self, events: list[Event]) -> None:
        buffer = self._buffer
        start = 0
        while (end := buffer.find(b"\n", max(start, self._scanned))) >= 0:
            line = bytes(buffer[start:end])
            self._scanned = start = end + 1
            self._gathered += len(line) + 1
            self._check_size(self._gathered)
            self._receive_line(line, events)
            if not self._block:
                self._gathered = 0
        if start:
            del buffer[:start]
        self._scanned = len(buffer)
        self._check_size(self._gathered + len(buffer))

    def _check_size(self, size: int) -> None:
        if size > self._max_reply:
            raise AgiReplyError("reply_size", f"a reply longer than {self._max_reply} bytes")

    def _receive_line(self, line: bytes, events: list[Event]) -> None:
        if line == _HANGUP and not self._inside_value():
            if not self.dead:
                self.dead = True
                events.append(HangupReceived())
            return
        text = line.decode("utf-8", "surrogateescape")
        if self.state is State.IDLE and not self.needs_sync:
            raise AgiReplyError("unexpected", f"a reply to nothing: {text[:60]!r}")
        self._block.append(text)
        if not self._block_complete(text):
            return
        whole = "\n".join(self._block)
        self._block.clear()
        self._receive_reply(whole, events)

    def _inside_value(self) -> bool:
        return bool(self._block) and not self._block[0].startswith("520-")

    def _block_complete(self, last: str) -> bool:
        """Whether the lines gathered so far are one whole reply."""
        first = self._block[0]
        if first.startswith("520-"):  # before 13.17 the end was glued to the last usage line
            return last.startswith("520 ") or last.endswith(_USAGE_END)
        if self.state is not State.AWAITING or self._kind is None or not self._kind.holds_value:
            return True
        if not first.startswith("200 result=") or "(" not in first:
            return True
        return last.endswith(")")

    def _receive_reply(self, text: str, events: list[Event]) -> None:
        if text.startswith("100 "):  # GOSUB says that it begins
            return
        state = self.state
        if state is State.SYNCING:
            if text == f"200 result=1 ({self._marker})":
                self.state = State.IDLE
                self._kind = None
                events.append(SyncReceived())
        elif state is State.AWAITING and self._kind is not None:
            reply = parse_reply(text, holds_value=self._kind.holds_value)
            # an application that returned 1 makes Asterisk add a usage block to its reply
            self.needs_sync = self._kind.name == "EXEC" and reply.result == "1"
            self.state = State.IDLE
            events.append(ReplyReceived(reply))
        elif self.needs_sync and text.startswith(str(USAGE)):
            self.needs_sync = False
        else:
            raise AgiReplyError("unexpected", f"a reply to nothing: {text[:60]!r}")
