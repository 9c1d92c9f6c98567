"""What the payload of a message may be: a JSON value within limits, and what its type has."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from fastagi_server.signaling.candidates import read_candidate
from fastagi_server.signaling.errors import InvalidPayloadError, InvalidSdpError
from fastagi_server.signaling.models import SignalKind
from fastagi_server.signaling.sdp import check_sdp

MAX_DESCRIPTION_BYTES = 64 * 1024
"""Of an offer or an answer as JSON. Chromium's with audio, video and a screen has some 20 KB."""

MAX_NOTE_BYTES = 4 * 1024
"""Of every other payload: a candidate has some 300 bytes."""

_DESCRIPTIONS = frozenset({SignalKind.OFFER, SignalKind.ANSWER})


def check_payload(kind: SignalKind, payload: object) -> int:
    """The size of a client's payload in bytes of JSON.

    Raises InvalidPayloadError, InvalidSdpError or InvalidCandidateError. A candidate is read
    in each of its spellings; its absence, `null` or an empty one, is the end of candidates.
    """
    size = size_of(payload)
    limit = MAX_DESCRIPTION_BYTES if kind in _DESCRIPTIONS else MAX_NOTE_BYTES
    if size > limit:
        raise InvalidPayloadError(f"payload must have at most {limit} bytes as JSON")
    if kind in _DESCRIPTIONS:
        check_sdp(description_of(kind, payload))
    elif kind is SignalKind.ICE_CANDIDATE:
        read_candidate(payload)
    return size


def description_of(kind: SignalKind, payload: object) -> str:
    """The SDP of an offer's or an answer's payload, not yet checked. Raises InvalidPayloadError."""
    if not isinstance(payload, Mapping):
        raise InvalidPayloadError("payload must be an object with sdp and type")
    fields = cast("Mapping[str, Any]", payload)
    if fields.get("type", kind) != kind:
        raise InvalidPayloadError(f"payload.type must be {kind}")
    sdp = fields.get("sdp")
    if not isinstance(sdp, str):
        raise InvalidSdpError("payload.sdp must be a string")
    return sdp


def size_of(payload: object) -> int:
    """The size of a JSON value in bytes. Raises InvalidPayloadError for what JSON cannot carry."""
    try:
        return len(orjson.dumps(payload))
    except TypeError as error:  # a number beyond 64 bits, half a surrogate pair, nested too deeply
        raise InvalidPayloadError("payload holds what cannot be passed on as JSON") from error
