"""What a command handler is given and what it gives back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastagi_server.testing.asterisk.channel import Channel
from fastagi_server.testing.asterisk.text import leading_int


class UsageError(Exception):
    """The arguments are wrong: Asterisk answers with a 520 block."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What follows `200 result=`; `None` is the silence of a command that was interrupted.

    `failed` marks the whole session as failed (AGISTATUS) if the channel is still up.
    """

    text: str | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One command's turn on the channel.

    `interrupted` tells whether the server has sent something since the command began, `interim`
    sends a line before the reply.
    """

    channel: Channel
    interrupted: Callable[[], bool]
    interim: Callable[[str], Awaitable[None]]


Handler = Callable[[Turn, Sequence[str]], Awaitable[Reply]]
"""Runs one command: takes the words after the command's own."""


def number(word: str) -> int:
    """Read a number as Asterisk does, trailing text ignored; a `UsageError` where there is none."""
    value = leading_int(word)
    if value is None:
        raise UsageError
    return value


def argument(arguments: Sequence[str], index: int, default: str = "") -> str:
    """Give an optional argument."""
    return arguments[index] if index < len(arguments) else default
