"""The description of the API that /openapi.json and /docs show."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from fastagi_server.api.answers import JSON_TYPE
from fastagi_server.api.bodies import ErrorBody
from fastagi_server.api.errors import STATUSES, title_of

TITLE = "SGE VoIP API"

SECURITY: dict[str, Any] = {"security": [{"ApiKey": []}, {"Bearer": []}]}
"""For `openapi_extra` of authenticated routes."""

OPERATOR_SECURITY: dict[str, Any] = {"security": [{"ApiKey": []}, {"Bearer": []}, {"Password": []}]}
"""For `openapi_extra` of operators' routes."""

_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Password": {"type": "http", "scheme": "basic"},
}
_ERROR = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
_RETRIES = frozenset({"429", "502", "503", "504"})
_RETRY_AFTER = {"description": "Seconds to wait before another try", "schema": {"type": "integer"}}
_IN_PATHS = {
    "call_id": ("Id of the call", "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11"),
    "room_id": ("Id of the room", "0f8b0a94-3a5d-4a0e-8d4e-5c2b1f7e9a10"),
    "member": ("User id or channel of the member", "alice"),
    "channel_id": ("Unique id of the channel", "1767268800.17"),
    "tech": ("Channel technology", "PJSIP"),
    "resource": ("Name of the endpoint", "1001"),
    "user_id": ("Id of the user", "alice"),
}
"""Meaning and example of what paths name, the same wherever it stands."""

_EXAMPLE_ID = "8d1c1d9d4c0b4f7fa2f4a2f1d5a6b7c8"

Schema = dict[str, Any]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may be refused with these statuses.

    Whoever must say who he is (401) may also ask too often (429).
    """
    limited = (429,) if 401 in statuses else ()  # noqa: PLR2004
    return {
        status: {"model": ErrorBody, "description": STATUSES[status][2]}
        for status in sorted({*statuses, *limited})
    }


def describe(app: FastAPI) -> None:
    """Make the application describe itself, with the ways to authenticate."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            schema["components"]["securitySchemes"] = _SCHEMES
            _drop_framework_errors(schema)
            for operation in operations(schema):
                _show_names(operation)
                _show_refusals(operation)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this way


def operations(schema: Schema) -> Iterator[Schema]:
    """Every operation of a description."""
    for methods in schema["paths"].values():
        yield from methods.values()


def _show_names(operation: Schema) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            meaning, example = _IN_PATHS[parameter["name"]]
            parameter.update(description=meaning, example=example)
        elif parameter["name"] == "limit":
            parameter["description"] = "The most that one answer holds"


def _show_refusals(operation: Schema) -> None:
    """Show each refusal with the title it has here; it is JSON even where success is plain text."""
    for status, response in operation["responses"].items():
        if int(status) in STATUSES:
            _, code, message = STATUSES[int(status)]
            example = {
                "error": title_of(operation["operationId"], int(status)),
                "message": message,
                "code": code,
                "request_id": _EXAMPLE_ID,
            }
            response["content"] = {JSON_TYPE: {"schema": _ERROR, "example": example}}
        if status in _RETRIES:
            response["headers"] = {"Retry-After": _RETRY_AFTER}


def _drop_framework_errors(schema: Schema) -> None:
    # The framework adds its own 422 to whatever has a parameter, even one that any text fits.
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    for operation in operations(schema):
        refused = operation["responses"].get("422", {})
        if "HTTPValidationError" in str(refused):
            del operation["responses"]["422"]
