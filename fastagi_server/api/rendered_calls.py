"""Calls in JSON, for lists that are asked for again and again."""

from collections.abc import Iterable

import orjson

from fastagi_server.api.answers import TIMES
from fastagi_server.api.bodies import call_body
from fastagi_server.calls.models import Call

MAX_RENDERED = 1000
"""Calls that are kept with their JSON of half a kilobyte: twice the longest list."""


class RenderedCalls:
    """Writes lists of calls, and each call that it is given again only once.

    A call is known by being the same object, which is what the store gives as long as the record
    is what it was; a call that changes is another object.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Call, bytes]] = {}

    def array(self, calls: Iterable[Call]) -> bytes:
        """The calls as a JSON array."""
        return b"[" + b",".join(map(self._text, calls)) + b"]"

    def _text(self, call: Call) -> bytes:
        kept = self._kept.get(id(call))
        if kept is None:
            text = orjson.dumps(call_body(call), option=TIMES)
            if len(self._kept) >= MAX_RENDERED:
                self._kept.clear()
            # The call is kept with its text: until then no other object can have its id.
            kept = self._kept[id(call)] = (call, text)
        return kept[1]
