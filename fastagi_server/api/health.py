"""Whether the service runs, and whether it can do its work; for anybody who can reach it."""

from fastapi import APIRouter, Request, Response

from fastagi_server.api.answers import json_answer
from fastagi_server.api.bodies import HealthBody
from fastagi_server.api.context import services_of
from fastagi_server.api.openapi import refusals

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", name="health_live", summary="Does it run?", response_model=HealthBody)
async def live(request: Request) -> Response:
    """Answer as long as the process handles requests."""
    return _healthy(request)


@router.get(
    "/ready",
    name="health_ready",
    summary="Can it do its work?",
    response_model=HealthBody,
    responses=refusals(503),
)
async def ready(request: Request) -> Response:
    """Answer 200 when the records can be read and changed."""
    await services_of(request).check_store()
    return _healthy(request)


def _healthy(request: Request) -> Response:
    return json_answer({"status": "ok", "version": request.app.version})
