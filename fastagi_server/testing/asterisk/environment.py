"""The block of `agi_*` lines with which Asterisk opens a session."""

import math
import re
from collections.abc import Sequence

from fastagi_server.testing.asterisk.channel import Channel
from fastagi_server.testing.asterisk.text import encode

MOST_ARGUMENTS = 127
LINE_BYTES = 8191
OLD_LINE_BYTES = 2047

_RAISED_IN = {20: 16, 21: 11, 22: 6}
"""The minor version of each series from which lines may be longer; later series all may."""


def environment(
    channel: Channel, *, request: str, script: str, version: str, arguments: Sequence[str]
) -> list[bytes]:
    """Give the lines in Asterisk's order, each with its line feed, the empty line last.

    Values are not escaped: a line feed in an argument makes header lines of its own, as with the
    real Asterisk. Arguments past the 127th are left out.
    """
    unknown = "unknown"
    fields = [
        ("network", "yes"),
        *([("network_script", script)] if script else []),
        ("request", request),
        ("channel", channel.name),
        ("language", channel.language),
        ("type", channel.name.partition("/")[0]),
        ("uniqueid", channel.unique_id),
        ("version", version),
        ("callerid", channel.caller_number or unknown),
        ("calleridname", channel.caller_name or unknown),
        ("callingpres", "0"),
        ("callingani2", "0"),
        ("callington", "0"),
        ("callingtns", "0"),
        ("dnid", channel.dialled_number or unknown),
        ("rdnis", unknown),
        ("context", channel.context),
        ("extension", channel.extension),
        ("priority", str(channel.priority)),
        ("enhanced", "0.0"),
        ("accountcode", channel.account_code),
        ("threadid", "139912345678592"),
        *((f"arg_{i}", value) for i, value in enumerate(arguments[:MOST_ARGUMENTS], start=1)),
    ]
    return [*(encode(f"agi_{name}: {value}\n") for name, value in fields), b"\n"]


def line_limit(version: str) -> int:
    """Give the longest command line in bytes, line feed included, that `version` takes whole.

    8191 from 20.16.0, 21.11.0 and 22.6.0 on and in every later series; 2047 before, and where
    the version cannot be read.
    """
    found = re.search(r"(\d+)\.(\d+)", version)
    if found is None:
        return OLD_LINE_BYTES
    major, minor = int(found[1]), int(found[2])
    raised = major > max(_RAISED_IN) or minor >= _RAISED_IN.get(major, math.inf)
    return LINE_BYTES if raised else OLD_LINE_BYTES
