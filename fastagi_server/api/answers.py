"""Answers in JSON."""

import orjson
from fastapi import Response

JSON_TYPE = "application/json"

TIMES = orjson.OPT_UTC_Z
"""How times are written: as RFC 3339 with `Z`."""


def json_answer(content: object, status: int = 200) -> Response:
    """An answer with this content; times are written as RFC 3339 with `Z`."""
    return Response(orjson.dumps(content, option=TIMES), status, media_type=JSON_TYPE)
