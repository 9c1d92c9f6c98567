"""Reads a body as JSON, and as nothing that is only nearly JSON.

Python's own reader takes `NaN`, other encodings than UTF-8, and of a member that is named twice the
second one. What stands in front of this service may read such a body otherwise than we do and let
through what it meant to stop, so all of them are refused.
"""

import json
from typing import Any

from fastapi import Request

from fastagi_server.api.errors import ApiError

MALFORMED = "The body is not well-formed JSON"


class JsonRequest(Request):
    """A request whose body, where it is JSON, is strictly so."""

    async def json(self) -> Any:
        """The body's value. Raises ApiError 400."""
        body = await self.body()
        try:
            return _decoder.decode(body.decode())
        except (ValueError, RecursionError) as error:
            raise ApiError(400, MALFORMED) from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ApiError(400, "The body names a member twice")
    return members


def _no_constant(_name: str) -> None:
    raise ApiError(400, MALFORMED)


_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)
