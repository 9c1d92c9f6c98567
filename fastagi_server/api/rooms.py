"""Rooms over HTTP. Every answer but a list is the room as it is then."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import AuthenticatedRoute, caller_of, note_subject, services_of
from fastagi_server.api.idempotency import PARAMETER, idempotency_key_of
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.api.room_bodies import (
    JoinRequest,
    RoomBody,
    RoomEventBody,
    RoomRequest,
    room_body,
    room_event_body,
)
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.rooms.errors import RoomNotFoundError
from fastagi_server.rooms.models import Room
from fastagi_server.rooms.orders import JoinOrder

MAX_LISTED = 500

router = APIRouter(prefix="/rooms", tags=["rooms"], route_class=AuthenticatedRoute)

_ACT: dict[str, Any] = {
    "response_model": RoomBody,
    "responses": refusals(401, 403, 404, 409, 502, 503, 504),
    "openapi_extra": SECURITY,
}
"""What all requests without a body have in common."""


@router.get(
    "/{room_id}",
    name="get_room",
    summary="Get a room",
    response_model=RoomBody,
    responses=refusals(401, 403, 404, 503),
    openapi_extra=SECURITY,
)
async def get_room(request: Request, room_id: str) -> Response:
    """Get one room, active or closed.

    A room with a password or a lock is shown to its members, its moderators and trusted keys.
    """
    return _answer(await _desk(request).registry.get(room_id, caller_of(request)))


@router.get(
    "",
    name="list_rooms",
    summary="List active rooms, newest first",
    response_model=list[RoomBody],
    responses=refusals(401, 403, 422, 503),
    openapi_extra=SECURITY,
)
async def list_rooms(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
    number: Annotated[
        str | None,
        Query(pattern=r"^[0-9]{3}$", description="Only the room that telephones reach by this"),
    ] = None,
) -> Response:
    """List the active rooms that the caller owns, moderates or is in, or all for a trusted key.

    With `number`, the active room of that number, if the caller may see it.
    """
    registry, caller = _desk(request).registry, caller_of(request)
    if number is None:
        rooms = await registry.active(caller, limit)
    else:
        try:
            rooms = [await registry.by_number(number, caller)]
        except RoomNotFoundError:
            rooms = []
    return json_answer([room_body(room) for room in rooms])


@router.post(
    "",
    name="create_room",
    summary="Create a room",
    status_code=201,
    response_model=RoomBody,
    responses={
        200: {"model": RoomBody, "description": "The room exists since an earlier request"},
        **refusals(400, 401, 403, 408, 409, 413, 415, 422, 502, 503, 504),
    },
    openapi_extra={**SECURITY, "parameters": [PARAMETER]},
)
async def create_room(request: Request, body: RoomRequest) -> Response:
    """Create a room, with a bridge in the PBX; the caller owns it and has the first seat."""
    registry = _desk(request).registry
    key = idempotency_key_of(request)
    room, is_new = await registry.create(body.order(), caller_of(request), key)
    note_subject(request, room.id)
    return _answer(room, 201 if is_new else 200)


@router.post(
    "/{room_id}/join",
    name="join_room",
    summary="Join a room",
    response_model=RoomBody,
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=SECURITY,
)
async def join_room(request: Request, room_id: str, body: JoinRequest | None = None) -> Response:
    """Come in without a telephone, or by having `endpoint` rung; a member may repeat it.

    Who has a telephone rung is a participant when it is in the room's bridge.
    """
    order = JoinOrder() if body is None else body.order()
    return _answer(await _desk(request).registry.join(room_id, order, caller_of(request)))


@router.post("/{room_id}/leave", name="leave_room", summary="Leave a room", **_ACT)
async def leave_room(request: Request, room_id: str) -> Response:
    """Leave, with every telephone of the caller; who is no member changes nothing."""
    return _answer(await _desk(request).registry.leave(room_id, caller_of(request)))


@router.post("/{room_id}/close", name="close_room", summary="Close a room", **_ACT)
async def close_room(request: Request, room_id: str) -> Response:
    """Hang everybody up and close the room; a closed room stays as it is. For moderators."""
    return _answer(await _desk(request).moderation.close(room_id, caller_of(request)))


@router.post("/{room_id}/lock", name="lock_room", summary="Lock a room", **_ACT)
async def lock_room(request: Request, room_id: str) -> Response:
    """Let nobody in who is neither member nor moderator. For moderators."""
    caller = caller_of(request)
    return _answer(await _desk(request).moderation.lock(room_id, caller, is_locked=True))


@router.post("/{room_id}/unlock", name="unlock_room", summary="Unlock a room", **_ACT)
async def unlock_room(request: Request, room_id: str) -> Response:
    """Let others in again. For moderators."""
    caller = caller_of(request)
    return _answer(await _desk(request).moderation.lock(room_id, caller, is_locked=False))


@router.post(
    "/{room_id}/members/{member}/kick", name="kick_member", summary="Send a member away", **_ACT
)
async def kick_member(request: Request, room_id: str, member: str) -> Response:
    """Hang a member up and free his seat. For moderators."""
    return _answer(await _desk(request).moderation.kick(room_id, member, caller_of(request)))


@router.post(
    "/{room_id}/members/{member}/mute", name="mute_member", summary="Mute a member", **_ACT
)
async def mute_member(request: Request, room_id: str, member: str) -> Response:
    """Make a member unheard. For moderators."""
    caller = caller_of(request)
    return _answer(await _desk(request).moderation.mute(room_id, member, caller, is_muted=True))


@router.post(
    "/{room_id}/members/{member}/unmute", name="unmute_member", summary="Unmute a member", **_ACT
)
async def unmute_member(request: Request, room_id: str, member: str) -> Response:
    """Let a member be heard again. For moderators."""
    caller = caller_of(request)
    return _answer(await _desk(request).moderation.mute(room_id, member, caller, is_muted=False))


@router.post("/{room_id}/recording/start", name="start_recording", summary="Record a room", **_ACT)
async def start_recording(request: Request, room_id: str) -> Response:
    """Record what is heard in the room, where that is allowed. For moderators."""
    return _answer(await _desk(request).moderation.start_recording(room_id, caller_of(request)))


@router.post(
    "/{room_id}/recording/stop", name="stop_recording", summary="Stop recording a room", **_ACT
)
async def stop_recording(request: Request, room_id: str) -> Response:
    """Stop and keep the recording, if one runs. For moderators."""
    return _answer(await _desk(request).moderation.stop_recording(room_id, caller_of(request)))


@router.get(
    "/{room_id}/events",
    name="get_room_events",
    summary="Get the log of a room",
    response_model=list[RoomEventBody],
    responses=refusals(401, 403, 404, 503),
    openapi_extra=SECURITY,
)
async def get_room_events(request: Request, room_id: str) -> Response:
    """Get what happened to the room, oldest first, to whom the room is shown."""
    events = await _desk(request).registry.events(room_id, caller_of(request))
    return json_answer([room_event_body(event) for event in events])


def _desk(request: Request) -> RoomDesk:
    return services_of(request).rooms


def _answer(room: Room, status: int = 200) -> Response:
    return json_answer(room_body(room), status)
