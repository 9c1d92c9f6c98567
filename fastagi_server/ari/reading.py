"""Typed values out of Asterisk's JSON, which is input like any other: checked before it is used."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from fastagi_server.ari.errors import AriAnswerError

Json = Mapping[str, Any]
"""A JSON object as received."""

NEVER = datetime.fromtimestamp(0, UTC)
"""Stands for an instant that Asterisk did not give."""


def parse(document: str | bytes) -> Any:
    """A JSON document. Raises `AriAnswerError`."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise AriAnswerError(f"not JSON: {error}") from None


def as_object(value: object, what: str) -> Json:
    """`value` when it is an object. Raises `AriAnswerError` naming `what`."""
    if not isinstance(value, dict):
        raise AriAnswerError(f"{what} is no object")
    return cast("Json", value)


def as_objects(value: object, what: str) -> list[Json]:
    """`value` when it is an array of objects. Raises `AriAnswerError` naming `what`."""
    if not isinstance(value, list):
        raise AriAnswerError(f"{what} is no array")
    return [as_object(item, what) for item in cast("list[object]", value)]


def identifier(raw: Json, name: str) -> str:
    """A text that must be there and not be empty. Raises `AriAnswerError`."""
    value = text(raw, name)
    if not value:
        raise AriAnswerError(f"{name} is missing")
    return value


def text(raw: Json, name: str) -> str:
    """A text, empty when it is absent. Raises `AriAnswerError` when it is something else."""
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise AriAnswerError(f"{name} is no text")
    return value


def texts(raw: Json, name: str) -> tuple[str, ...]:
    """An array of texts, empty when it is absent. Raises `AriAnswerError`."""
    value = raw.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise AriAnswerError(f"{name} is no array of texts")
    items = cast("list[object]", value)
    if not all(isinstance(item, str) for item in items):
        raise AriAnswerError(f"{name} is no array of texts")
    return tuple(cast("list[str]", items))


def number(raw: Json, name: str, default: int = 0) -> int:
    """A whole number, `default` when it is absent. Raises `AriAnswerError`."""
    value = raw.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise AriAnswerError(f"{name} is no whole number")
    return value


def fraction(raw: Json, name: str) -> float | None:
    """A number with a fraction, None when it is absent. Raises `AriAnswerError`."""
    value = raw.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise AriAnswerError(f"{name} is no number")
    return float(value)


def flag(raw: Json, name: str) -> bool:
    """A yes or no; absent is no. Raises `AriAnswerError`."""
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise AriAnswerError(f"{name} is neither true nor false")
    return value


def instant(raw: Json, name: str) -> datetime:
    """A time with its zone, `NEVER` when it is absent. Raises `AriAnswerError`."""
    value = text(raw, name)
    if not value:
        return NEVER
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise AriAnswerError(f"{name} is no time") from None
    if read.tzinfo is None:
        raise AriAnswerError(f"{name} has no zone")
    return read


def part(raw: Json, name: str) -> Json:
    """An object within the object, empty when it is absent. Raises `AriAnswerError`."""
    value = raw.get(name)
    return {} if value is None else as_object(value, name)


def variables(raw: Json, name: str) -> Mapping[str, str]:
    """An object of texts: what Asterisk makes of channel variables. Raises `AriAnswerError`."""
    held = part(raw, name)
    return {key: text(held, key) for key in held}
