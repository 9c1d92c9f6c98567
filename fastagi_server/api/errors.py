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
from starlette.routing import Match

from fastagi_server.api.answers import JSON_TYPE
from fastagi_server.ari import errors as ari
from fastagi_server.calls import errors as calls
from fastagi_server.rooms import errors as rooms
from fastagi_server.signaling import errors as signaling
from fastagi_server.store.errors import StoreError

RETRY_LATER = {"Retry-After": "5"}
MAX_COMPLAINTS = 5
REQUEST_ID = "fastagi_server.request_id"
CODE = "fastagi_server.code"
"""Keys of a request's scope: its id, and the code of its refusal."""

TITLES = {
    "create_call": "Call initiation failed",
    "get_call": "Call retrieval failed",
    "get_call_events": "Call retrieval failed",
    "list_calls": "Call retrieval failed",
    "accept_call": "Call acceptance failed",
    "end_call": "Call termination failed",
    "hold_call": "Call hold failed",
    "unhold_call": "Call hold failed",
    "mute_call": "Call muting failed",
    "unmute_call": "Call muting failed",
    "send_dtmf": "Key press failed",
    "play_to_call": "Call playback failed",
    "transfer_call": "Call transfer failed",
    "send_signaling": "Signaling failed",
    "get_signaling": "Signaling failed",
    "create_room": "Room creation failed",
    "get_room": "Room retrieval failed",
    "get_room_events": "Room retrieval failed",
    "list_rooms": "Room retrieval failed",
    "join_room": "Join room failed",
    "leave_room": "Leave room failed",
    "close_room": "Room closing failed",
    "lock_room": "Room locking failed",
    "unlock_room": "Room unlocking failed",
    "kick_member": "Member removal failed",
    "mute_member": "Member muting failed",
    "unmute_member": "Member unmuting failed",
    "start_recording": "Recording failed",
    "stop_recording": "Recording failed",
    "set_presence": "Invalid presence status",
    "get_presence": "No presence set",
    "list_presence": "Presence retrieval failed",
    "asterisk_health": "Asterisk unhealthy",
    "asterisk_info": "Failed to retrieve Asterisk information",
    "asterisk_channels": "Failed to retrieve Asterisk channels",
    "asterisk_channel": "Failed to retrieve Asterisk channel",
    "asterisk_bridges": "Failed to retrieve Asterisk bridges",
    "asterisk_endpoints": "Failed to retrieve Asterisk endpoints",
    "asterisk_endpoint": "Failed to retrieve Asterisk endpoint",
    "asterisk_live": "Failed to retrieve what is live",
}
"""The documented titles, by the name of the operation."""

STATUSES = {
    400: ("Bad request", "malformed_request", "The request cannot be read"),
    401: ("Unauthorized", "unauthorized", "Credentials are missing or not valid"),
    403: ("Forbidden", "forbidden", "The credentials do not allow this"),
    404: ("Not found", "not_found", "There is nothing at this path"),
    405: ("Method not allowed", "method_not_allowed", "This path does not know this method"),
    408: ("Request timeout", "request_timeout", "The body did not arrive in time"),
    409: ("Conflict", "wrong_state", "Its state does not allow this"),
    413: ("Content too large", "content_too_large", "The body is too large"),
    415: ("Unsupported media type", "unsupported_media_type", "The body must be application/json"),
    422: ("Invalid request", "invalid_request", "The request is not valid"),
    429: ("Too many requests", "rate_limited", "There were too many requests; try again later"),
    500: ("Internal error", "internal_error", "The request failed through no fault of its own"),
    502: ("Bad gateway", "pbx_refused", "The PBX refused"),
    503: ("Service unavailable", "store_unavailable", "The records cannot be reached now"),
    504: ("Gateway timeout", "pbx_too_slow", "The PBX did not answer in time"),
}
"""Title, code and message of what is refused without regard to the operation."""

CALL_STATUSES: Mapping[type[calls.CallError], int] = {
    calls.InvalidCallError: 422,
    calls.InvalidCursorError: 422,
    calls.ConcurrencyExceededError: 429,
    calls.CallNotFoundError: 404,
    calls.CallForbiddenError: 403,
    calls.CallEndedError: 409,
    calls.CallStateError: 409,
    calls.KeyReusedError: 422,
    calls.PbxUnreachableError: 503,
    calls.PbxRefusedError: 502,
    calls.PbxTooSlowError: 504,
}

ROOM_STATUSES: Mapping[type[rooms.RoomError], int] = {
    rooms.InvalidRoomError: 422,
    rooms.RoomNotFoundError: 404,
    rooms.MemberNotFoundError: 404,
    rooms.RoomClosedError: 409,
    rooms.NumberTakenError: 409,
    rooms.RoomLimitError: 429,
    rooms.RoomBusyError: 503,
    rooms.RoomForbiddenError: 403,
    rooms.RoomFullError: 403,
    rooms.RoomLockedError: 403,
    rooms.WrongPasswordError: 403,
}

SIGNALING_STATUSES: Mapping[type[signaling.SignalingError], int] = {
    signaling.UnknownKindError: 422,
    signaling.InvalidPayloadError: 422,
    signaling.InvalidSdpError: 422,
    signaling.InvalidCandidateError: 422,
    signaling.UnknownAddresseeError: 422,
    signaling.WrongStateError: 409,
    signaling.TooManyWaitsError: 429,
    signaling.NoGatewayError: 503,
}

UNKNOWN_TYPE = "Invalid signaling type"
"""The documented title of one refusal, whatever else its operation is refused for."""

PBX_UNREACHABLE = "The PBX cannot be reached now"
_LATER = frozenset({429, 503})
_UNTITLED = frozenset({401, 405, 429, 500})
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
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


def pbx_unreachable(message: str = PBX_UNREACHABLE) -> ApiError:
    """The refusal of what needs a PBX that is not there."""
    return ApiError(503, message, code="pbx_unreachable", headers=RETRY_LATER)


def title_of(operation: str, status: int) -> str:
    """The short title of a refusal: the operation's documented one, or the status's."""
    if operation in TITLES and status not in _UNTITLED:
        return TITLES[operation]
    return STATUSES[status][0]


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of this application, and of its framework, have the one shape."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(calls.CallError, _on_call_error)
    app.add_exception_handler(rooms.RoomError, _on_room_error)
    app.add_exception_handler(signaling.SignalingError, _on_signaling_error)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(ari.AriError, _on_ari_error)


def _answer(
    scope: Scope,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    *,
    title: str | None = None,
) -> Response:
    scope[CODE] = code
    body = {
        "error": title or title_of(getattr(scope.get("route"), "name", ""), status),
        "message": message,
        "code": code,
        "request_id": scope[REQUEST_ID],
    }
    return Response(orjson.dumps(body), status, headers, JSON_TYPE)


async def _on_http_error(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    if not isinstance(error, ApiError):
        # The framework's own; its texts are not ours, its statuses and headers are.
        status = error.status_code if error.status_code in STATUSES else 400
        headers = {"Allow": _allowed(request)} if status == 405 else error.headers  # noqa: PLR2004
        error = ApiError(status, headers=headers)
    return refusal(request.scope, error)


def _allowed(request: Request) -> str:
    # The framework knows the methods of one route of a path; the others are routes of their own.
    routes = request.app.routes
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    )


async def _on_validation_error(request: Request, error: Exception) -> Response:
    problems = cast("RequestValidationError", error).errors()
    if not _is_json(request) and any(tuple(problem["loc"]) == ("body",) for problem in problems):
        return refusal(request.scope, ApiError(415))
    complaints = (_complaint(problem) for problem in problems[:MAX_COMPLAINTS])
    return refusal(request.scope, ApiError(422, "; ".join(complaints)))


async def _on_call_error(request: Request, error: Exception) -> Response:
    error = cast("calls.CallError", error)
    status = CALL_STATUSES[type(error)]
    may_succeed_later = isinstance(error, calls.PbxError | calls.ConcurrencyExceededError)
    headers = RETRY_LATER if may_succeed_later else None
    return _answer(request.scope, status, error.code, str(error), headers)


async def _on_room_error(request: Request, error: Exception) -> Response:
    error = cast("rooms.RoomError", error)
    status = ROOM_STATUSES[type(error)]
    headers = RETRY_LATER if status in _LATER else None
    return _answer(request.scope, status, error.code, str(error), headers)


async def _on_signaling_error(request: Request, error: Exception) -> Response:
    error = cast("signaling.SignalingError", error)
    status = SIGNALING_STATUSES[type(error)]
    headers = RETRY_LATER if status in _LATER else None
    title = UNKNOWN_TYPE if isinstance(error, signaling.UnknownKindError) else None
    return _answer(request.scope, status, error.code, str(error), headers, title=title)


async def _on_store_error(request: Request, error: Exception) -> Response:
    _log.error("store_failed", request_id=request.scope[REQUEST_ID], reason=str(error))
    return refusal(request.scope, ApiError(503, headers=RETRY_LATER))


async def _on_ari_error(request: Request, error: Exception) -> Response:
    _log.warning("pbx_failed", request_id=request.scope[REQUEST_ID], reason=str(error))
    match error:
        case ari.AriUnreachableError():
            answer = pbx_unreachable()
        case ari.AriTooSlowError():
            answer = ApiError(504, headers=RETRY_LATER)
        case _:
            answer = ApiError(502, headers=RETRY_LATER)
    return refusal(request.scope, answer)


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == JSON_TYPE or media_type.endswith("+json")


def _complaint(problem: Mapping[str, Any]) -> str:
    # Only the first two parts of the place are ours; what follows may be a key the client chose.
    _, *place = problem["loc"]
    # Patterns are for programs; a message is for people.
    matched = problem["type"] != "string_pattern_mismatch"
    message = problem["msg"] if matched else "Input should have the described form"
    match place:
        case [str(field), int(index), *_]:
            return f"{field}[{index}]: {message}"
        case [str(field), *_]:
            return f"{field}: {message}"
        case _:
            return str(message)
