"""What is there at the moment: the answers to CoreShowChannels, BridgeList and their kin."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastagi_server.ami.events import Bridge, Channel
from fastagi_server.ami.reading import (
    Headers,
    bridge,
    channel,
    identifier,
    number,
    roundtrip_seconds,
    text,
)


@dataclass(slots=True)
class ShownChannel:
    """One live channel. `bridge_id` is the bridge it is in, empty when in none.

    `seconds` is its age; `application` and `application_data` are what the dialplan has it do.
    """

    channel: Channel
    bridge_id: str
    application: str
    application_data: str
    seconds: int


@dataclass(slots=True)
class ShownContact:
    """One address at which an endpoint is registered.

    `status` is as in `events.ContactStatus`. `expires_at` is the Unix time of the registration's
    end, 0 for an address from a file. `roundtrip_seconds` is how long the last OPTIONS took.
    """

    aor: str
    endpoint: str
    uri: str
    status: str
    user_agent: str
    expires_at: int
    roundtrip_seconds: float


@dataclass(frozen=True, slots=True)
class AsteriskRun:
    """Which run of Asterisk a connection leads to.

    `started` is the start in Asterisk's own words and zone, fit only for comparing: another value
    is another run. `is_new` says that it differs from that of the last connection whose
    reconciliation succeeded, so that every id of then is void; it is false for the first one.
    """

    version: str
    system: str
    started: str
    is_new: bool


def read_channels(listed: Iterable[Headers]) -> list[ShownChannel]:
    """The channels of a CoreShowChannels. Raises `AmiMessageError` for one without an id."""
    return [
        ShownChannel(
            channel(headers),
            headers.get("BridgeId", ""),
            headers.get("Application", ""),
            headers.get("ApplicationData", ""),
            _seconds(headers.get("Duration", "")),
        )
        for headers in listed
    ]


def read_bridges(listed: Iterable[Headers]) -> list[Bridge]:
    """The bridges of a BridgeList; their channels are known by the channels' `bridge_id`.

    Raises `AmiMessageError` for one without an id.
    """
    return [bridge(headers) for headers in listed]


def read_contacts(listed: Iterable[Headers]) -> list[ShownContact]:
    """The contacts of a PJSIPShowContacts. Raises `AmiMessageError` for one without a name."""
    return [
        ShownContact(
            # Asterisk names a contact by its aor and a hash of its address
            identifier(headers, "ObjectName").partition(";@")[0],
            text(headers, "Endpoint"),
            headers.get("Uri", ""),
            headers.get("Status", ""),
            headers.get("UserAgent", ""),
            number(headers, "ExpirationTime"),
            roundtrip_seconds(headers),
        )
        for headers in listed
    ]


def _seconds(duration: str) -> int:
    """The seconds in hours, minutes and seconds, 00:01:30; 0 for anything else."""
    match = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d)", duration, flags=re.ASCII)
    if match is None:
        return 0
    hours, minutes, seconds = map(int, match.groups())
    return hours * 3600 + minutes * 60 + seconds
