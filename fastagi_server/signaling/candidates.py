"""ICE candidates as clients send them (RFC 8839, 5.1; W3C RTCIceCandidateInit).

Three spellings of the same are read: the browser's object by itself (`candidate`, `sdpMid`,
`sdpMLineIndex`, `usernameFragment`), the same object inside `{"candidate": ...}`, and the API's own
names (`candidate`, `sdp_mid`, `sdp_m_line_index`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from fastagi_server.signaling.errors import InvalidCandidateError

MAX_CANDIDATE_CHARACTERS = 1000
"""Of one line; a browser's have 90 to 160."""

MAX_MID_CHARACTERS = 64
MAX_LINE_INDEX = 255
MAX_PORT = 65_535

_LINE = re.compile(
    r"(?:a=)?(candidate:[\x21-\x7e]{1,32} ([0-9]{1,5}) ([A-Za-z0-9-]{1,16}) [0-9]{1,10}"
    r" ([A-Za-z0-9.:_%-]{1,255}) ([0-9]{1,5}) typ [a-z]{1,16}(?: [\x21-\x7e]{1,256})*)"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to reach a browser.

    `line` is the attribute of an SDP without its `a=`; `transport` is lower case; `address` is an
    IP address or a name. `mid` and `line_index` tell which media it is for, where that was said.
    """

    line: str
    component: int
    transport: str
    address: str
    port: int
    mid: str | None = None
    line_index: int | None = None

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address; None for a name, as the `.local` ones that hide a browser's address."""
        try:
            return ip_address(self.address)
        except ValueError:
            return None

    @property
    def usable(self) -> bool:
        """Whether Asterisk can send there: over UDP, to an address, RTP and RTCP on one port."""
        ip = self.ip
        return (
            self.transport == "udp"
            and self.component == 1
            and self.port > 0
            and ip is not None
            and not ip.is_unspecified
        )


def parse_candidate(
    line: str, *, mid: str | None = None, line_index: int | None = None
) -> Candidate:
    """The candidate of one line, with or without `a=`. Raises InvalidCandidateError."""
    if len(line) > MAX_CANDIDATE_CHARACTERS:
        raise InvalidCandidateError(
            f"ICE candidate must have at most {MAX_CANDIDATE_CHARACTERS} characters"
        )
    found = _LINE.fullmatch(line.strip(" "))
    if found is None:
        raise InvalidCandidateError("Invalid ICE candidate format")
    text, component, transport, address, port = found.groups()
    if int(port) > MAX_PORT:
        raise InvalidCandidateError("Invalid port in an ICE candidate")
    return Candidate(text, int(component), transport.lower(), address, int(port), mid, line_index)


def read_candidate(payload: object) -> Candidate | None:
    """The candidate of an `ice_candidate` message, in any spelling.

    None is the end of candidates: null, `{}`, or a candidate that is null or empty. Raises
    InvalidCandidateError for everything else that is no candidate.
    """
    if payload is None or payload == {}:
        return None
    fields = _object(payload)
    if "candidate" not in fields:
        raise InvalidCandidateError("payload.candidate is missing")
    line: object = fields["candidate"]
    if isinstance(line, Mapping):
        return read_candidate(_unnested(_object(cast("object", line))))
    if line is None or line == "":
        return None
    if not isinstance(line, str):
        raise InvalidCandidateError("payload.candidate must be a string or an object")
    return parse_candidate(
        line,
        mid=_mid(_either(fields, "sdpMid", "sdp_mid")),
        line_index=_line_index(_either(fields, "sdpMLineIndex", "sdp_m_line_index")),
    )


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidCandidateError("payload must be an object with candidate")
    return cast("Mapping[str, Any]", value)


def _unnested(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(fields.get("candidate"), Mapping):
        raise InvalidCandidateError("payload.candidate is nested too deeply")
    return fields


def _either(fields: Mapping[str, Any], name: str, other: str) -> object:
    value = fields.get(name)
    return fields.get(other) if value is None else value


def _mid(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= MAX_MID_CHARACTERS):
        return value
    raise InvalidCandidateError("sdpMid must be a short string")


def _line_index(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_LINE_INDEX:
        return value
    raise InvalidCandidateError("sdpMLineIndex must be a small whole number")
