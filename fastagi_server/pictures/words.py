"""Words for a terminal: what callers send must not steer it, and times are short."""

import unicodedata
from datetime import datetime
from typing import Any

UNKNOWN = "-"

_STEERING = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of what moves the cursor, colours, or turns the direction of the text."""


def plain(text: object) -> str:
    """The text with a replacement character for everything that would steer a terminal."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in _STEERING else each
        for each in str(text)
    )


def lasting(since: str, until: str) -> str:
    """The time between two moments of RFC 3339 as 0:07, 12:34 or 1:02:03."""
    seconds = max(0, int((_moment(until) - _moment(since)).total_seconds()))
    minutes, hours = seconds // 60 % 60, seconds // 3600
    if hours:
        return f"{hours}:{minutes:02}:{seconds % 60:02}"
    return f"{minutes}:{seconds % 60:02}"


def figure(value: Any, digits: int = 0, unit: str = "") -> str:
    """A number with its unit, or a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}{unit}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
