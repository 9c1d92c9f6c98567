"""Whether the service runs, and whether it can do its work; for anybody who can reach it.

What it depends on, and what is wrong with it, is for operators only.
"""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from fastagi_server.api.answers import json_answer
from fastagi_server.api.bodies import HealthBody
from fastagi_server.api.context import OperatorRoute, services_of
from fastagi_server.api.errors import RETRY_LATER, ApiError
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals
from fastagi_server.health.states import Dependency, State

NOT_READY = "not_ready"

_EXAMPLE: JsonDict = {
    "status": "degraded",
    "reason": "SGE API unavailable",
    "version": "0.1.0",
    "dependencies": [
        {
            "name": "sge_api",
            "needed": False,
            "state": "down",
            "since": "2026-01-02T03:04:05Z",
            "last_error": "SGE API unavailable: api_timeout",
        }
    ],
}

router = APIRouter(prefix="/health", tags=["health"])
details_router = APIRouter(prefix="/health", tags=["health"], route_class=OperatorRoute)


class DependencyBody(BaseModel):
    """How one thing that the service depends on stands."""

    name: str
    needed: bool
    state: State
    since: datetime
    last_error: str | None


class HealthDetailsBody(BaseModel):
    """The state of the service, and of each thing that it depends on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    status: str
    reason: str | None
    version: str
    dependencies: list[DependencyBody]


@router.head("/live", name="health_live", include_in_schema=False)
@router.get("/live", name="health_live", summary="Does it run?", response_model=HealthBody)
async def live(request: Request) -> Response:
    """Answer as long as the process handles requests."""
    return _healthy(request, "ok")


@router.head("/ready", name="health_ready", include_in_schema=False)
@router.get(
    "/ready",
    name="health_ready",
    summary="Can it do its work?",
    response_model=HealthBody,
    responses=refusals(503),
)
async def ready(request: Request) -> Response:
    """Answer 200, `ok` or `degraded`, when all that is needed is up: records, links to Asterisk.

    The SGE API is not needed: registrations wait for it.
    """
    summary = await services_of(request).health.check()
    if summary.is_ready:
        return _healthy(request, summary.word)
    if summary.state_of("store") is State.DOWN:
        raise ApiError(503, headers=RETRY_LATER)
    raise ApiError(503, "Something that is needed is away", code=NOT_READY, headers=RETRY_LATER)


@details_router.get(
    "",
    name="health_details",
    summary="What is well, and what is not?",
    response_model=HealthDetailsBody,
    responses=refusals(401, 403),
    openapi_extra=OPERATOR_SECURITY,
)
async def details(request: Request) -> Response:
    """Look at all that the service depends on: its state, since when, and its last error."""
    summary = await services_of(request).health.check()
    return json_answer(
        {
            "status": summary.word,
            "reason": summary.reason or None,
            "version": request.app.version,
            "dependencies": list(map(_dependency_body, summary.dependencies)),
        }
    )


def _dependency_body(dependency: Dependency) -> dict[str, Any]:
    return {
        "name": dependency.name,
        "needed": dependency.is_needed,
        "state": dependency.state,
        "since": dependency.since,
        "last_error": dependency.last_error or None,
    }


def _healthy(request: Request, status: str) -> Response:
    return json_answer({"status": status, "version": request.app.version})
