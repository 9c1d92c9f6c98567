"""Commands about the call itself: answer, hang up, where the dialplan goes on."""

from fastagi_server.agi import results
from fastagi_server.agi.command import Command, command

ANSWER_SECONDS = 60.0
"""ANSWER waits for media on some channel drivers; Asterisk itself has no time-out here."""


def answer() -> Command[None]:
    """Answer the channel."""
    return command("ANSWER", parse=results.done, seconds=ANSWER_SECONDS)


def asyncagi_break() -> Command[None]:
    """End Async AGI; over FastAGI it answers 0 and does nothing."""
    return command("ASYNCAGI BREAK", parse=results.nothing)


def channel_status(channel: str = "") -> Command[int]:
    """State 0 (down) to 9 of this channel or of the named one; an unknown channel raises."""
    return command("CHANNEL STATUS", *([channel] if channel else []), parse=results.number)


def hangup(channel: str = "") -> Command[None]:
    """Hang up this channel or the named one; an unknown channel raises."""
    return command("HANGUP", *([channel] if channel else []), parse=results.done)


def set_autohangup(seconds: float) -> Command[None]:
    """Hang up by itself after `seconds`; 0 switches it off."""
    return command("SET AUTOHANGUP", seconds, parse=results.nothing)


def set_callerid(caller_id: str) -> Command[None]:
    """Set the caller id, written `name <number>`, 255 bytes at most."""
    return command("SET CALLERID", caller_id, parse=results.nothing)


def set_context(context: str) -> Command[None]:
    """Go on in this context when AGI ends; Asterisk does not check that it exists."""
    return command("SET CONTEXT", context, parse=results.nothing)


def set_extension(extension: str) -> Command[None]:
    """Go on at this extension when AGI ends; Asterisk does not check that it exists."""
    return command("SET EXTENSION", extension, parse=results.nothing)


def set_priority(priority: int | str) -> Command[None]:
    """Go on at this priority or label when AGI ends; an unknown label raises (520)."""
    return command("SET PRIORITY", priority, parse=results.nothing)
