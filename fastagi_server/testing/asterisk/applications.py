"""Dialplan applications that EXEC can run, and how they split their options."""

import asyncio
from collections.abc import Mapping

from fastagi_server.testing.asterisk.channel import UP, Application, Channel
from fastagi_server.testing.asterisk.functions import write
from fastagi_server.testing.asterisk.text import leading_int

MOST_PAIRS = 99
"""MSet takes this many pairs; the last one swallows the rest of the options."""

UNKNOWN_APPLICATION = -2


async def execute(channel: Channel, application: str, options: str) -> int:
    """Run an application by its name, in any case of letters; -2 where there is none."""
    own = {name.lower(): run for name, run in channel.pbx.applications.items()}
    run = own.get(application.lower()) or _BUILT_IN.get(application.lower())
    return UNKNOWN_APPLICATION if run is None else await run(channel, options)


def split_options(options: str, most: int = MOST_PAIRS) -> list[str]:
    """Split options at commas outside quotes, parentheses and brackets.

    Quotes go away, and so does the backslash before a character that it makes literal.
    """
    parts = [""]
    parentheses = brackets = 0
    quoted = escaped = False
    for character in options:
        if escaped:
            parts[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not (quoted or parentheses or brackets) and len(parts) < most:
            parts.append("")
        else:
            parts[-1] += character
            parentheses = max(0, parentheses + (character == "(") - (character == ")"))
            brackets = max(0, brackets + (character == "[") - (character == "]"))
    return parts


async def _mset(channel: Channel, options: str) -> int:
    for pair in split_options(options):
        name, equals, value = pair.partition("=")
        if equals:
            write(channel, name, value)
    return 0


async def _set(channel: Channel, options: str) -> int:
    name, equals, value = options.partition("=")
    if equals:
        write(channel, name, value)
    return 0


async def _noop(_channel: Channel, _options: str) -> int:
    return 0


async def _wait(channel: Channel, options: str) -> int:
    try:
        seconds = float(options or 0)
    except ValueError:
        seconds = 0.0
    if channel.hung_up:
        await asyncio.sleep(seconds / channel.pbx.speed)
        return 0
    stop = await channel.wait(max(seconds, 0.0))
    return -1 if stop.why == "hangup" else 0


async def _playback(channel: Channel, options: str) -> int:
    files = [name for name in split_options(options)[0].split("&") if name]
    if not files:
        return -1
    if channel.hung_up:
        return 0
    status = "SUCCESS"
    for name in files:
        if name in channel.pbx.missing_files:
            status = "FAILED"
        elif (await channel.wait(channel.pbx.sounds.get(name, 0.0))).why == "hangup":
            channel.variables["PLAYBACKSTATUS"] = "FAILED"
            return -1
    channel.variables["PLAYBACKSTATUS"] = status
    return 0


async def _answer(channel: Channel, _options: str) -> int:
    channel.state = UP
    return 0


async def _hang_up(channel: Channel, options: str) -> int:
    channel.hang_up(leading_int(options))
    return -1


async def _goto(channel: Channel, options: str) -> int:
    """`[[context,]extension,]priority`; the dialplan goes there when AGI() ends."""
    *place, priority = [part.strip() for part in split_options(options)]
    number = leading_int(priority) or channel.pbx.labels.get(priority)
    if number is None:
        return -1
    if place:
        channel.extension = place[-1]
    if len(place) > 1:
        channel.context = place[0]
    channel.priority = number - 1
    return 0


_BUILT_IN: Mapping[str, Application] = {
    "answer": _answer,
    "goto": _goto,
    "hangup": _hang_up,
    "log": _noop,
    "mset": _mset,
    "noop": _noop,
    "playback": _playback,
    "set": _set,
    "verbose": _noop,
    "wait": _wait,
}
