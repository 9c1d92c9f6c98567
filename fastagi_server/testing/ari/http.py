"""The little of HTTP/1.1 that ARI's clients speak."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BODY_BYTES = 1_048_576
PREFIX = "/ari/"


@dataclass(frozen=True)
class Request:
    """One request: `path` are the decoded segments below /ari, `head` its bytes as received."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    head: bytes = field(repr=False)

    def __str__(self) -> str:
        """Method and path, as a test would write them."""
        return f"{self.method} {'/'.join(self.path)}"


@dataclass(frozen=True)
class Answer:
    """A status and, unless it is None, a JSON document."""

    status: int
    document: Any = None

    def encode(self) -> bytes:
        """The whole answer as it goes on the wire."""
        body = b"" if self.document is None else json.dumps(self.document).encode()
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            "Server: Asterisk/22.10.1\r\nCache-Control: no-cache, no-store\r\n"
        )
        if self.document is not None:
            head += f"Content-type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class RefusalError(Exception):
    """An operation that Asterisk refuses: its status and words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"message": message})


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request; raises ValueError, or EOFError at the end of the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _version = start.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    if length > BODY_BYTES:
        raise ValueError("the body is too large")
    content = await reader.readexactly(length)
    parts = urlsplit(target)
    if not parts.path.startswith(PREFIX):
        raise ValueError("not below /ari")
    path = tuple(unquote(segment) for segment in parts.path.removeprefix(PREFIX).split("/"))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    body: Any = json.loads(content) if content else {}
    query |= {name: value for name, value in body.items() if isinstance(value, str)}
    return Request(method, path, query, headers, body, head)
