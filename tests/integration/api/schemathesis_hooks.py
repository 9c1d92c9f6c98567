"""Makes requests that are valid by themselves valid after all that were sent before."""

import re
import uuid
from collections.abc import MutableMapping
from typing import Any, Protocol

import schemathesis

from fastagi_server.calls.listing import MAX_CURSOR_LENGTH

KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Case(Protocol):
    """A request to be."""

    headers: MutableMapping[str, Any]
    query: MutableMapping[str, Any]


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType] - its hooks have no types
def before_call(context: object, case: Case, kwargs: dict[str, Any]) -> None:
    """Give every request a key of its own, and no cursor.

    A known key with another body is rightly refused, and so is a cursor that was never given out.
    """
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if isinstance(key, str) and KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    cursor = case.query.get("cursor") if case.query else None
    if isinstance(cursor, str) and len(cursor) <= MAX_CURSOR_LENGTH:
        del case.query["cursor"]
