"""Typed values out of manager messages, which are input like any other: checked before use.

A message is lines of `Name: value`. What an event cannot do without (whose channel, which bridge)
is demanded; anything else that is missing or makes no sense is empty or 0.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from fastagi_server.ami.errors import AmiMessageError
from fastagi_server.ami.events import Bridge, Channel

Headers = Mapping[str, str]
"""The headers of a message, named as Asterisk writes them."""

LINE_END = "\r\n"
NOTHING = frozenset({"<unknown>", "<null>"})
"""How Asterisk writes that there is none."""

MOST_DIGITS = 10
_MICROSECONDS = 1_000_000
_EVENT = b"Event: "


def event_name(message: bytes) -> bytes:
    """The name of the event that a message is, empty when it is none."""
    if not message.startswith(_EVENT):
        return b""
    end = message.find(b"\r", len(_EVENT))
    return message[len(_EVENT) :] if end < 0 else message[len(_EVENT) : end]


def read_headers(message: bytes) -> dict[str, str]:
    """The headers of a message; lines that are none are left out.

    Of two headers of one name the first counts: Asterisk writes its own before those that somebody
    else chose. What is no UTF-8, and NUL, becomes U+FFFD.
    """
    text = message.decode("utf-8", "replace").replace("\0", "\ufffd")
    lines = text.split(LINE_END)
    lines.reverse()
    try:
        return dict([line.split(": ", 1) for line in lines])
    except ValueError:
        return dict([line.split(": ", 1) for line in lines if ": " in line])


def number(headers: Headers, name: str) -> int:
    """A count of at most ten digits; 0 for anything else."""
    value = headers.get(name, "")
    if value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS:
        return int(value)
    return 0


def text(headers: Headers, name: str) -> str:
    """A text; what Asterisk writes for none is empty."""
    value = headers.get(name, "")
    return "" if value in NOTHING else value


def identifier(headers: Headers, name: str) -> str:
    """A text that must be there. Raises `AmiMessageError`."""
    value = headers.get(name)
    if not value:
        raise AmiMessageError(f"a {headers.get('Event', 'message')} without {name}")
    return value


def instant(headers: Headers, received: datetime) -> datetime:
    """When it happened: the Unix time of the header Timestamp, else `received`."""
    stamp = headers.get("Timestamp")
    if stamp is None:
        return received
    try:
        return datetime.fromtimestamp(float(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        return received


def channel(headers: Headers) -> Channel:
    """The channel of a message. Raises `AmiMessageError` when its unique id is missing."""
    get = headers.get
    unique_id = identifier(headers, "Uniqueid")
    return Channel(
        unique_id,
        get("Linkedid") or unique_id,
        get("Channel", ""),
        get("ChannelStateDesc", ""),
        text(headers, "CallerIDNum"),
        text(headers, "CallerIDName"),
        text(headers, "ConnectedLineNum"),
        get("Exten", ""),
        get("Context", ""),
        get("AccountCode", ""),
    )


def called_channel(headers: Headers) -> Channel:
    """The channel that is being called. Raises `AmiMessageError` when its id is missing."""
    get = headers.get
    unique_id = identifier(headers, "DestUniqueid")
    return Channel(
        unique_id,
        get("DestLinkedid") or unique_id,
        get("DestChannel", ""),
        get("DestChannelStateDesc", ""),
        text(headers, "DestCallerIDNum"),
        text(headers, "DestCallerIDName"),
        text(headers, "DestConnectedLineNum"),
        get("DestExten", ""),
        get("DestContext", ""),
        get("DestAccountCode", ""),
    )


def bridge(headers: Headers) -> Bridge:
    """The bridge of a message. Raises `AmiMessageError` when its id is missing."""
    return Bridge(
        identifier(headers, "BridgeUniqueid"),
        headers.get("BridgeType", ""),
        headers.get("BridgeTechnology", ""),
        text(headers, "BridgeCreator"),
        text(headers, "BridgeName"),
        number(headers, "BridgeNumChannels"),
    )


def roundtrip_seconds(headers: Headers) -> float:
    """How long a contact took to answer; 0.0 when it was not asked."""
    return number(headers, "RoundtripUsec") / _MICROSECONDS
