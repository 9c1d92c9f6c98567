"""SAY commands: each gives the digit that interrupted it, "" for none."""

from typing import Literal

from fastagi_server.agi import results
from fastagi_server.agi.command import Command, command
from fastagi_server.agi.commands.media import PROMPT_SECONDS

SAY_ALPHA_CASES = {"all": "a", "lower": "l", "none": "n", "upper": "u"}
"""Which letters SAY ALPHA names by their case."""

DATETIME_FORMAT = "ABdY 'digits/at' IMp"
"""SAY DATETIME's own format, to be written out when a time zone follows."""


def say_alpha(
    text: str, escape_digits: str = "", case: Literal["all", "lower", "none", "upper", ""] = ""
) -> Command[str]:
    """Spell text letter by letter."""
    return _say("SAY ALPHA", text, escape_digits, *([SAY_ALPHA_CASES[case]] if case else []))


def say_date(epoch_seconds: int, escape_digits: str = "") -> Command[str]:
    """Say the date of a moment in seconds since 1970."""
    return _say("SAY DATE", epoch_seconds, escape_digits)


def say_datetime(
    epoch_seconds: int, escape_digits: str = "", date_format: str = "", timezone: str = ""
) -> Command[str]:
    """Say date and time in a format of voicemail.conf and a time zone of the system."""
    if timezone:  # an empty format before it would say nothing
        optional = [date_format or DATETIME_FORMAT, timezone]
    else:
        optional = [date_format] if date_format else []
    return _say("SAY DATETIME", epoch_seconds, escape_digits, *optional)


def say_digits(digits: str, escape_digits: str = "") -> Command[str]:
    """Say each digit by itself."""
    return _say("SAY DIGITS", digits, escape_digits)


def say_number(
    number: int, escape_digits: str = "", gender: Literal["m", "f", "n", "c", "p", ""] = ""
) -> Command[str]:
    """Say a number, in a grammatical gender where the language has them."""
    return _say("SAY NUMBER", number, escape_digits, *([gender] if gender else []))


def say_phonetic(text: str, escape_digits: str = "") -> Command[str]:
    """Spell text with the phonetic alphabet."""
    return _say("SAY PHONETIC", text, escape_digits)


def say_time(epoch_seconds: int, escape_digits: str = "") -> Command[str]:
    """Say the time of day of a moment in seconds since 1970."""
    return _say("SAY TIME", epoch_seconds, escape_digits)


def _say(name: str, *arguments: str | int) -> Command[str]:
    return command(name, *arguments, parse=results.digit, seconds=PROMPT_SECONDS)
