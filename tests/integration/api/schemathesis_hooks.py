"""Makes requests that are valid by themselves valid after all that were sent before."""

import re
import uuid
from collections.abc import MutableMapping
from typing import Any, Protocol

import schemathesis
from pydantic import TypeAdapter, ValidationError

from fastagi_server.api.events import MAX_SECONDS
from fastagi_server.calls.listing import MAX_CURSOR_LENGTH

_WHOLE = TypeAdapter[int](int)

KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Case(Protocol):
    """A request to be."""

    path: str
    headers: MutableMapping[str, Any]
    query: MutableMapping[str, Any]


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType] - its hooks have no types
def before_call(context: object, case: Case, kwargs: dict[str, Any]) -> None:
    """Give every request a key of its own, no cursor, and no time to stream for.

    A known key with another body is rightly refused, and so is a cursor that was never given out.
    A stream would last for an hour.
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


def _is_duration(value: object) -> bool:
    try:
        seconds = _WHOLE.validate_python(value if isinstance(value, int) else str(value))
    except ValidationError:
        return False
    return 0 <= seconds <= MAX_SECONDS
