"""The description of the API that /openapi.json and /docs show."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from fastagi_server.api.bodies import ErrorBody
from fastagi_server.api.errors import STATUSES

TITLE = "SGE VoIP API"

SECURITY: dict[str, Any] = {"security": [{"ApiKey": []}, {"Bearer": []}]}
"""For `openapi_extra` of authenticated routes."""

_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_MEANINGS = {
    409: "The call has already ended",
    502: "The PBX refused the call",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may be refused with these statuses."""
    return {
        status: {
            "model": ErrorBody,
            "description": _MEANINGS.get(status) or STATUSES[status][0],
        }
        for status in statuses
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
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this way


def _drop_framework_errors(schema: dict[str, Any]) -> None:
    # The framework adds its own 422 to whatever has a parameter, even one that any text fits.
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    for methods in schema["paths"].values():
        for operation in methods.values():
            refused = operation["responses"].get("422", {})
            if "HTTPValidationError" in str(refused):
                del operation["responses"]["422"]
