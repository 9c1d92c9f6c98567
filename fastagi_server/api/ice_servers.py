"""The STUN and TURN servers that a browser may use."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import AuthenticatedRoute, caller_of, services_of
from fastagi_server.api.errors import ApiError
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.signaling.ice import IceServer

_EXAMPLE: dict[str, Any] = {
    "ice_servers": [
        {"urls": ["stun:stun.example.com:3478"]},
        {
            "urls": ["turn:turn.example.com:3478"],
            "username": "1767272400:alice",
            "credential": "JNZbRwI/6/UIrE0JQODLFn8RFeo=",
        },
    ],
    "ttl_seconds": 3600,
    "expires_at": "2026-01-01T13:00:00Z",
}

router = APIRouter(prefix="/ice-servers", tags=["signaling"], route_class=AuthenticatedRoute)


class IceServerBody(BaseModel):
    """An entry of `RTCConfiguration.iceServers`; STUN servers have no name and credential."""

    model_config = ConfigDict(extra="forbid")

    urls: list[str]
    username: str = ""
    credential: str = ""


class IceServersBody(BaseModel):
    """What goes into `new RTCPeerConnection({iceServers: answer.ice_servers})` as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    ice_servers: list[IceServerBody]
    ttl_seconds: Annotated[int, Field(description="How long the credentials are good from now on")]
    expires_at: Annotated[datetime, Field(description="Until when they are")]


@router.get(
    "",
    name="get_ice_servers",
    summary="Get the STUN and TURN servers",
    response_model=IceServersBody,
    responses=refusals(401, 403, 503),
    openapi_extra=SECURITY,
)
async def get_ice_servers(request: Request) -> Response:
    """Get the STUN and TURN servers of this installation, with credentials that expire.

    The credentials are the caller's own, and good for calls that begin before `expires_at`; one
    that goes on for longer asks again, and calls `setConfiguration`, before it restarts ICE.
    """
    caller = caller_of(request)
    if not caller.may_call:  # a relay is of use, and costs, without any call too
        raise ApiError(403)
    offered = services_of(request).ice.servers(caller.name)
    answer = json_answer(
        {
            "ice_servers": [_entry(server) for server in offered.servers],
            "ttl_seconds": offered.seconds,
            "expires_at": offered.expires_at,
        }
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _entry(server: IceServer) -> dict[str, Any]:
    # A browser refuses names that are null, so they are left out where there are none.
    if server.username is None:
        return {"urls": server.urls}
    return {"urls": server.urls, "username": server.username, "credential": server.credential}
