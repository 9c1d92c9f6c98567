"""Health over HTTP: bare for probes, in detail for operators only."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.context import ApiServices
from fastagi_server.health.board import Probe
from fastagi_server.health.states import Condition, State


class Patient:
    """A dependency that is as the test says."""

    def __init__(self) -> None:
        self.condition = Condition()

    async def look(self) -> Condition:
        """Its condition."""
        return self.condition


@pytest.fixture
def ami(app: FastAPI) -> Patient:
    """A needed link, added to the service's dependencies."""
    patient = Patient()
    services: ApiServices = app.state.services
    services.health.add(Probe("ami", patient.look))
    return patient


@pytest.fixture
def sge_api(app: FastAPI) -> Patient:
    """A dependency that is not needed."""
    patient = Patient()
    services: ApiServices = app.state.services
    services.health.add(Probe("sge_api", patient.look, is_needed=False))
    return patient


async def test_ready_while_degraded(anybody: httpx.AsyncClient, sge_api: Patient) -> None:
    """SGE away is degraded, never dead."""
    sge_api.condition = Condition(State.DOWN, "SGE API unavailable", "api_timeout")
    answer = await anybody.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "version": "1.2.3"})


async def test_not_ready_and_no_details(anybody: httpx.AsyncClient, ami: Patient) -> None:
    """A needed link that is down makes it unready; probes do not learn which, or why."""
    ami.condition = Condition(State.DOWN, "link: authentication refused", "user sky-genesis")
    answer = await anybody.get("/health/ready")
    assert answer.status_code == 503
    body: dict[str, Any] = answer.json()
    del body["request_id"]
    assert body == {
        "error": "Service unavailable",
        "message": "Something that is needed is away",
        "code": "not_ready",
    }
    assert answer.headers["retry-after"] == "5"
    assert (await anybody.get("/health/live")).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_head(anybody: httpx.AsyncClient, path: str) -> None:
    """Probes that want a status only may ask for the head."""
    assert (await anybody.head(path)).status_code == 200


async def test_details(operator: httpx.AsyncClient, ami: Patient, sge_api: Patient) -> None:
    """Operators see each dependency, its state, since when, and its last error."""
    ami.condition = Condition(State.DOWN, "link: lost", "closed by Asterisk")
    answer = await operator.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    dependencies = body.pop("dependencies")
    assert body == {"status": "down", "reason": "link: lost", "version": "1.2.3"}
    assert all(dependency.pop("since").endswith("Z") for dependency in dependencies)
    assert dependencies == [
        {"name": "store", "needed": True, "state": "up", "last_error": None},
        {"name": "events", "needed": False, "state": "up", "last_error": None},
        {
            "name": "ami",
            "needed": True,
            "state": "down",
            "last_error": "link: lost: closed by Asterisk",
        },
        {"name": "sge_api", "needed": False, "state": "up", "last_error": None},
    ]


async def test_details_are_for_operators(
    anybody: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    """Nobody else sees what is wrong."""
    assert (await anybody.get("/health")).status_code == 401
    assert (await alice.get("/health")).status_code == 403
