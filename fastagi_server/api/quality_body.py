"""The JSON body of a call's quality."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

QUALITY_EXAMPLE: dict[str, Any] = {
    "mes": 88.09,
    "mos": 4.4,
    "loss_percent": 0.0,
    "jitter_ms": 0.46,
    "round_trip_ms": None,
}


class QualityBody(BaseModel):
    """How a call sounded: the worst that any of its phones had, sending or receiving.

    Asterisk estimates it from the packets between itself and the phones; echo, noise and what the
    codec costs are not in it. What phones received is known of those only that send RTCP.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [QUALITY_EXAMPLE]})

    mes: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            description="Media Experience Score, 0 to 100; null for a call of less than 5 s",
        ),
    ]
    mos: Annotated[
        float | None,
        Field(ge=0, le=5, description="Mean Opinion Score as estimated: `mes` divided by 20"),
    ]
    loss_percent: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            description="Packets that did not arrive, in percent, as counted every 5 s; null for a"
            " shorter call",
        ),
    ]
    jitter_ms: Annotated[
        float | None, Field(ge=0, description="Mean jitter of arrival, in milliseconds")
    ]
    round_trip_ms: Annotated[
        float | None,
        Field(ge=0, description="Mean round trip, in milliseconds; null without RTCP of a phone"),
    ]
