"""The JSON bodies of the API: what is read, and the shapes that the documentation shows.

Unknown fields are ignored. Optional fields are always present in answers, with
null where there is nothing to say.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EndFacts, EventKind
from fastagi_server.calls.orders import MAX_METADATA_ENTRIES, CallOrder
from fastagi_server.calls.participants import MAX_PARTICIPANTS

MAX_MILLISECONDS = 2**31 - 1
"""24 days: longer than any call, and the largest number every database keeps in an integer."""

MAX_HANGUP_CAUSE = 127
"""Q.850 causes have seven bits."""

_CALL_EXAMPLE: dict[str, Any] = {
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
}


def _plausible(moment: datetime) -> datetime:
    # Years at either end of the calendar cannot be turned into UTC.
    if not 2000 <= moment.year < 2200:  # noqa: PLR2004
        raise ValueError("must be a year from 2000 to 2199")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MILLISECONDS)]


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
        list[str],
        Field(
            min_length=1,
            max_length=MAX_PARTICIPANTS,
            description="Dial strings (`SIP/1001`, `PJSIP/1001`) or user ids",
        ),
    ]
    call_type: Annotated[
        CallType, Field(description="Any case; `screen_share` and `ScreenShare` mean `screen`")
    ]
    metadata: Annotated[dict[str, str], Field(max_length=MAX_METADATA_ENTRIES)] = {}

    def order(self) -> CallOrder:
        """What is asked for, checked. Raises InvalidCallError."""
        return CallOrder(tuple(self.participants), self.call_type, self.metadata)


class AcceptRequest(BaseModel):
    """When the call was answered, if that was not just now."""

    answered_at: Moment | None = None


class EndRequest(BaseModel):
    """What the PBX knows about a call that ended; each field may be left out."""

    hangup_cause: Annotated[
        int | None, Field(ge=0, le=MAX_HANGUP_CAUSE, description="Q.850 cause")
    ] = None
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

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_CALL_EXAMPLE]})

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


class CallEventBody(BaseModel):
    """One line of the log of a call."""

    model_config = ConfigDict(extra="forbid")

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
    }


def event_body(event: CallEvent) -> dict[str, Any]:
    """The wire form of an event; CallEventBody describes it."""
    return {"kind": event.kind, "at": event.at, "actor": event.actor, "facts": event.facts}
