"""How a room is written into columns and read from them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastagi_server.rooms.models import BridgeType, Member, MemberState, Room, RoomSettings
from fastagi_server.store import schema

_rooms = schema.rooms.c

# In the order in which `to_room` takes them.
COLUMNS = (
    _rooms.id,
    _rooms.name,
    _rooms.owner_id,
    _rooms.max_participants,
    _rooms.settings,
    _rooms.created_at,
    _rooms.updated_at,
    _rooms.number,
    _rooms.members,
    _rooms.is_locked,
    _rooms.recording,
    _rooms.legs,
    _rooms.closes_at,
    _rooms.closed_at,
)


def to_row(room: Room) -> dict[str, Any]:
    """All columns of a room but the count of its changes."""
    return changing(room) | {
        "id": room.id,
        "name": room.name,
        "owner_id": room.owner_id,
        "max_participants": room.max_participants,
        "settings": room.settings,
        "created_at": room.created_at,
        "number": room.number,
    }


def changing(room: Room) -> dict[str, Any]:
    """The columns that may change as long as the room is active."""
    return {
        "members": room.members,
        "is_locked": room.is_locked,
        "recording": room.recording,
        "legs": room.legs,
        "updated_at": room.updated_at,
        "closes_at": room.closes_at,
        "closed_at": room.closed_at,
        "is_active": room.is_active,
        "active_number": room.number if room.is_active else None,
    }


def to_room(stored: Sequence[Any]) -> Room:
    """The room in a row of COLUMNS."""
    room_id, name, owner, seats, settings, created, updated, number, members, *rest = stored
    return Room(
        room_id,
        name,
        owner,
        seats,
        _to_settings(settings),
        created,
        updated,
        number,
        tuple(map(_to_member, members)),
        *rest,
    )


def _to_settings(stored: dict[str, Any]) -> RoomSettings:
    stored["bridge_type"] = BridgeType(stored["bridge_type"])
    return RoomSettings(**stored)


def _to_member(stored: dict[str, Any]) -> Member:
    stored["state"] = MemberState(stored["state"])
    stored["joined_at"] = datetime.fromisoformat(stored["joined_at"])
    if stored["before"] is not None:
        stored["before"] = MemberState(stored["before"])
    return Member(**stored)
