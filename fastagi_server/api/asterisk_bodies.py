"""What `asterisk/*` answers: Asterisk's own objects, and what is live in this service.

Asterisk's objects are relayed as it wrote them. The shapes name the members that Asterisk 18 to 22
always have; newer ones add members, and times are in its own notation.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.bodies import CALL_EXAMPLE, CallBody
from fastagi_server.api.room_bodies import RoomBody
from fastagi_server.calls.legs import LegState


def _relayed(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="allow", json_schema_extra={"examples": [example]})


class AsteriskInfo(BaseModel):
    """Version and state of Asterisk."""

    model_config = _relayed(
        {
            "build": {"os": "Linux", "kernel": "6.1.0", "machine": "x86_64"},
            "system": {"version": "22.10.0", "entity_id": "02:42:ac:11:00:02"},
            "config": {"name": "pbx1", "default_language": "en"},
            "status": {
                "startup_time": "2026-01-01T11:00:00.000+0000",
                "last_reload_time": "2026-01-01T11:00:00.000+0000",
            },
        }
    )

    build: dict[str, Any] | None = None
    system: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


class AsteriskChannel(BaseModel):
    """A channel: one leg of a call."""

    model_config = _relayed(
        {
            "id": "1767268800.17",
            "name": "PJSIP/1001-00000011",
            "state": "Up",
            "caller": {"name": "Alice", "number": "1001"},
            "connected": {"name": "", "number": "1002"},
            "accountcode": "",
            "dialplan": {
                "context": "sky-genesis-voip",
                "exten": "1002",
                "priority": 3,
                "app_name": "Stasis",
                "app_data": "sky-genesis-voip",
            },
            "creationtime": "2026-01-01T12:00:00.120+0000",
            "language": "en",
        }
    )

    id: str
    name: str
    state: str


class AsteriskBridge(BaseModel):
    """A bridge: channels that hear each other."""

    model_config = _relayed(
        {
            "id": "sge-5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
            "technology": "simple_bridge",
            "bridge_type": "mixing",
            "bridge_class": "stasis",
            "creator": "Stasis",
            "name": "",
            "channels": ["1767268800.17", "1767268800.18"],
            "creationtime": "2026-01-01T12:00:05.000+0000",
            "video_mode": "talker",
        }
    )

    id: str
    technology: str
    bridge_type: str
    channels: list[str]


class AsteriskEndpoint(BaseModel):
    """An endpoint: a telephone or a trunk."""

    model_config = _relayed(
        {
            "technology": "PJSIP",
            "resource": "1001",
            "state": "online",
            "channel_ids": ["1767268800.17"],
        }
    )

    technology: str
    resource: str
    state: str | None = None
    channel_ids: list[str]


class LiveLink(BaseModel):
    """How the link to Asterisk stands."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, Field(description="`up` when Asterisk's events come")]
    since: Annotated[datetime, Field(description="Since when it stands so")]
    last_error: Annotated[str | None, Field(description="Why it was last not up")]


class LiveLeg(BaseModel):
    """One leg of a call that is led by this service."""

    model_config = ConfigDict(extra="forbid")

    channel_id: Annotated[
        str | None, Field(description="Unique id of its channel; null before it is dialled")
    ]
    participant: Annotated[
        str | None, Field(description="The participant it is for; null for whoever called in")
    ]
    state: LegState
    is_on_hold: bool


class LiveCall(CallBody):
    """A call that has not ended, with the legs that it has."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=None)

    legs: Annotated[
        list[LiveLeg], Field(description="Empty for a call that the dialplan or users lead")
    ]


class NotRegistered(BaseModel):
    """A live channel that reached an extension without its call being registered."""

    model_config = ConfigDict(extra="forbid")

    channel_id: Annotated[str, Field(description="Unique id of the channel")]
    channel: Annotated[str, Field(description="Its name in Asterisk")]
    context: Annotated[str, Field(description="Dialplan context where it was seen to call or talk")]
    extension: Annotated[str, Field(description="The number that it dialled")]
    since: Annotated[datetime, Field(description="When its registration was missed")]


class LiveBody(BaseModel):
    """All that is live in this service, at most a second ago."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "link": {
                        "state": "up",
                        "since": "2026-01-01T11:00:00.250000Z",
                        "last_error": None,
                    },
                    "calls": [
                        {
                            **CALL_EXAMPLE,
                            "status": "ringing",
                            "answered_at": None,
                            "end_time": None,
                            "hangup_cause": None,
                            "dial_status": None,
                            "ring_ms": None,
                            "answered_ms": None,
                            "duration_ms": None,
                            "legs": [
                                {
                                    "channel_id": "pbx1-1767268800.17",
                                    "participant": None,
                                    "state": "up",
                                    "is_on_hold": False,
                                },
                                {
                                    "channel_id": "sge-5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11-1",
                                    "participant": "SIP/1001",
                                    "state": "ringing",
                                    "is_on_hold": False,
                                },
                            ],
                        }
                    ],
                    "rooms": [],
                    "manager_link": None,
                    "not_registered": [],
                }
            ]
        },
    )

    link: Annotated[LiveLink | None, Field(description="Null where no Asterisk is configured")]
    calls: list[LiveCall]
    rooms: list[RoomBody]
    manager_link: Annotated[
        LiveLink | None, Field(description="Null where no manager interface is configured")
    ]
    not_registered: Annotated[
        list[NotRegistered],
        Field(description="At most 1,000; empty without a manager interface"),
    ]
