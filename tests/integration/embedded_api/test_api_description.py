"""The description that /openapi.json gives of the API."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI


@pytest.fixture
async def schema(app: FastAPI) -> dict[str, Any]:
    """The description as anybody reads it."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge"
    ) as anybody:
        answer = await anybody.get("/openapi.json")
        again = await anybody.get("/openapi.json")
    assert answer.content == again.content
    described: dict[str, Any] = answer.json()
    return described


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each operation by method and path below /api/v1."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def test_operations_and_statuses(schema: dict[str, Any]) -> None:
    """Every operation is there with every status that it answers."""
    assert {
        name: " ".join(sorted(operation["responses"]))
        for name, operation in operations(schema).items()
    } == {
        "POST /voip/calls": "200 201 400 401 403 408 413 415 422 502 503",
        "GET /voip/calls": "200 401 403 422 503",
        "GET /voip/calls/{call_id}": "200 401 403 404 503",
        "GET /voip/calls/{call_id}/events": "200 401 403 404 503",
        "POST /voip/calls/{call_id}/accept": "200 400 401 403 404 408 409 413 415 422 503",
        "POST /voip/calls/{call_id}/end": "200 400 401 403 404 408 413 415 422 503",
        "GET /voip/health/live": "200",
        "GET /voip/health/ready": "200 503",
        "GET /metrics/prometheus": "200",
    }


def test_calls_need_a_key(schema: dict[str, Any]) -> None:
    """Operations on calls name both ways to send a key, the others none."""
    for name, operation in operations(schema).items():
        ways = [{"ApiKey": list[str]()}, {"Bearer": list[str]()}]
        assert operation.get("security") == (ways if "/calls" in name else None)
    assert schema["components"]["securitySchemes"] == {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }


def test_errors_have_one_shape(schema: dict[str, Any]) -> None:
    """Every refusal is described as the one shape of error, with an example."""
    for operation in operations(schema).values():
        for status, response in operation["responses"].items():
            if status >= "4":
                content = response["content"]["application/json"]["schema"]
                assert content == {"$ref": "#/components/schemas/ErrorBody"}
    error = schema["components"]["schemas"]["ErrorBody"]
    assert error["required"] == ["error", "message", "code", "request_id"]
    assert error["examples"][0]["code"] == "call_not_found"


def test_bodies_have_examples(schema: dict[str, Any]) -> None:
    """A call and the request for one are shown by example."""
    shapes = schema["components"]["schemas"]
    assert shapes["CallRequest"]["examples"][0]["participants"] == ["SIP/1001"]
    assert shapes["CallBody"]["examples"][0]["status"] == "ended"
    assert shapes["CallType"]["enum"] == ["audio", "video", "screen", "conference"]
    assert shapes["CallStatus"]["enum"] == [
        "initiating",
        "ringing",
        "connected",
        "on_hold",
        "ended",
    ]


def test_parameters(schema: dict[str, Any]) -> None:
    """The idempotency key and the limit of a list are described."""
    described = operations(schema)
    (key,) = described["POST /voip/calls"]["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", False)
    (limit,) = described["GET /voip/calls"]["parameters"]
    assert (limit["name"], limit["schema"]["maximum"], limit["schema"]["default"]) == (
        "limit",
        500,
        100,
    )


async def test_docs_page(app: FastAPI) -> None:
    """/docs shows the description."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge"
    ) as anybody:
        page = await anybody.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text
