"""Makes requests that are valid by themselves valid after all that were sent before."""

import re
import uuid
from collections.abc import MutableMapping
from typing import Any, Protocol

import schemathesis
from pydantic import TypeAdapter, ValidationError

from fastagi_server.api.events import MAX_SECONDS
from fastagi_server.calls.listing import MAX_CURSOR_LENGTH
from fastagi_server.calls.participants import MAX_PARTICIPANT_LENGTH
from fastagi_server.signaling.exchange import MAX_WAIT_SECONDS

_WHOLE = TypeAdapter[int](int)
_NUMBER = TypeAdapter[float](float)

_SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
    f"a=fingerprint:sha-256 {':'.join(['7B'] * 32)}\r\n"
)
_PAYLOADS: dict[str, Any] = {
    "offer": {"type": "offer", "sdp": _SDP},
    "answer": {"type": "answer", "sdp": _SDP},
    "ice_candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.7 50000 typ host"},
    "hangup": {},
    "mute": {},
    "unmute": {},
}
"""What each type of message has, which its description says in words only."""

KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Case(Protocol):
    """A request to be."""

    path: str
    headers: MutableMapping[str, Any]
    query: MutableMapping[str, Any]
    body: Any


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType] - its hooks have no types
def before_call(context: object, case: Case, kwargs: dict[str, Any]) -> None:
    """Give every request a key of its own, no cursor, and no time to stream or to wait for.

    A known key with another body is rightly refused, and so is a cursor that was never given out.
    A stream would last for an hour. A signaling message is for Asterisk, and has what its type has.
    """
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if isinstance(key, str) and KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    cursor = case.query.get("cursor") if case.query else None
    if isinstance(cursor, str) and len(cursor) <= MAX_CURSOR_LENGTH:
        del case.query["cursor"]
    if case.path.endswith("/voip/events"):
        query = case.query or {}
        if _is_duration(query.get("seconds", 1)):
            case.query = {**query, "seconds": 0}
    if case.path.endswith("/signaling"):
        query = case.query or {}
        if _is_wait(query.get("wait", 1)):
            case.query = {**query, "wait": 0}
        case.body = _signaling(case.body)


def _is_duration(value: object) -> bool:
    try:
        seconds = _WHOLE.validate_python(value if isinstance(value, int) else str(value))
    except ValidationError:
        return False
    return 0 <= seconds <= MAX_SECONDS


def _is_wait(value: object) -> bool:
    try:
        seconds = _NUMBER.validate_python(value if isinstance(value, int | float) else str(value))
    except ValidationError:
        return False
    return 0 <= seconds <= MAX_WAIT_SECONDS


def _signaling(body: Any) -> Any:
    match body:
        case {"message_type": str(kind), "to_user": str(to_user), "payload": _} if (
            kind in _PAYLOADS and len(to_user) <= MAX_PARTICIPANT_LENGTH
        ):
            return {**body, "to_user": "asterisk", "payload": _PAYLOADS[kind]}
        case _:
            return body
