"""The JSON bodies of the API: what is read, and the shapes that the documentation shows.

Unknown fields are ignored. Optional fields are always present in answers, with
null where there is nothing to say.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from fastagi_server.api.quality_body import QUALITY_EXAMPLE, QualityBody
from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EndFacts, EventKind
from fastagi_server.calls.orders import (
    MAX_METADATA_ENTRIES,
    MAX_METADATA_KEY_LENGTH,
    MAX_METADATA_VALUE_LENGTH,
    MAX_SYSTEM_LENGTH,
    MAX_UNIQUE_ID_LENGTH,
    CallOrder,
)
from fastagi_server.calls.participants import (
    MAX_PARTICIPANT_LENGTH,
    MAX_PARTICIPANTS,
    TECHNOLOGIES,
)

MAX_MILLISECONDS = 2**31 - 1
"""24 days: longer than any call, and the largest number every database keeps in an integer."""

MAX_HANGUP_CAUSE = 127
"""Q.850 causes have seven bits."""

CALL_EXAMPLE: dict[str, Any] = {
    "id": "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
    "caller_id": "service",
    "participants": ["SIP/1001"],
    "call_type": "audio",
    "status": "ended",
    "start_time": "2026-01-01T12:00:00.120000Z",
    "answered_at": "2026-01-01T12:00:05Z",
    "end_time": "2026-01-01T12:01:05Z",
    "room_id": None,
    "metadata": {
        "asterisk_call_id": "pbx1-1767268800.17",
        "asterisk_channel_id": "pbx1-1767268800.17",
        "caller_id": "1002",
    },
    "created_at": "2026-01-01T12:00:00.120000Z",
    "updated_at": "2026-01-01T12:01:05.010000Z",
    "hangup_cause": 16,
    "dial_status": "ANSWER",
    "ring_ms": 4880,
    "answered_ms": 60000,
    "duration_ms": 60000,
    "quality": QUALITY_EXAMPLE,
}


def _plausible(moment: datetime) -> datetime:
    # Years at either end of the calendar cannot be turned into UTC.
    if not 2000 <= moment.year < 2200:  # noqa: PLR2004
        raise ValueError("must be a year from 2000 to 2199")
    return moment.astimezone(UTC)


def _number(value: object) -> object:
    # In JSON `true` and "7" are no numbers, whatever Python makes of them.
    if value is not None and type(value) not in {int, float}:
        raise ValueError("must be a number")
    return value


def _spelt_out(value: object) -> object:
    # Neither a number nor a number in quotes is a moment in JSON.
    if value is not None and not (isinstance(value, str) and _DATE.match(value)):
        raise ValueError("must be a moment as in 2026-01-01T12:00:00Z")
    return value


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

INTEGER = BeforeValidator(_number)
"""Takes 7 and 7.0, which JSON does not tell apart."""

Moment = Annotated[
    AwareDatetime,
    AfterValidator(_plausible),
    BeforeValidator(_spelt_out),
    Field(json_schema_extra={"pattern": r"^2[01]\d\d-"}),
]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MILLISECONDS), INTEGER]
HangupCause = Annotated[int, Field(ge=0, le=MAX_HANGUP_CAUSE, description="Q.850 cause"), INTEGER]


def _shown(example: dict[str, Any], extra: Literal["forbid", "ignore"] = "ignore") -> ConfigDict:
    return ConfigDict(extra=extra, json_schema_extra={"examples": [example]})


def _any_case(word: str) -> str:
    return "".join(f"[{c}{c.lower()}]" if c.isalpha() else c for c in word)


_TECHNOLOGY = "|".join(map(_any_case, sorted(TECHNOLOGIES)))
_DIAL_STRING = rf"({_TECHNOLOGY})/[A-Za-z0-9._@:+;*#/=~%\[\]-]+"

PARTICIPANT_PATTERN = rf"^({_DIAL_STRING}|[A-Za-z0-9][A-Za-z0-9._@:+|-]*)$"
"""What `calls.participants` takes."""

Participant = Annotated[
    str,
    Field(json_schema_extra={"pattern": PARTICIPANT_PATTERN, "maxLength": MAX_PARTICIPANT_LENGTH}),
]
"""A participant to be: described here, and checked by the topic, which says what is wrong."""

DialString = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_DIAL_STRING}$", "maxLength": MAX_PARTICIPANT_LENGTH}),
]
"""A participant that can be rung, described and checked likewise."""

PartyName = Annotated[str, Field(pattern=PARTICIPANT_PATTERN, max_length=MAX_PARTICIPANT_LENGTH)]
"""A participant that is one already: whatever could be none is refused here."""


def _describe_metadata(schema: dict[str, Any]) -> None:
    # What `calls.orders` takes, for those who read the description.
    name = {"type": "string", "pattern": "^[ -~]*$"}
    schema["propertyNames"] = {
        "pattern": "^[ -~]+$",
        "maxLength": MAX_METADATA_KEY_LENGTH,
    }
    schema["properties"] = {
        "asterisk_call_id": name | {"maxLength": MAX_UNIQUE_ID_LENGTH},
        "asterisk_system": name | {"maxLength": MAX_SYSTEM_LENGTH},
    }
    schema["additionalProperties"] = {
        "type": "string",
        "pattern": "^[^\x00]*$",
        "maxLength": MAX_METADATA_VALUE_LENGTH,
    }


class CallRequest(BaseModel):
    """A call to create, or, with `metadata.asterisk_call_id`, a live channel to adopt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "participants": ["SIP/1001"],
                    "call_type": "audio",
                    "metadata": {"asterisk_call_id": "pbx1-1767268800.17", "caller_id": "1002"},
                }
            ]
        }
    )

    participants: Annotated[
        list[Participant],
        Field(
            min_length=1,
            max_length=MAX_PARTICIPANTS,
            description="Dial strings (`SIP/1001`, `PJSIP/1001`) or user ids",
        ),
    ]
    call_type: Annotated[
        CallType, Field(description="Any case; `screen_share` and `ScreenShare` mean `screen`")
    ]
    metadata: Annotated[
        dict[str, str],
        Field(max_length=MAX_METADATA_ENTRIES, json_schema_extra=_describe_metadata),
    ] = {}

    def order(self) -> CallOrder:
        """What is asked for, checked. Raises InvalidCallError."""
        return CallOrder(tuple(self.participants), self.call_type, self.metadata)


class AcceptRequest(BaseModel):
    """When the call was answered, if that was not just now."""

    model_config = _shown({"answered_at": "2026-01-01T12:00:05Z"})

    answered_at: Moment | None = None


class EndRequest(BaseModel):
    """What the PBX knows about a call that ended; each field may be left out."""

    model_config = _shown(
        {
            "hangup_cause": 16,
            "dial_status": "ANSWER",
            "ring_ms": 4880,
            "answered_ms": 60000,
            "ended_at": "2026-01-01T12:01:05Z",
        }
    )

    hangup_cause: HangupCause | None = None
    dial_status: Annotated[
        str | None, Field(pattern=r"^[A-Za-z_]{1,32}$", description="DIALSTATUS of Asterisk")
    ] = None
    ring_ms: Milliseconds | None = None
    answered_ms: Milliseconds | None = None
    ended_at: Moment | None = None

    def facts(self) -> EndFacts:
        """The same in the words of the topic."""
        return EndFacts(
            hangup_cause=self.hangup_cause,
            dial_status=self.dial_status,
            ring_ms=self.ring_ms,
            answered_ms=self.answered_ms,
            ended_at=self.ended_at,
        )


class CallBody(BaseModel):
    """A call: what was asked for, and what became of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CALL_EXAMPLE]})

    id: str
    caller_id: Annotated[str, Field(description="The identity that created the call")]
    participants: list[str]
    call_type: CallType
    status: CallStatus
    start_time: Annotated[datetime, Field(description="When the call was created")]
    answered_at: datetime | None
    end_time: datetime | None
    room_id: str | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    hangup_cause: int | None
    dial_status: str | None
    ring_ms: int | None
    answered_ms: int | None
    duration_ms: Annotated[
        int | None, Field(description="Milliseconds of conversation; null until the call ended")
    ]
    quality: Annotated[
        QualityBody | None,
        Field(description="Null until the call ended, and where no media was measured"),
    ]


class CallEventBody(BaseModel):
    """One line of the log of a call."""

    model_config = _shown(
        {
            "kind": "ended",
            "at": "2026-01-01T12:01:05.010000Z",
            "actor": "service",
            "facts": {"hangup_cause": 16, "dial_status": "ANSWER"},
        },
        extra="forbid",
    )

    kind: EventKind
    at: datetime
    actor: Annotated[str, Field(description="The identity that made it happen")]
    facts: dict[str, str | int]


class ErrorBody(BaseModel):
    """Every answer that is not a success."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "error": "Call retrieval failed",
                    "message": "Call not found",
                    "code": "call_not_found",
                    "request_id": "8d1c1d9d4c0b4f7fa2f4a2f1d5a6b7c8",
                }
            ]
        },
    )

    error: Annotated[str, Field(description="Short title")]
    message: Annotated[str, Field(description="What is wrong, for people")]
    code: Annotated[str, Field(description="What is wrong, for programs; never changes")]
    request_id: str


class HealthBody(BaseModel):
    """The state of the service."""

    model_config = _shown({"status": "ok", "version": "0.1.0"})

    status: str
    version: str


def call_body(call: Call) -> dict[str, Any]:
    """The wire form of a call; CallBody describes it."""
    return {
        "id": call.id,
        "caller_id": call.caller_id,
        "participants": call.participants,
        "call_type": call.call_type,
        "status": call.status,
        "start_time": call.start_time,
        "answered_at": call.answered_at,
        "end_time": call.end_time,
        "room_id": call.room_id,
        "metadata": call.metadata,
        "created_at": call.start_time,
        "updated_at": call.updated_at,
        "hangup_cause": call.hangup_cause,
        "dial_status": call.dial_status,
        "ring_ms": call.ring_ms,
        "answered_ms": call.answered_ms,
        "duration_ms": call.duration_ms,
        "quality": call.quality,
    }


def event_body(event: CallEvent) -> dict[str, Any]:
    """The wire form of an event; CallEventBody describes it."""
    return {"kind": event.kind, "at": event.at, "actor": event.actor, "facts": event.facts}
