"""The JSON bodies of rooms: what is read, and the shapes that the documentation shows."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from fastagi_server.api.bodies import INTEGER, PARTICIPANT_PATTERN
from fastagi_server.calls.participants import MAX_PARTICIPANT_LENGTH
from fastagi_server.rooms.models import (
    BridgeType,
    Member,
    MemberState,
    Room,
    RoomEvent,
    RoomEventKind,
    RoomSettings,
)
from fastagi_server.rooms.orders import (
    MAX_NAME_LENGTH,
    MAX_PASSWORD_LENGTH,
    MAX_SEATS,
    MAX_TIME_LIMIT_MINUTES,
    JoinOrder,
    RoomOrder,
)

_RULES_EXAMPLE: dict[str, Any] = {
    "allow_recording": True,
    "allow_screen_share": True,
    "require_moderator": False,
    "bridge_type": "mixing",
}
_ROOM_EXAMPLE: dict[str, Any] = {
    "id": "0f8b0a94-3a5d-4a0e-8d4e-5c2b1f7e9a10",
    "name": "Team meeting",
    "owner_id": "alice",
    "participants": ["1002"],
    "max_participants": 10,
    "is_active": True,
    "created_at": "2026-01-01T12:00:00Z",
    "updated_at": "2026-01-01T12:00:05Z",
    "closed_at": None,
    "closes_at": None,
    "settings": {
        **_RULES_EXAMPLE,
        "moderator_id": None,
        "password_required": False,
        "time_limit_minutes": None,
        "close_without_moderator": False,
    },
    "number": "042",
    "is_locked": False,
    "recording": None,
    "members": [
        {
            "id": "1767268805.17",
            "user_id": None,
            "number": "1002",
            "channel_id": "1767268805.17",
            "state": "present",
            "is_moderator": False,
            "is_muted": False,
            "shares_screen": False,
            "joined_at": "2026-01-01T12:00:05Z",
        },
    ],
}

# What the topic takes in any script is described by what everybody can type.
_PLAIN: dict[str, JsonValue] = {"pattern": "^[ -~]+$"}

DIAL_STRING_PATTERN = PARTICIPANT_PATTERN.replace("|[A-Za-z0-9][A-Za-z0-9._@:+|-]*", "")
"""A participant that is rung; not a user id."""

Password = Annotated[
    str,
    Field(
        max_length=MAX_PASSWORD_LENGTH,
        description="Printable ASCII; telephones key it in and end it with #",
        json_schema_extra={"pattern": "^[ -~]*$"},
    ),
]


class RoomRules(BaseModel):
    """The rules of a room; each may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RULES_EXAMPLE]})

    allow_recording: StrictBool = False
    allow_screen_share: StrictBool = True
    require_moderator: Annotated[
        StrictBool, Field(description="Others wait until the owner or the moderator is in")
    ] = False
    bridge_type: Annotated[BridgeType, Field(description="Read in any case")] = BridgeType.MIXING
    moderator_id: Annotated[
        str | None,
        Field(
            description="A user who moderates besides the owner",
            json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9._@:+|-]{0,255}$"},
        ),
    ] = None
    password: Password | None = None
    time_limit_minutes: Annotated[int | None, Field(ge=1, le=MAX_TIME_LIMIT_MINUTES), INTEGER] = (
        None
    )
    close_without_moderator: Annotated[
        StrictBool, Field(description="Close when the last moderator leaves, if one is required")
    ] = False


class RoomRequest(BaseModel):
    """A room to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Team meeting", "max_participants": 10, "settings": _RULES_EXAMPLE}
            ]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH, json_schema_extra=_PLAIN)]
    max_participants: Annotated[
        int, Field(ge=1, le=MAX_SEATS, description="The owner counts"), INTEGER
    ]
    settings: RoomRules = RoomRules()
    number: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{3}$", description="What telephones dial after the 9"),
    ] = None

    def order(self) -> RoomOrder:
        """What is asked for, checked. Raises InvalidRoomError."""
        rules = self.settings
        settings = RoomSettings(
            allow_recording=rules.allow_recording,
            allow_screen_share=rules.allow_screen_share,
            require_moderator=rules.require_moderator,
            bridge_type=rules.bridge_type,
            moderator_id=rules.moderator_id,
            time_limit_minutes=rules.time_limit_minutes,
            close_without_moderator=rules.close_without_moderator,
        )
        return RoomOrder(
            self.name, self.max_participants, settings, self.number, rules.password or ""
        )


class JoinRequest(BaseModel):
    """How to come in; each field may be left out."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "4711", "endpoint": "PJSIP/1002"}]}
    )

    password: Password | None = None
    endpoint: Annotated[
        str | None,
        Field(
            description="Dial string of the telephone to ring; none without it",
            json_schema_extra={"pattern": DIAL_STRING_PATTERN, "maxLength": MAX_PARTICIPANT_LENGTH},
        ),
    ] = None
    screen: Annotated[StrictBool, Field(description="Whether the user shares his screen")] = False

    def order(self) -> JoinOrder:
        """What is asked for, checked. Raises InvalidRoomError and InvalidCallError."""
        return JoinOrder(self.password or "", self.endpoint, self.screen)


class RoomRulesBody(BaseModel):
    """The rules of a room, without its password."""

    model_config = ConfigDict(extra="forbid")

    allow_recording: bool
    allow_screen_share: bool
    require_moderator: bool
    bridge_type: BridgeType
    moderator_id: str | None
    password_required: bool
    time_limit_minutes: int | None
    close_without_moderator: bool


class MemberBody(BaseModel):
    """Somebody who has a seat in a room."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(description="User id, or the channel of a telephone of nobody known")]
    user_id: str | None
    number: Annotated[str, Field(description="The caller's number, as told; empty without one")]
    channel_id: str | None
    state: MemberState
    is_moderator: bool
    is_muted: bool
    shares_screen: bool
    joined_at: datetime


class RoomBody(BaseModel):
    """A room.

    `participants` are those who are in it, the owner first: users who joined, telephones that are
    in the bridge (as user id, or else number or channel), and the owner from the creation until he
    leaves. `members` are all seats, with those who are rung, wait, or are on the way in.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ROOM_EXAMPLE]})

    id: str
    name: str
    owner_id: str
    participants: list[str]
    max_participants: int
    is_active: bool
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    closes_at: Annotated[datetime | None, Field(description="When the time limit closes it")]
    settings: RoomRulesBody
    number: str | None
    is_locked: bool
    recording: Annotated[str | None, Field(description="Name of the recording that runs")]
    members: list[MemberBody]


class RoomEventBody(BaseModel):
    """One line of the log of a room."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "joined", "at": "2026-01-01T12:00:05Z", "actor": "alice", "facts": {}}
            ]
        },
    )

    kind: RoomEventKind
    at: datetime
    actor: Annotated[str, Field(description="The identity that made it happen")]
    facts: dict[str, str | int]


def room_body(room: Room) -> dict[str, Any]:
    """The wire form of a room; RoomBody describes it."""
    return {
        "id": room.id,
        "name": room.name,
        "owner_id": room.owner_id,
        "participants": room.participants,
        "max_participants": room.max_participants,
        "is_active": room.is_active,
        "created_at": room.created_at,
        "updated_at": room.updated_at,
        "closed_at": room.closed_at,
        "closes_at": room.closes_at,
        "settings": _rules_body(room.settings),
        "number": room.number,
        "is_locked": room.is_locked,
        "recording": room.recording,
        "members": [_member_body(room, member) for member in room.members],
    }


def room_event_body(event: RoomEvent) -> dict[str, Any]:
    """The wire form of an event; RoomEventBody describes it."""
    return {"kind": event.kind, "at": event.at, "actor": event.actor, "facts": event.facts}


def _rules_body(rules: RoomSettings) -> dict[str, Any]:
    return {
        "allow_recording": rules.allow_recording,
        "allow_screen_share": rules.allow_screen_share,
        "require_moderator": rules.require_moderator,
        "bridge_type": rules.bridge_type,
        "moderator_id": rules.moderator_id,
        "password_required": bool(rules.password_hash),
        "time_limit_minutes": rules.time_limit_minutes,
        "close_without_moderator": rules.close_without_moderator,
    }


def _member_body(room: Room, member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "user_id": member.user,
        "number": member.number,
        "channel_id": member.channel,
        "state": member.state,
        "is_moderator": member.user in room.moderators,
        "is_muted": member.is_muted,
        "shares_screen": member.shares_screen,
        "joined_at": member.joined_at,
    }
