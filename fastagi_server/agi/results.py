"""How results become Python values. `R` in Asterisk's own words: 0, a digit's code, or -1."""

import re
from dataclasses import dataclass

from fastagi_server.agi.errors import AgiReplyError
from fastagi_server.agi.replies import FailedResultError, Reply

MAX_CODE = 255
"""The largest code of a digit or character: Asterisk answers one byte."""

_DIGIT = re.compile(r" digit=(\S)(?: |\Z)")


@dataclass(frozen=True, slots=True)
class Playback:
    """A playback's end: the digit that ended it ("" for none) and where, in `position`.

    `position` counts samples, but milliseconds for CONTROL STREAM FILE.
    """

    digit: str
    position: int


@dataclass(frozen=True, slots=True)
class Digits:
    """Collected digits, and whether the time-out ended the collection (rather than `#`)."""

    digits: str
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's end: `reason` is Asterisk's word (dtmf, timeout, hangup, ...), "" when none.

    `digit` is the digit that ended it; `position` counts samples.
    """

    reason: str
    digit: str
    position: int


@dataclass(frozen=True, slots=True)
class GosubResult:
    """How a subroutine ended: `abnormal` when it left by something other than Return()."""

    abnormal: bool


@dataclass(frozen=True, slots=True)
class Speech:
    """What SPEECH RECOGNIZE heard: `outcome` is speech, digit, hangup, timeout or "".

    `results` is Asterisk's own text of the alternatives with scores, unparsed, because engines
    differ in it; `digit` the digit for outcome digit; `position` in samples.
    """

    outcome: str
    digit: str
    results: str
    position: int


def nothing(_reply: Reply) -> None:
    """The result says nothing."""


def done(reply: Reply) -> None:
    """0 or more is success; -1 raises."""
    if reply.number < 0:
        raise FailedResultError


def flag(reply: Reply) -> bool:
    """1 is true."""
    return reply.result == "1"


def number(reply: Reply) -> int:
    """The number itself; -1 raises."""
    done(reply)
    return reply.number


def return_code(reply: Reply) -> int:
    """The number itself, whatever it is."""
    return reply.number


def digit(reply: Reply) -> str:
    """The digit pressed, "" for none; -1 raises."""
    if reply.number < 0:
        raise FailedResultError
    return character(reply)


def character(reply: Reply) -> str:
    """The character of a code, "" for 0 and for -1."""
    code = reply.number
    if code > MAX_CODE:
        raise AgiReplyError("reply", f"result={code} is the code of no character")
    return chr(code) if code > 0 else ""


def playback(reply: Reply) -> Playback:
    """`R endpos=N`."""
    return Playback(digit(reply), reply.end_position)


def digits(reply: Reply) -> Digits:
    """`digits`, `digits (timeout)`, or -1."""
    if reply.result == "-1":
        raise FailedResultError
    return Digits(reply.result, reply.text == "timeout")


def value(reply: Reply) -> str | None:
    """`1 (value)`, or None when unset."""
    return reply.text if reply.result == "1" else None


def full_value(reply: Reply) -> str:
    """`1 (value)`; a channel that does not exist raises."""
    if reply.result != "1":
        raise FailedResultError
    return reply.text or ""


def database_value(reply: Reply) -> str | None:
    """`1 (value)`, None when absent; -1 raises."""
    if reply.result == "-1":
        raise FailedResultError
    return value(reply)


def deleted_tree(reply: Reply) -> bool:
    """DATABASE DELTREE answers inverted: 0 when something was deleted, 1 when nothing was."""
    return reply.result == "0"


def recording(reply: Reply) -> Recording:
    """`R (reason) endpos=N`; hangup is a reason, not an error, so that the file can be kept."""
    pressed = character(reply) if reply.text == "dtmf" else ""
    return Recording(reply.text or "", pressed, reply.end_position)


def gosub(reply: Reply) -> GosubResult:
    """`0 Gosub complete`, with `(abnormal exit)` or not; anything else raises."""
    if reply.result != "0":
        raise FailedResultError
    return GosubResult("abnormal" in f"{reply.text}{reply.tail}")


def speech(reply: Reply) -> Speech:
    """`1 (speech) endpos=N results=...`, `1 (digit) digit=D ...`, `1 (timeout) ...` or 0."""
    outcome = (reply.text or "") if reply.result == "1" else ""
    match = _DIGIT.match(reply.tail) if outcome == "digit" else None
    _, _, results = reply.tail.partition(" results=")
    return Speech(outcome, match[1] if match else "", results, reply.end_position)
