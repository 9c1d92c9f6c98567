"""What a command is: its kind, its line, and how its reply becomes a value.

`KINDS` is the table of the 47 commands of Asterisk 22 (46 in res_agi.c and GOSUB in app_stack.c)
with the facts that the state machine needs. Builders of typed commands are in `commands`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from fastagi_server.agi.errors import AgiCommandError, AgiGuardError
from fastagi_server.agi.guards import MAX_WORDS, quote
from fastagi_server.agi.replies import SUCCESS, FailedResultError, Reply

T = TypeVar("T")

GRACE_SECONDS = 5.0
"""How much longer than its own time-out a command may take before its session is given up."""


class WhenInterrupted(Enum):
    """What Asterisk does with a running command when the next line arrives."""

    FINISHES = "finishes"
    """It reads the line only after the command: most commands."""
    STOPS_SILENTLY = "stops silently"
    """It stops and never answers: STREAM FILE, GET DATA, GET OPTION."""
    STOPS_AND_REPLIES = "stops and replies"
    """It stops and answers `200 result=1`: WAIT FOR DIGIT."""


@dataclass(frozen=True, slots=True)
class CommandKind:
    """One row of the table.

    `dead_safe`: allowed on a dead channel. `holds_value`: the reply carries `(value)`, which may
    hold newlines. `answers_late`: Asterisk answers in two writes or after a wait, where the
    reader's delayed acknowledgement costs 40 ms unless TCP_QUICKACK is set.
    """

    name: str
    dead_safe: bool = False
    when_interrupted: WhenInterrupted = WhenInterrupted.FINISHES
    holds_value: bool = False
    answers_late: bool = False


def _kinds() -> dict[str, CommandKind]:
    dead_safe = (
        "ASYNCAGI BREAK|DATABASE DEL|DATABASE DELTREE|DATABASE PUT|NOOP|SET VARIABLE"
        "|SPEECH DESTROY|SPEECH UNLOAD GRAMMAR|VERBOSE"
    )
    live = (
        "ANSWER|CHANNEL STATUS|HANGUP|SEND IMAGE|SEND TEXT|SET AUTOHANGUP|SET CALLERID|SET CONTEXT"
        "|SET EXTENSION|SET MUSIC|SET PRIORITY|SPEECH ACTIVATE GRAMMAR|SPEECH CREATE"
        "|SPEECH DEACTIVATE GRAMMAR|SPEECH LOAD GRAMMAR|SPEECH SET|TDD MODE"
    )
    late = (
        "CONTROL STREAM FILE|RECEIVE CHAR|RECORD FILE|SAY ALPHA|SAY DATE|SAY DATETIME|SAY DIGITS"
        "|SAY NUMBER|SAY PHONETIC|SAY TIME|SPEECH RECOGNIZE"
    )
    silent = "GET DATA|GET OPTION|STREAM FILE"
    values = "DATABASE GET|GET FULL VARIABLE|GET VARIABLE"
    kinds = [
        *(CommandKind(name, dead_safe=True) for name in dead_safe.split("|")),
        *(CommandKind(name) for name in live.split("|")),
        *(CommandKind(name, answers_late=True) for name in late.split("|")),
        *(
            CommandKind(name, when_interrupted=WhenInterrupted.STOPS_SILENTLY, answers_late=True)
            for name in silent.split("|")
        ),
        *(CommandKind(name, dead_safe=True, holds_value=True) for name in values.split("|")),
        CommandKind("EXEC", dead_safe=True, answers_late=True),
        CommandKind("GOSUB", answers_late=True),
        CommandKind("RECEIVE TEXT", holds_value=True, answers_late=True),
        CommandKind(
            "WAIT FOR DIGIT",
            when_interrupted=WhenInterrupted.STOPS_AND_REPLIES,
            answers_late=True,
        ),
    ]
    return {kind.name: kind for kind in kinds}


KINDS = _kinds()
"""All commands by name."""


@dataclass(slots=True)
class Command(Generic[T]):
    """One command, ready to send, whose reply is read as a `T`.

    `line` is complete with its newline. `seconds` is how long the reply may take, grace included;
    None when only the command itself knows (a Dial, a subroutine).
    """

    kind: CommandKind
    line: bytes
    parse: Callable[[Reply], T]
    seconds: float | None = GRACE_SECONDS

    def read(self, reply: Reply) -> T:
        """Turn the reply into the command's value.

        Raises `AgiCommandError` for any code but 200 and for results that mean failure.
        """
        if reply.code == SUCCESS:
            try:
                return self.parse(reply)
            except FailedResultError:
                pass
        words = f"{reply.text or ''} {reply.tail}".strip()
        raise AgiCommandError(self.kind.name, reply.code, reply.result, words)


def command(
    name: str,
    *arguments: str | float,
    parse: Callable[[Reply], T],
    seconds: float | None = GRACE_SECONDS,
) -> Command[T]:
    """Build a command from its name in the table and its unquoted arguments.

    Raises `AgiGuardError` for characters that cannot be written and for more than 126 words.
    """
    kind = KINDS[name]
    if len(arguments) + name.count(" ") + 1 > MAX_WORDS:
        raise AgiGuardError(f"{name} with {len(arguments)} arguments would crash Asterisk")
    words = [name, *(quote(a) if isinstance(a, str) else str(a) for a in arguments)]
    return Command(kind, encode(" ".join(words)) + b"\n", parse, seconds)


def encode(text: str) -> bytes:
    """The bytes of quoted text, those that were never UTF-8 as they came.

    Raises `AgiGuardError` for a lone surrogate that stands for no byte.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise AgiGuardError("an AGI argument holds a character that has no bytes") from None
