"""The shape of the wallboard's state, as the documentation shows it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.calls.models import CallStatus, CallType
from fastagi_server.health.states import State

Level = Literal["good", "warn", "bad"]


_AT = "2026-01-01T12:01:05Z"
_SINCE = "2026-01-01T12:00:00Z"
_EXAMPLE: dict[str, Any] = {
    "at": _AT,
    "verdict": {"word": "degraded", "reasons": ["SGE API unavailable"]},
    "figures": {
        "calls": 1,
        "rooms": 1,
        "channels": 2,
        "bridges": 1,
        "endpoints": 48,
        "endpoints_online": 41,
        "mos": 4.2,
        "agi_sessions": 0,
        "outbox_pending": 3,
        "outbox_dead": 0,
        "outbox_oldest_seconds": 12.5,
        "calls_per_minute": 12,
        "registrations_per_minute": 12,
        "registrations_failed": 0,
        "register_p95_ms": 7.4,
        "sge_p95_ms": 4.1,
    },
    "links": [
        {
            "id": "sge_api",
            "state": "down",
            "level": "warn",
            "since": _SINCE,
            "error": "SGE API unavailable: api_timeout",
        }
    ],
    "calls": [
        {
            "id": "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
            "from": "Anna (1002)",
            "to": "1001",
            "kind": "audio",
            "status": "connected",
            "since": _SINCE,
            "answered_at": "2026-01-01T12:00:05Z",
        }
    ],
    "rooms": [
        {
            "id": "0f8b0a94-3a5d-4a0e-8d4e-5c2b1f7e9a10",
            "name": "Team meeting",
            "number": "123",
            "present": 2,
            "seats": 10,
            "is_locked": False,
            "is_recorded": False,
            "since": _SINCE,
        }
    ],
    "endpoints": [{"id": "PJSIP/1001", "state": "online", "channels": 1}],
    "errors": [
        {
            "number": 7,
            "at": _AT,
            "level": "warning",
            "event": "link_state",
            "detail": "link=ari state=lost",
            "times": 1,
        }
    ],
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VerdictBody(_Body):
    """Whether the telephone works."""

    word: Literal["working", "degraded", "down"]
    reasons: list[str]


class FiguresBody(_Body):
    """Present values and those of the last minute; null where they are not known."""

    calls: int
    rooms: int
    channels: float | None
    bridges: float | None
    endpoints: float | None
    endpoints_online: float | None
    mos: Annotated[float | None, Field(description="Mean opinion score, 1 to 5, an estimate")]
    agi_sessions: float
    outbox_pending: float | None
    outbox_dead: float | None
    outbox_oldest_seconds: float | None
    calls_per_minute: float | None
    registrations_per_minute: float | None
    registrations_failed: Annotated[float | None, Field(description="In the last minute")]
    register_p95_ms: Annotated[
        float | None, Field(description="95 % of AGI sessions of `register` took no longer")
    ]
    sge_p95_ms: Annotated[
        float | None, Field(description="95 % of requests to the SGE API took no longer")
    ]


class LinkBody(_Body):
    """Something that the telephone depends on; `error` says why it is not up."""

    id: str
    state: State
    level: Level
    since: datetime
    error: str


class BoardCallBody(_Body):
    """An active call. `from` and `to` are names or numbers, as the callers sent them."""

    id: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    kind: CallType
    status: CallStatus
    since: datetime
    answered_at: datetime | None


class BoardRoomBody(_Body):
    """An active room."""

    id: str
    name: str
    number: str | None
    present: int
    seats: int
    is_locked: bool
    is_recorded: bool
    since: datetime


class BoardEndpointBody(_Body):
    """An endpoint of Asterisk, and how many channels it has."""

    id: str
    state: str
    channels: int


class BoardErrorBody(_Body):
    """A warning or an error of the log, said `times` in a row."""

    number: int
    at: datetime
    level: Literal["warning", "error", "critical"]
    event: str
    detail: str
    times: int


class BoardBody(_Body):
    """Everything that the wallboard shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    at: datetime
    verdict: VerdictBody
    figures: FiguresBody
    links: list[LinkBody]
    calls: list[BoardCallBody]
    rooms: list[BoardRoomBody]
    endpoints: Annotated[
        list[BoardEndpointBody] | None, Field(description="Null while Asterisk cannot be asked")
    ]
    errors: list[BoardErrorBody]
