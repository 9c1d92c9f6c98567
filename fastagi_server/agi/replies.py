"""Replies of Asterisk to AGI commands.

Forms (res_agi.c): `200 result=N`, `200 result=N (text)`, `200 result=N (text) endpos=K`,
`510 ...`, `511 ...`, `503 result=-2 ...`, and the block `520-...` to `520 End of proper usage.`
The result may be empty (`200 result= (timeout)`), and the text in parentheses may itself hold
parentheses and newlines.
"""

import re
from dataclasses import dataclass

from fastagi_server.agi.errors import AgiReplyError

SUCCESS = 200
MEMORY = 503
INVALID_COMMAND = 510
DEAD_CHANNEL = 511
USAGE = 520

_REPLY = re.compile(r"([0-9]{3}) result=(\S*)(?: (.*))?\Z", re.DOTALL)
_ERROR = re.compile(r"([0-9]{3})(?:[ -](.*))?\Z", re.DOTALL)
_WORD_IN_PARENTHESES = re.compile(r"\(([^)]*)\)(.*)\Z", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_END_POSITION = re.compile(r"(?:^| )endpos=(-?[0-9]{1,18})(?= |\Z)")


class FailedResultError(Exception):
    """A 200 whose result means failure; `Command.read` turns it into an `AgiCommandError`."""


@dataclass(slots=True)
class Reply:
    """One reply. `result` is the text after `result=`, `text` what stood in parentheses.

    `text` is None when there were no parentheses: Asterisk tells an empty value, `()`, from an
    unset one so. `tail` is whatever followed. For an error code `result` is "" and `tail` holds
    Asterisk's words.
    """

    code: int
    result: str = ""
    text: str | None = None
    tail: str = ""

    @property
    def number(self) -> int:
        """The result as a number; raises `AgiReplyError` when it is none."""
        if _NUMBER.match(self.result) is None:
            raise AgiReplyError("reply", f"result={self.result[:20]!r} is not a number")
        return int(self.result)

    @property
    def end_position(self) -> int:
        """`endpos=` of a playback or recording, 0 when the reply has none."""
        match = _END_POSITION.search(self.tail)
        return int(match[1]) if match else 0


_DONE = Reply(SUCCESS, "1")
_ZERO = Reply(SUCCESS, "0")


def parse_reply(line: str, *, holds_value: bool) -> Reply:
    """Read one reply, already framed, without its last newline.

    With `holds_value` the text in parentheses is a value that may contain `)`, so it reaches to the
    last one; otherwise it is a word such as `(timeout)` and ends at the first.

    Raises `AgiReplyError` when the line is no reply at all.
    """
    if line == "200 result=1":
        return _DONE
    if line == "200 result=0":
        return _ZERO
    match = _REPLY.match(line)
    if match is None:
        error = _ERROR.match(line)
        if error is None:
            raise AgiReplyError("reply", f"not a reply: {line[:60]!r}")
        return Reply(int(error[1]), tail=error[2] or "")
    code, result, rest = int(match[1]), match[2], match[3] or ""
    if not rest.startswith("("):
        return Reply(code, result, None, rest)
    if holds_value and (end := rest.rfind(")")) > 0:
        return Reply(code, result, rest[1:end], rest[end + 1 :])
    word = _WORD_IN_PARENTHESES.match(rest)
    if word is None:
        return Reply(code, result, None, rest)
    return Reply(code, result, word[1], word[2])
