"""Presence over HTTP: the same state that event sockets tell of."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import AuthenticatedRoute, caller_of, services_of
from fastagi_server.api.errors import ApiError
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.presence.models import (
    MAX_DEVICE,
    MAX_STATUS_MESSAGE,
    ONE_LINE,
    Presence,
    Status,
    read_status,
)

MAX_LISTED = 10_000

EXAMPLE: dict[str, Any] = {
    "user_id": "alice",
    "status": "away",
    "status_message": "At lunch",
    "current_device": "browser",
    "last_updated": "2026-01-01T12:00:00Z",
}

router = APIRouter(prefix="/presence", tags=["presence"], route_class=AuthenticatedRoute)


class PresenceRequest(BaseModel):
    """How the caller wants to be seen."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "away", "status_message": "At lunch"}]}
    )

    status: Annotated[
        Status,
        BeforeValidator(read_status),
        Field(description="`online` is also the end of the others"),
    ]
    status_message: Annotated[
        str | None, Field(max_length=MAX_STATUS_MESSAGE, pattern=ONE_LINE)
    ] = None
    current_device: Annotated[str | None, Field(max_length=MAX_DEVICE, pattern=ONE_LINE)] = None


class PresenceBody(BaseModel):
    """How a user is seen."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    user_id: str
    status: Annotated[Status, Field(description="`busy` also while on a call")]
    status_message: str | None
    current_device: str | None
    last_updated: Annotated[datetime, Field(description="Since when")]


@router.put(
    "",
    name="set_presence",
    summary="Say how you want to be seen",
    response_model=PresenceBody,
    responses=refusals(400, 401, 403, 408, 413, 415, 422),
    openapi_extra=SECURITY,
)
async def set_presence(request: Request, body: PresenceRequest) -> Response:
    """Set the caller's own presence; the answer is how he is seen now.

    On a call he is seen as `busy` until it ends, unless he said `offline` or `do_not_disturb`. What
    he said is kept in memory until ten seconds after his last event socket was closed.
    """
    book = services_of(request).presence.book
    shown = book.say(_caller(request), body.status, body.status_message, body.current_device)
    return json_answer(presence_body(shown))


@router.get(
    "",
    name="get_presence",
    summary="Get how you are seen",
    response_model=PresenceBody,
    responses=refusals(401, 403, 404),
    openapi_extra=SECURITY,
)
async def get_presence(request: Request) -> Response:
    """Get the caller's own presence."""
    shown = services_of(request).presence.book.get(_caller(request))
    if shown is None:
        raise ApiError(404, "User has not set presence status")
    return json_answer(presence_body(shown))


@router.get(
    "/users",
    name="list_presence",
    summary="List users and how they are seen",
    response_model=list[PresenceBody],
    responses=refusals(401, 403, 422),
    openapi_extra=SECURITY,
)
async def list_presence(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 1000,
) -> Response:
    """List the users who are or were there, by name; every user may see them all."""
    _caller(request)
    known = services_of(request).presence.book.known(limit)
    return json_answer([presence_body(each) for each in known])


def presence_body(presence: Presence) -> dict[str, Any]:
    """The wire form; PresenceBody describes it."""
    return {
        "user_id": presence.user,
        "status": presence.status,
        "status_message": presence.message,
        "current_device": presence.device,
        "last_updated": presence.changed_at,
    }


def _caller(request: Request) -> str:
    caller = caller_of(request)
    if not caller.may_call:
        raise ApiError(403, "The credential has no scope for calls")
    return caller.name
