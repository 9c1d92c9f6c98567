"""The number that a browser's INVITE is for, from whom its call invites."""

import re
from collections.abc import Sequence

MAX_NUMBER_LENGTH = 80
"""Of an extension in Asterisk's dialplan (AST_MAX_EXTENSION)."""

_FOREIGN = re.compile(r"[^A-Za-z0-9*#+._-]")


def number_of(participants: Sequence[str]) -> str:
    """The first participant's number or name: the resource of a dial string, without its trunk.

    What could mean anything in a URI or in the dialplan is left out.
    """
    first = participants[0]
    _, slash, resource = first.partition("/")
    number = resource.partition("@")[0] if slash else first
    return _FOREIGN.sub("", number)[:MAX_NUMBER_LENGTH] or "unknown"
