"""Commands that play, record, collect digits, and send or receive text."""

from typing import Literal

from fastagi_server.agi import results
from fastagi_server.agi.command import GRACE_SECONDS, Command, command

DEFAULT_DIGIT_MS = 6000
"""GET DATA's own time-out for the first digit when none is given."""

BETWEEN_DIGITS_MS = 2000
"""GET DATA's time-out between digits."""

PROMPT_SECONDS = 600.0
"""The longest prompt that is waited for; Asterisk itself plays a file of any length."""


def control_stream_file(
    file: str,
    escape_digits: str = "",
    skip_ms: int = 3000,
    forward: str = "#",
    rewind: str = "*",
    pause: str = "",
    offset_ms: int = 0,
) -> Command[results.Playback]:
    """Play a file that the caller controls by digits; the position is in milliseconds."""
    return command(
        "CONTROL STREAM FILE",
        file,
        escape_digits,
        skip_ms,
        forward,
        rewind,
        pause,
        offset_ms,
        parse=results.playback,
        seconds=PROMPT_SECONDS,
    )


def get_data(
    file: str, timeout_ms: int | None = None, max_digits: int = 1024
) -> Command[results.Digits]:
    """Play a prompt and collect digits up to `#`, `max_digits` or the time-out for one digit.

    A time-out below 0 waits for ever.
    """
    wait_ms = DEFAULT_DIGIT_MS if timeout_ms is None else timeout_ms
    between = max(wait_ms, BETWEEN_DIGITS_MS) / 1000
    longest = PROMPT_SECONDS + min(max_digits, 64) * between + GRACE_SECONDS
    return command(
        "GET DATA",
        file,
        wait_ms,
        max_digits,
        parse=results.digits,
        seconds=longest if wait_ms >= 0 else None,
    )


def get_option(
    file: str, escape_digits: str, timeout_ms: int | None = None
) -> Command[results.Playback]:
    """Play a prompt and wait for one of `escape_digits`; the position is in samples."""
    return command(
        "GET OPTION",
        file,
        escape_digits,
        *([] if timeout_ms is None else [timeout_ms]),
        parse=results.playback,
        seconds=PROMPT_SECONDS + (timeout_ms or 5000) / 1000 + GRACE_SECONDS,
    )


def receive_char(timeout_ms: int) -> Command[str]:
    """Wait for one character of text, "" at the time-out or the hang-up (0 ms: for ever).

    Asterisk takes the first byte of the text, whatever its encoding.
    """
    return command(
        "RECEIVE CHAR", timeout_ms, parse=results.character, seconds=_wait_seconds(timeout_ms or -1)
    )


def receive_text(timeout_ms: int) -> Command[str | None]:
    """Wait for a line of text, None at the time-out or the hang-up (0 ms: for ever)."""
    return command(
        "RECEIVE TEXT", timeout_ms, parse=results.value, seconds=_wait_seconds(timeout_ms or -1)
    )


def record_file(
    file: str,
    file_format: str,
    escape_digits: str,
    timeout_ms: int,
    *,
    offset_samples: int = 0,
    beep: bool = False,
    silence_seconds: int = 0,
) -> Command[results.Recording]:
    """Record until a digit, the time-out (-1: none), `silence_seconds` of silence, or hang-up."""
    optional: list[str | int] = [offset_samples] if offset_samples else []
    if beep:
        optional.append("BEEP")
    if silence_seconds:
        optional.append(f"s={silence_seconds}")
    return command(
        "RECORD FILE",
        file,
        file_format,
        escape_digits,
        timeout_ms,
        *optional,
        parse=results.recording,
        seconds=_wait_seconds(timeout_ms),
    )


def send_image(image: str) -> Command[None]:
    """Send an image, where the channel can carry one."""
    return command("SEND IMAGE", image, parse=results.done)


def send_text(text: str) -> Command[None]:
    """Send text, where the channel can carry it."""
    return command("SEND TEXT", text, parse=results.done)


def set_music(*, on: bool, music_class: str = "") -> Command[None]:
    """Start or stop music on hold."""
    return command(
        "SET MUSIC",
        "on" if on else "off",
        *([music_class] if music_class else []),
        parse=results.nothing,
    )


def stream_file(
    file: str, escape_digits: str = "", offset_samples: int = 0
) -> Command[results.Playback]:
    """Play a file; a missing one raises and makes AGISTATUS=FAILURE at the session's end."""
    return command(
        "STREAM FILE",
        file,
        escape_digits,
        *([offset_samples] if offset_samples else []),
        parse=results.playback,
        seconds=PROMPT_SECONDS,
    )


def tdd_mode(mode: Literal["on", "off", "mate", "tdd"]) -> Command[bool]:
    """Set the text telephone mode; whether the channel supports it."""
    return command("TDD MODE", mode, parse=results.flag)


def wait_for_digit(timeout_ms: int) -> Command[str]:
    """Wait for one digit, "" at the time-out (-1: for ever)."""
    return command(
        "WAIT FOR DIGIT", timeout_ms, parse=results.digit, seconds=_wait_seconds(timeout_ms)
    )


def _wait_seconds(timeout_ms: int) -> float | None:
    return None if timeout_ms < 0 else timeout_ms / 1000 + GRACE_SECONDS
