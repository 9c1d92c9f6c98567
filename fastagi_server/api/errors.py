"""Every refusal of the API in one shape: `{"error", "message", "code", "request_id"}`.

`error` is the documented short title where the operation has one, else of the status;
`message` is for people, `code` for programs. What a client sent is never repeated to it.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from fastagi_server.api.answers import JSON_TYPE
from fastagi_server.calls import errors as calls
from fastagi_server.store.errors import StoreError

RETRY_LATER = {"Retry-After": "5"}
MAX_COMPLAINTS = 5
REQUEST_ID = "fastagi_server.request_id"

TITLES = {
    "create_call": "Call initiation failed",
    "get_call": "Call retrieval failed",
    "get_call_events": "Call retrieval failed",
    "list_calls": "Call retrieval failed",
    "accept_call": "Call acceptance failed",
    "end_call": "Call termination failed",
}
"""The documented titles, by the name of the operation."""

STATUSES = {
    400: ("Bad request", "malformed_request", "The request cannot be read"),
    401: ("Unauthorized", "unauthorized", "Credentials are missing or not valid"),
    403: ("Forbidden", "forbidden", "The credentials do not allow this"),
    404: ("Not found", "not_found", "There is nothing at this path"),
    405: ("Method not allowed", "method_not_allowed", "This path does not know this method"),
    408: ("Request timeout", "request_timeout", "The body did not arrive in time"),
    413: ("Content too large", "content_too_large", "The body is too large"),
    415: ("Unsupported media type", "unsupported_media_type", "The body must be application/json"),
    422: ("Invalid request", "invalid_request", "The request is not valid"),
    500: ("Internal error", "internal_error", "The request failed through no fault of its own"),
    503: ("Service unavailable", "store_unavailable", "The records cannot be reached now"),
}
"""Title, code and message of what is refused without regard to the operation."""

CALL_STATUSES: Mapping[type[calls.CallError], int] = {
    calls.InvalidCallError: 422,
    calls.CallNotFoundError: 404,
    calls.CallForbiddenError: 403,
    calls.CallEndedError: 409,
    calls.KeyReusedError: 422,
    calls.PbxUnreachableError: 503,
    calls.PbxRefusedError: 502,
}

_log = structlog.get_logger()
Scope = MutableMapping[str, Any]


class ApiError(HTTPException):
    """A refusal by this layer; code and message are those of the status unless given."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        _, usual_code, usual_message = STATUSES[status]
        super().__init__(status, message or usual_message, headers)
        self.code = code or usual_code


def refusal(scope: Scope, error: ApiError) -> Response:
    """The answer to a request that is refused for this reason."""
    return _answer(scope, error.status_code, error.code, error.detail, error.headers)


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of this application, and of its framework, have the one shape."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(calls.CallError, _on_call_error)
    app.add_exception_handler(StoreError, _on_store_error)


def _answer(
    scope: Scope, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    body = {
        "error": _title(scope, status),
        "message": message,
        "code": code,
        "request_id": scope[REQUEST_ID],
    }
    return Response(orjson.dumps(body), status, headers, JSON_TYPE)


def _title(scope: Scope, status: int) -> str:
    operation = getattr(scope.get("route"), "name", "")
    if operation in TITLES and status not in {401, 405, 500}:
        return TITLES[operation]
    return STATUSES[status][0]


async def _on_http_error(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    if not isinstance(error, ApiError):
        # The framework's own; its texts are not ours, its statuses and headers are.
        status = error.status_code if error.status_code in STATUSES else 400
        error = ApiError(status, headers=error.headers)
    return refusal(request.scope, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    problems = cast("RequestValidationError", error).errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return refusal(request.scope, ApiError(400, "The body is not well-formed JSON"))
    if not _is_json(request) and any(tuple(problem["loc"]) == ("body",) for problem in problems):
        return refusal(request.scope, ApiError(415))
    complaints = (_complaint(problem) for problem in problems[:MAX_COMPLAINTS])
    return refusal(request.scope, ApiError(422, "; ".join(complaints)))


async def _on_call_error(request: Request, error: Exception) -> Response:
    error = cast("calls.CallError", error)
    status = CALL_STATUSES[type(error)]
    headers = RETRY_LATER if isinstance(error, calls.PbxUnreachableError) else None
    return _answer(request.scope, status, error.code, str(error), headers)


async def _on_store_error(request: Request, error: Exception) -> Response:
    _log.error("store_failed", request_id=request.scope[REQUEST_ID], reason=str(error))
    return refusal(request.scope, ApiError(503, headers=RETRY_LATER))


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == JSON_TYPE or media_type.endswith("+json")


def _complaint(problem: Mapping[str, Any]) -> str:
    # Only the first two parts of the place are ours; what follows may be a key the client chose.
    _, *place = problem["loc"]
    match place:
        case [str(field), int(index), *_]:
            return f"{field}[{index}]: {problem['msg']}"
        case [str(field), *_]:
            return f"{field}: {problem['msg']}"
        case _:
            return str(problem["msg"])
