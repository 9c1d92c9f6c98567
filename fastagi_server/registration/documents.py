"""Statements as documents: the form in which the outbox keeps them.

JSON with a `kind` and the fields of the statement. It outlives the process that wrote it, so
fields may be added with a default but never change their meaning. The standard library's `json`
is used because it keeps undecodable bytes of Asterisk (lone surrogates) as they are.
"""

import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from fastagi_server.registration.models import Acceptance, Ending, Registration, Statement

KINDS: dict[str, type[Registration | Acceptance | Ending]] = {
    "register": Registration,
    "accept": Acceptance,
    "end": Ending,
}


class DocumentError(ValueError):
    """The document is none of a statement."""


def kind_of(statement: Statement) -> str:
    """The name of the kind: register, accept or end."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(statement, type_))


def to_document(statement: Statement) -> str:
    """`statement` as ASCII JSON."""
    return json.dumps({"kind": kind_of(statement)} | asdict(statement), default=datetime.isoformat)


def from_document(document: str) -> Statement:
    """The statement kept in `document`; raises `DocumentError`."""
    try:
        values = json.loads(document)
        return _statement(KINDS[values.pop("kind")], values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DocumentError(f"not a statement: {error!r}") from error


def _statement(type_: type[Registration | Acceptance | Ending], values: Any) -> Statement:
    known = {field.name for field in fields(type_)}
    arguments = {name: _value(name, value) for name, value in values.items() if name in known}
    return type_(**arguments)


def _value(name: str, value: Any) -> Any:
    """One field, in the type of the model; raises what a wrong type raises."""
    match name:
        case "registration":
            return _statement(Registration, value)
        case "participants":
            return tuple(_text(each) for each in value)
        case "hangup_cause" | "ring_ms" | "answered_ms":
            return None if value is None else int(value)
        case "answered_at" | "ended_at":
            return None if value is None else datetime.fromisoformat(value)
        case _:
            return None if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
