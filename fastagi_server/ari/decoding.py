"""Frozen dataclasses out of JSON objects: how a field is read follows from its type."""

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from datetime import datetime
from typing import Any, TypeVar, cast, get_type_hints

from fastagi_server.ari import reading
from fastagi_server.ari.models import Bridge, Channel, Endpoint, Playback, Recording
from fastagi_server.ari.reading import Json

T = TypeVar("T")


def named(name: str) -> Any:
    """A dataclass field that JSON calls `name`."""
    return field(metadata={"name": name})


_Reader = Callable[[Json, str], Any]


def _model(from_json: Callable[[Json], object]) -> _Reader:
    return lambda raw, name: from_json(reading.as_object(raw.get(name), name))


def _optional(from_json: Callable[[Json], object]) -> _Reader:
    return lambda raw, name: (
        None if raw.get(name) is None else from_json(reading.as_object(raw[name], name))
    )


_READERS: Mapping[object, _Reader] = {
    str: reading.text,
    int: reading.number,
    bool: reading.flag,
    datetime: reading.instant,
    tuple[str, ...]: reading.texts,
    Channel: _model(Channel.from_json),
    Channel | None: _optional(Channel.from_json),
    Bridge: _model(Bridge.from_json),
    Bridge | None: _optional(Bridge.from_json),
    Endpoint: _model(Endpoint.from_json),
    Playback: _model(Playback.from_json),
    Recording: _model(Recording.from_json),
}


def decoder(kind: type[T]) -> Callable[[Json], T]:
    """A reader of objects of the dataclass `kind`; it raises `AriAnswerError`."""
    types = get_type_hints(kind)
    plan = [
        (each.name, str(each.metadata.get("name", each.name)), _READERS[types[each.name]])
        for each in fields(cast("Any", kind))
    ]

    def decode(raw: Json) -> T:
        return kind(**{attribute: read(raw, name) for attribute, name, read in plan})

    return decode
