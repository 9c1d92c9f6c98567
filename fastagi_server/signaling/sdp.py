"""A browser's session description, checked, and made into one that Asterisk understands.

A browser may send its description before it knows its own addresses ("trickle", RFC 8838). Asterisk
has no trickle, and three of its readings would spoil the call (observed with 22.10):

* `c=IN IP4 0.0.0.0`, which stands for "not known yet", is hold: the answer is recvonly.
* a description without any `a=candidate` is answered without ICE.
* a medium with port 0 is declined, also where `a=bundle-only` says that it shares a port.

So candidates are written in, a real one's address goes to `c=` and `m=`, and where there is none a
placeholder stands in: Asterisk learns the browser's address from its first connectivity check.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fastagi_server.signaling.candidates import MAX_PORT, Candidate, parse_candidate
from fastagi_server.signaling.errors import InvalidCandidateError, InvalidSdpError

MAX_CHARACTERS = 65_536
"""Of a description; Chromium's with audio, video and a shared screen has some 10,000."""

MAX_LINES = 2_000
"""Chromium's has some 250."""

MAX_MEDIA = 32
"""Media of one description; one for each track and direction that was ever in use."""

MAX_CANDIDATES = 32
"""Candidates of one medium; Asterisk's ICE has places for 64 on both sides together."""

MAX_WRITTEN_CHARACTERS = 256
"""Of one candidate, which may be written into every medium; a browser's have 90 to 160."""

MAX_PREPARED_BYTES = 48_000
"""In UTF-8. Asterisk reads what comes after 65,535 bytes of one message as another message."""

PLACEHOLDER: Final = parse_candidate("candidate:0 1 udp 1 192.0.2.1 9 typ host")
"""Stands for an address that is not known: of TEST-NET-1, which is routed nowhere (RFC 5737)."""

_LINE_END = re.compile(r"\r?\n")
_STRAY = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE = re.compile(r"[a-z]=.*")
_MEDIA = re.compile(r"m=([a-z]+) ([0-9]{1,5}) ([A-Za-z0-9/]+(?: [^ ]+)+)")
_OPTIONS = "a=ice-options:"
_BEFORE_ADDRESS = "vosiuepm"
"""The types of line that come before `c=` (RFC 8866, 9)."""

_DROPPED = ("a=candidate:", "a=end-of-candidates", "a=bundle-only", "a=rtcp:9 IN IP4 0.0.0.0")


def check_sdp(sdp: str) -> None:
    """Raises InvalidSdpError for what is no browser's description, or exceeds a limit."""
    _lines(sdp)


def usable_candidate(line: str) -> bool:
    """Whether Asterisk can use the candidate of this line; False for what is none, too."""
    return bool(_usable([line]))


def has_usable_candidate(sdp: str) -> bool:
    """Whether a description holds a candidate that Asterisk can use."""
    return bool(_usable(_candidate_lines(_LINE_END.split(sdp))))


def prepare_offer(sdp: str, candidates: Sequence[str]) -> str:
    """A browser's offer, or its answer to an offer of Asterisk, for Asterisk.

    `candidates` are lines (`candidate:...`) that came by themselves, for the first medium, whose
    port all of a browser's media share in the end (RFC 9143). Those that Asterisk cannot use
    are passed over, there and in `sdp`. Every medium that is offered has at least one candidate
    then, and an address that is not hold. Lines end with CR LF. Raises InvalidSdpError, also for
    a result of more than `MAX_PREPARED_BYTES`.
    """
    session, *media = _sections(_lines(sdp))
    offered = [section for section in media if not _is_declined(section)]
    first = offered[0] if offered else []
    shared = _usable([*_candidate_lines(first), *candidates]) or [PLACEHOLDER]
    prepared = _addressed(session, shared) if any(map(_is_address, session)) else session
    for section in media:
        if _is_declined(section):
            prepared += section
        else:
            own = shared if section is first else _usable(_candidate_lines(section)) or shared
            prepared += _medium(section, own)
    text = "\r\n".join([*_without_trickle(prepared), ""])
    if len(text.encode()) > MAX_PREPARED_BYTES:
        raise InvalidSdpError(f"SDP must have at most {MAX_PREPARED_BYTES} bytes for Asterisk")
    return text


def _lines(sdp: str) -> list[str]:
    """The lines of a description that passed all checks; all are linear in its length."""
    if len(sdp) > MAX_CHARACTERS:
        raise InvalidSdpError(f"SDP must have at most {MAX_CHARACTERS} characters")
    if _STRAY.search(sdp) is not None:
        raise InvalidSdpError("SDP holds a control character or half a line end")
    lines = _LINE_END.split(sdp.rstrip("\r\n"))
    if lines[0] != "v=0":
        raise InvalidSdpError("SDP must begin with v=0")
    if len(lines) > MAX_LINES:
        raise InvalidSdpError(f"SDP must have at most {MAX_LINES} lines")
    if not all(map(_LINE.fullmatch, lines)):
        raise InvalidSdpError("SDP has a line that is not of the form x=value")
    media = [line for line in lines if line.startswith("m=")]
    if not 1 <= len(media) <= MAX_MEDIA:
        raise InvalidSdpError(f"SDP must have 1 to {MAX_MEDIA} media")
    if not all(map(_is_medium, media)):
        raise InvalidSdpError("SDP has an m= line that cannot be read")
    if not any(line.startswith("a=fingerprint:") for line in lines):
        raise InvalidSdpError("SDP has no fingerprint")
    return lines


def _sections(lines: Iterable[str]) -> list[list[str]]:
    """The lines about the session, then those of each medium."""
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections


def _is_declined(section: Sequence[str]) -> bool:
    media = _MEDIA.fullmatch(section[0])
    return media is not None and int(media[2]) == 0 and "a=bundle-only" not in section


def _is_medium(line: str) -> bool:
    media = _MEDIA.fullmatch(line)
    return media is not None and int(media[2]) <= MAX_PORT


def _is_address(line: str) -> bool:
    return line.startswith("c=")


def _candidate_lines(section: Iterable[str]) -> list[str]:
    return [line for line in section if line.startswith("a=candidate:")]


def _usable(lines: Iterable[str]) -> list[Candidate]:
    """The candidates that Asterisk can use, each place once, the first `MAX_CANDIDATES`."""
    found: dict[tuple[str, int], Candidate] = {}
    for line in lines:
        try:
            candidate = parse_candidate(line)
        except InvalidCandidateError:
            continue
        if candidate.usable and len(candidate.line) <= MAX_WRITTEN_CHARACTERS:
            found.setdefault((candidate.address, candidate.port), candidate)
    return list(found.values())[:MAX_CANDIDATES]


def _medium(section: Sequence[str], candidates: Sequence[Candidate]) -> list[str]:
    lines = [line for line in section if not line.startswith(_DROPPED)]
    added = [f"a={candidate.line}" for candidate in candidates]
    return [*_addressed(lines, candidates), *added, "a=end-of-candidates"]


def _addressed(section: Sequence[str], candidates: Sequence[Candidate]) -> list[str]:
    """The section with the address of a candidate, of IPv4 if there is one, in `c=` and `m=`."""
    best = next((one for one in candidates if ":" not in one.address), candidates[0])
    address = f"c=IN IP{6 if ':' in best.address else 4} {best.address}"
    lines = [line for line in section if not _is_address(line)]
    media = _MEDIA.fullmatch(lines[0])
    if media is not None:
        lines[0] = f"m={media[1]} {best.port} {media[3]}"
    place = next((i for i, line in enumerate(lines) if line[0] not in _BEFORE_ADDRESS), len(lines))
    return [*lines[:place], address, *lines[place:]]


def _without_trickle(lines: Iterable[str]) -> list[str]:
    """The lines, with `trickle` taken from among the options of ICE."""
    kept: list[str] = []
    for line in lines:
        options = line.removeprefix(_OPTIONS)
        others = [option for option in options.split(" ") if option != "trickle"]
        if options == line:
            kept.append(line)
        elif others:
            kept.append(_OPTIONS + " ".join(others))
    return kept
