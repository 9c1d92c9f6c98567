"""What other programs may do with event sockets: count them, and say something to a user."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import AuthenticatedRoute, TrustedRoute, services_of
from fastagi_server.api.errors import ApiError
from fastagi_server.api.openapi import OPERATOR_SECURITY, SECURITY, refusals
from fastagi_server.identities.identity import is_name
from fastagi_server.presence.frames import notification

MAX_TITLE = 200
MAX_WORDS = 4096

status_router = APIRouter(prefix="/ws", tags=["sockets"], route_class=AuthenticatedRoute)
router = APIRouter(prefix="/ws", tags=["sockets"], route_class=TrustedRoute)


class SocketStatusBody(BaseModel):
    """How many event sockets there are."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "status": "active",
                    "clients_connected": 12,
                    "channels_active": 3,
                    "timestamp": 1767268800,
                }
            ]
        },
    )

    status: Literal["active"]
    clients_connected: int
    channels_active: Annotated[int, Field(description="Channels that somebody listens on")]
    timestamp: Annotated[int, Field(description="Seconds since 1970")]


class NotifyRequest(BaseModel):
    """A word to a user."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Lunch", "message": "Is ready"}]}
    )

    title: Annotated[str, Field(max_length=MAX_TITLE)] = "Notification"
    message: Annotated[str, Field(max_length=MAX_WORDS)] = ""
    level: Literal["info", "success", "warning", "error"] = "info"


class NotifiedBody(BaseModel):
    """Whether somebody got it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"status": "notification_sent", "user_id": "alice", "timestamp": 1767268800}
            ]
        },
    )

    status: Literal["notification_sent", "user_not_connected"]
    user_id: str
    timestamp: int


@status_router.get(
    "/status",
    name="socket_status",
    summary="Count the event sockets",
    response_model=SocketStatusBody,
    responses=refusals(401, 403),
    openapi_extra=SECURITY,
)
async def socket_status(request: Request) -> Response:
    """Count event sockets and the channels that are listened on."""
    services = services_of(request)
    return json_answer(
        {
            "status": "active",
            "clients_connected": len(services.sockets),
            "channels_active": len(services.presence.channels),
            "timestamp": int(time.time()),
        }
    )


@router.post(
    "/notify/{user_id}",
    name="notify_user",
    summary="Send a notification to a user",
    response_model=NotifiedBody,
    responses=refusals(400, 401, 403, 404, 408, 413, 415, 422),
    openapi_extra=OPERATOR_SECURITY,
)
async def notify_user(request: Request, user_id: str, body: NotifyRequest) -> Response:
    """Send a `Notification` to every event socket of the user."""
    if not is_name(user_id):
        raise ApiError(404, "There is no such user")
    frame = notification(body.title, body.message, body.level)
    count = services_of(request).presence.book.tell(user_id, frame)
    status = "notification_sent" if count else "user_not_connected"
    return json_answer({"status": status, "user_id": user_id, "timestamp": int(time.time())})
