"""The figures of the SNMP objects as JSON, for operators."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import OperatorRoute, services_of
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals
from fastagi_server.snmp.objects import OBJECTS, dotted
from fastagi_server.telemetry.kinds import Gauge
from fastagi_server.telemetry.measures import Measures

router = APIRouter(prefix="/snmp", tags=["metrics"], route_class=OperatorRoute)

_Unmeasured = Annotated[
    None, Field(description="Always null: audio and signaling do not pass through this service")
]


_EXAMPLE: dict[str, JsonValue] = {
    "active_calls": 5,
    "active_rooms": 2,
    "total_participants": 15,
    "average_call_duration_seconds": 420.5,
    "signaling_messages_per_second": None,
    "media_bytes_per_second": None,
    "error_rate": 0.0123,
    "bandwidth_usage_kbps": None,
    "call_quality_score": 4.21,
    "last_call_started": "2026-01-01T12:00:00Z",
    "last_call_ended": "2026-01-01T11:58:20.5Z",
    "voip_oids": [dotted(each.oid) for each in OBJECTS],
}


class VoipMetricsBody(BaseModel):
    """How the telephone stands; null is a figure that is not known now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    active_calls: int | None = Field(description="Calls that have not ended")
    active_rooms: int | None = Field(description="Rooms that have not been closed")
    total_participants: int | None = Field(description="Seats taken in rooms")
    average_call_duration_seconds: float | None = Field(
        description="Mean age of the calls that have not ended"
    )
    signaling_messages_per_second: _Unmeasured
    media_bytes_per_second: _Unmeasured
    error_rate: float | None = Field(
        description="Part of the registrations since the start that failed, 0 to 1; null before"
        " the first",
    )
    bandwidth_usage_kbps: _Unmeasured
    call_quality_score: float | None = Field(
        description="Mean opinion score, 1 to 5, estimated for the channels sampled last",
    )
    last_call_started: datetime | None = Field(description="When a call last started")
    last_call_ended: datetime | None = Field(description="When a call last ended")
    voip_oids: list[str] = Field(description="The OIDs that snmpd answers")


@router.get(
    "/voip/metrics",
    name="snmp_voip_metrics",
    summary="Get the figures that SNMP shows",
    response_model=VoipMetricsBody,
    responses=refusals(401, 403),
    openapi_extra=OPERATOR_SECURITY,
)
async def voip_metrics(request: Request) -> Response:
    """Get the figures of the SNMP objects.

    They are at most a second old, or as old as the last look where Asterisk is slow to give them.
    """
    measures = services_of(request).measures
    await measures.collectors.refresh()
    return json_answer(voip_metrics_body(measures))


def voip_metrics_body(measures: Measures) -> dict[str, object]:
    """What VoipMetricsBody describes."""
    return {
        "active_calls": _count(measures.calls_active),
        "active_rooms": _count(measures.rooms_active),
        "total_participants": _count(measures.room_participants),
        "average_call_duration_seconds": measures.calls_active_age_seconds.values.get(()),
        "signaling_messages_per_second": None,
        "media_bytes_per_second": None,
        "error_rate": _error_rate(measures),
        "bandwidth_usage_kbps": None,
        "call_quality_score": measures.mos.values.get(()),
        "last_call_started": _moment(measures, "started"),
        "last_call_ended": _moment(measures, "ended"),
        "voip_oids": [dotted(each.oid) for each in OBJECTS],
    }


def _count(gauge: Gauge) -> int | None:
    return int(sum(gauge.values.values())) if gauge.values else None


def _error_rate(measures: Measures) -> float | None:
    by_status = measures.registrations.values
    total = sum(by_status.values())
    if total == 0:
        return None
    return sum(count for (status, _), count in by_status.items() if status == "FAILED") / total


def _moment(measures: Measures, event: str) -> datetime | None:
    seconds = measures.last_call_timestamp.values.get((event,))
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
