"""The JSON bodies of signaling: what is read, and the shapes that the documentation shows."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.calls.participants import MAX_PARTICIPANT_LENGTH
from fastagi_server.signaling.models import SENT_KINDS, SignalKind, SignalMessage

MESSAGE_EXAMPLE: dict[str, Any] = {
    "id": "b6c1f6d2-3f0e-4a59-8f2c-6a1d7f1d2f10",
    "call_id": "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
    "from_user": "asterisk",
    "to_user": "alice",
    "message_type": "answer",
    "payload": {"type": "answer", "sdp": "v=0\r\n..."},
    "timestamp": "2026-01-01T12:00:00.140000Z",
    "created_at": "2026-01-01T12:00:00.140000Z",
    "sequence_number": 1767268800140001,
}

_TYPES: list[Any] = sorted(SENT_KINDS)


class SignalingRequest(BaseModel):
    """A message to another party of the call, or to Asterisk."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "to_user": "asterisk",
                    "message_type": "offer",
                    "payload": {"type": "offer", "sdp": "v=0\r\n..."},
                },
                {
                    "to_user": "asterisk",
                    "message_type": "ice_candidate",
                    "payload": {
                        "candidate": "candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host",
                        "sdpMid": "0",
                        "sdpMLineIndex": 0,
                        "usernameFragment": "h2vq",
                    },
                },
                {"to_user": "asterisk", "message_type": "hangup", "payload": {}},
            ]
        }
    )

    to_user: Annotated[
        str,
        Field(
            max_length=MAX_PARTICIPANT_LENGTH,
            description="`asterisk`, the user id of another party, or a participant as the call"
            " has it that is the telephone of one user",
        ),
    ]
    message_type: Annotated[
        str, Field(description="Read in any case", json_schema_extra={"enum": _TYPES})
    ]
    payload: Annotated[
        Any,
        Field(
            description="`{sdp, type}` of an offer or an answer. Of a candidate the browser's"
            " object, the same below `candidate`, or with `sdp_mid` and `sdp_m_line_index`; null"
            " for no more of them. Else any JSON of at most 4 KiB, mostly `{}`"
        ),
    ]


class SignalingBody(BaseModel):
    """A message as its addressee reads it; `timestamp` and `created_at` are the same."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [MESSAGE_EXAMPLE]})

    id: str
    call_id: str
    from_user: Annotated[str, Field(description="A user id, or `asterisk`")]
    to_user: str
    message_type: Annotated[
        SignalKind, Field(description="`ringing` and `progress` come from Asterisk only")
    ]
    payload: Annotated[
        Any,
        Field(
            description="As it was sent. Of a hangup from Asterisk `{reason, status, cause}`, where"
            " status is SIP's and cause Q.850's, or null"
        ),
    ]
    timestamp: datetime
    created_at: datetime
    sequence_number: Annotated[
        int, Field(description="Larger than that of every message before; the cursor to go on from")
    ]


def signaling_body(message: SignalMessage) -> dict[str, Any]:
    """The wire form of a message; SignalingBody describes it."""
    return {
        "id": message.id,
        "call_id": message.call_id,
        "from_user": message.from_user,
        "to_user": message.to_user,
        "message_type": message.kind,
        "payload": message.payload,
        "timestamp": message.sent_at,
        "created_at": message.sent_at,
        "sequence_number": message.sequence_number,
    }
