"""The bodies of requests and answers: where Asterisk's words become SGE's.

Shapes are those of the VoIP integration document (POST /calls and the Call resource); the fields
beyond it are ignored by servers that do not know them. Pure: values in, bytes out, and back.
"""

import re
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from fastagi_server.registration.models import Ending, RegisteredCall, Registration
from fastagi_server.sge.errors import AnswerError

TEXT_LIMIT = 256
"""Characters of a metadata value; a caller's name must not make the whole request too large."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:@/+=;~#-]{1,200}")
_STATUS = re.compile(r"[a-z_]{1,32}")
_CAMEL_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

Document = dict[str, Any]


def is_call_id(text: str) -> bool:
    """Whether `text` may be the id of a call: what is safe in a path and in a dialplan."""
    return _IDENTIFIER.fullmatch(text) is not None and text.strip(".") != ""


def call_creation(registration: Registration) -> bytes:
    """The body of POST /calls; metadata that is not known is left out."""
    metadata = {
        "asterisk_call_id": registration.unique_id,
        "caller_id": registration.caller_number,
        "caller_name": registration.caller_name,
        "asterisk_linked_id": registration.linked_id,
        "asterisk_context": registration.context,
        "asterisk_dialled_number": registration.extension,
        "asterisk_system": registration.system,
        "asterisk_caller_channel": registration.channel,
    }
    return _encoded(
        {
            "participants": registration.participants,
            "call_type": registration.call_type,
            "metadata": {name: value[:TEXT_LIMIT] for name, value in metadata.items() if value},
        }
    )


def call_acceptance(answered_at: datetime | None) -> bytes:
    """The body of POST /calls/{id}/accept."""
    return _encoded(_known(answered_at=_timestamp(answered_at)))


def call_ending(ending: Ending) -> bytes:
    """The body of POST /calls/{id}/end: what is known of how the call went."""
    return _encoded(
        _known(
            hangup_cause=ending.hangup_cause,
            dial_status=ending.dial_status[:TEXT_LIMIT] or None,
            ring_ms=ending.ring_ms,
            answered_ms=ending.answered_ms,
            ended_at=_timestamp(ending.ended_at),
        )
    )


def read_registered_call(body: bytes) -> RegisteredCall:
    """The ids in a Call; raises `AnswerError` without a usable `id`.

    A missing or odd `metadata.asterisk_channel_id` is no error: the call exists all the same.
    """
    call = _decoded(body)
    call_id = call.get("id")
    if not isinstance(call_id, str) or not is_call_id(call_id):
        raise AnswerError("the call has no usable id")
    metadata: Any = call.get("metadata")
    channel_id = _document(metadata).get("asterisk_channel_id")
    if not isinstance(channel_id, str) or not _IDENTIFIER.fullmatch(channel_id):
        channel_id = None
    return RegisteredCall(call_id, channel_id)


def read_status(body: bytes) -> str:
    """The status in a Call, in lower snake case whatever the server writes (`OnHold`)."""
    status = _decoded(body).get("status")
    if isinstance(status, str):
        status = _CAMEL_HUMP.sub("_", status).lower()
        if _STATUS.fullmatch(status):
            return status
    raise AnswerError("the call has no usable status")


def read_acknowledgement(body: bytes) -> None:
    """Nothing, from the Call or the line of text that answers an action; HTML is neither."""
    if body.lstrip().startswith(b"<"):
        raise AnswerError("the body is a page")


def _decoded(body: bytes) -> Document:
    try:
        return _document(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise AnswerError("the body is not JSON") from error


def _document(value: Any) -> Document:
    """`value` if it is a JSON object, else an empty one."""
    return cast("Document", value) if isinstance(value, dict) else {}


def _encoded(document: Document) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # bytes of Asterisk that are no UTF-8 came as lone surrogates
        return orjson.dumps(_replaced(document))


def _replaced(value: Any) -> Any:
    """`value` with everything that UTF-8 cannot carry replaced by question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _replaced(each) for name, each in cast("Document", value).items()}
    if isinstance(value, tuple):
        return [_replaced(each) for each in value]  # pyright: ignore[reportUnknownVariableType] - ours
    return value


def _known(**fields: object) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _timestamp(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
