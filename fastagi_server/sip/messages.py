"""SIP messages as values, and their bytes (RFC 3261, 7).

What is written is checked when the value is made, so that nothing a user typed can end a line.
What is read is believed where that is harmless: bytes that are no UTF-8 and control characters in
a value become U+FFFD, since a caller's name from the telephone network is no reason to lose the
connection that all calls share. A line end without its other half, a NUL or a blank in the start
line, a line without a name are breaches.
"""

import re
from dataclasses import dataclass
from typing import Final

from fastagi_server.sip.errors import SipSyntaxError, SipValueError
from fastagi_server.sip.headers import Field, Headers, long_name
from fastagi_server.sip.quoting import TOKEN, UNSPEAKABLE

VERSION: Final = "SIP/2.0"
MAX_HEADERS = 256
"""Header fields of one message; a call through ten proxies has some fifty."""

HEAD_END: Final = b"\r\n\r\n"
_REQUEST_URI = re.compile('[^\x00-\x20<>"\x7f\ud800-\udfff]+')
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")
_LONE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_FOLD = re.compile(r"\r\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Request:
    """`uri` is the Request-URI as on the wire. Raises `SipValueError` for what would break it."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""

    def __post_init__(self) -> None:
        if TOKEN.fullmatch(self.method) is None:
            raise SipValueError(f"no method: {self.method[:40]!r}")
        if _REQUEST_URI.fullmatch(self.uri) is None:
            raise SipValueError(f"no Request-URI: {self.uri[:40]!r}")

    def serialize(self) -> bytes:
        """The message as it goes over the wire."""
        return _serialize(f"{self.method} {self.uri} {VERSION}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """`status` is 100 to 699. Raises `SipValueError` for another, or a reason of two lines."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def __post_init__(self) -> None:
        if not 100 <= self.status <= 699:  # noqa: PLR2004 - the range of RFC 3261, 7.2
            raise SipValueError(f"no status: {self.status}")
        if UNSPEAKABLE.search(self.reason) is not None:
            raise SipValueError("a control character in the reason")

    def serialize(self) -> bytes:
        """The message as it goes over the wire."""
        return _serialize(f"{VERSION} {self.status} {self.reason}", self.headers, self.body)


Message = Request | Response


def parse_message(data: bytes) -> Message:
    """The message that these bytes are: a head, an empty line and exactly the body it announces.

    Raises `SipSyntaxError` for anything else.
    """
    head, found, body = data.partition(HEAD_END)
    if not found:
        raise SipSyntaxError("the head has no end")
    start, fields, length = parse_head(head)
    if len(body) != length:
        raise SipSyntaxError(f"Content-Length {length} before {len(body)} bytes")
    return build(start, fields, body)


def parse_head(head: bytes) -> tuple[str, list[Field], int]:
    """The start line, the fields and the length of the body that a head announces.

    `head` comes without its empty line. Raises `SipSyntaxError`, also for a head without
    Content-Length: over TCP nothing else tells where the message ends (RFC 3261, 18.3).
    """
    if _LONE_LINE_END.search(head) is not None:
        raise SipSyntaxError("half a line end in the head")
    start, _, rest = head.decode("utf-8", "replace").partition("\r\n")
    lines = _FOLD.sub(" ", rest).split("\r\n") if rest else []
    if len(lines) > MAX_HEADERS:
        raise SipSyntaxError(f"more than {MAX_HEADERS} headers")
    fields = [_parse_field(line) for line in lines]
    lengths = {value for name, value in fields if name.lower() == "content-length"}
    return start, [field for field in fields if field[0].lower() != "content-length"], _one(lengths)


def build(start: str, fields: list[Field], body: bytes) -> Message:
    """The message of a start line, fields and a body. Raises `SipSyntaxError`."""
    try:
        if start[:8].upper() == f"{VERSION} ":
            return _response(start, fields, body)
        method, uri, version = _three_words(start)
        if version.upper() != VERSION:
            raise SipSyntaxError("not SIP/2.0", version)
        return Request(method, uri, Headers(fields), body)
    except SipValueError as error:
        raise SipSyntaxError(str(error)) from error


def _response(start: str, fields: list[Field], body: bytes) -> Response:
    line = _STATUS_LINE.fullmatch(start)
    if line is None:
        raise SipSyntaxError("no status line", start)
    return Response(int(line[1]), line[2] or "", Headers(fields), body)


def _three_words(start: str) -> tuple[str, str, str]:
    words = start.split(" ")
    if len(words) != 3:  # noqa: PLR2004 - method, URI, version
        raise SipSyntaxError("no start line", start)
    return words[0], words[1], words[2]


def _parse_field(line: str) -> Field:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or TOKEN.fullmatch(name) is None:
        raise SipSyntaxError("no header", line)
    return long_name(name), UNSPEAKABLE.sub("\ufffd", value.strip(" \t"))


def _one(lengths: set[str]) -> int:
    if len(lengths) != 1:
        raise SipSyntaxError("two lengths" if lengths else "no Content-Length")
    length = lengths.pop()
    if _DIGITS.fullmatch(length) is None:
        raise SipSyntaxError("no length", length)
    return int(length)


def _serialize(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + HEAD_END + body
