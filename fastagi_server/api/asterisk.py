"""The PBX for operators: what Asterisk says about itself, and what is live."""

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from fastagi_server.api.answers import JSON_TYPE
from fastagi_server.api.asterisk_bodies import (
    AsteriskBridge,
    AsteriskChannel,
    AsteriskEndpoint,
    AsteriskInfo,
    LiveBody,
)
from fastagi_server.api.asterisk_view import SharedView
from fastagi_server.api.context import OperatorRoute, services_of
from fastagi_server.api.errors import ApiError, pbx_unreachable
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals
from fastagi_server.ari.errors import AriError, AriNotFoundError

HEALTHY = "Asterisk is healthy"

# Names end up in a path of Asterisk's, where a slash or two dots would lead elsewhere.
_NAME = r"^[._@:+*#~=-]*[A-Za-z0-9][A-Za-z0-9._@:+*#~=-]*$"
MAX_NAME_LENGTH = 150
"""Asterisk's own limit for a channel's id, which is the longest of the names."""

Name = Annotated[str, Path(pattern=_NAME, max_length=MAX_NAME_LENGTH)]

router = APIRouter(prefix="/asterisk", tags=["asterisk"], route_class=OperatorRoute)


@router.get(
    "/health",
    name="asterisk_health",
    summary="Does Asterisk answer?",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": HEALTHY}}},
        **refusals(401, 403, 503),
    },
    openapi_extra=OPERATOR_SECURITY,
)
async def health(request: Request) -> Response:
    """Ask Asterisk to answer, and say whether it did."""
    try:
        await _view(request).ping.get()
    except AriError as error:
        raise pbx_unreachable("Asterisk PBX is not responding") from error
    return PlainTextResponse(HEALTHY)


@router.get(
    "/info",
    name="asterisk_info",
    summary="Get Asterisk's version and state",
    response_model=AsteriskInfo,
    responses=refusals(401, 403, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def info(request: Request) -> Response:
    """Get Asterisk's information about itself, as it gives it."""
    return await _relay(_view(request).info.get())


@router.get(
    "/channels",
    name="asterisk_channels",
    summary="List Asterisk's channels",
    response_model=list[AsteriskChannel],
    responses=refusals(401, 403, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def channels(request: Request) -> Response:
    """List all channels, those of calls that are not ours included; at most a second old."""
    return await _relay(_view(request).channels.get())


@router.get(
    "/channels/{channel_id}",
    name="asterisk_channel",
    summary="Get one of Asterisk's channels",
    response_model=AsteriskChannel,
    responses=refusals(401, 403, 404, 422, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def channel(request: Request, channel_id: Name) -> Response:
    """Get one channel by its unique id, as it is now."""
    return await _relay(_view(request).channel(channel_id), missing="Channel not found")


@router.get(
    "/bridges",
    name="asterisk_bridges",
    summary="List Asterisk's bridges",
    response_model=list[AsteriskBridge],
    responses=refusals(401, 403, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def bridges(request: Request) -> Response:
    """List all bridges with the channels in them; at most a second old."""
    return await _relay(_view(request).bridges.get())


@router.get(
    "/endpoints",
    name="asterisk_endpoints",
    summary="List Asterisk's endpoints",
    response_model=list[AsteriskEndpoint],
    responses=refusals(401, 403, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def endpoints(request: Request) -> Response:
    """List all endpoints with their state and channels; at most a second old."""
    return await _relay(_view(request).endpoints.get())


@router.get(
    "/endpoints/{tech}/{resource}",
    name="asterisk_endpoint",
    summary="Get one of Asterisk's endpoints",
    response_model=AsteriskEndpoint,
    responses=refusals(401, 403, 404, 422, 502, 503, 504),
    openapi_extra=OPERATOR_SECURITY,
)
async def endpoint(request: Request, tech: Name, resource: Name) -> Response:
    """Get one endpoint, such as `PJSIP/1001`, as it is now."""
    return await _relay(_view(request).endpoint(tech, resource), missing="Endpoint not found")


@router.get(
    "/live",
    name="asterisk_live",
    summary="Get all that is live",
    response_model=LiveBody,
    responses=refusals(401, 403, 503),
    openapi_extra=OPERATOR_SECURITY,
)
async def live(request: Request) -> Response:
    """Get the calls with their legs, the rooms, and how the link to Asterisk stands.

    It comes from this service's own records and is there when Asterisk is not: at most 500 calls
    and 500 rooms, newest first, as they were at most a second ago.
    """
    return Response(await services_of(request).live.get(), media_type=JSON_TYPE)


def _view(request: Request) -> SharedView:
    view = services_of(request).asterisk
    if view is None:
        raise pbx_unreachable("No Asterisk is connected to this service")
    return view


async def _relay(question: Awaitable[bytes], *, missing: str = "Not found") -> Response:
    try:
        return Response(await question, media_type=JSON_TYPE)
    except AriNotFoundError as error:
        raise ApiError(404, missing) from error
