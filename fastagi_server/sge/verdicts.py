"""What an HTTP answer or failure means for a call: done, a definite no, or not now.

The test is always whether asking again may help. A refusal counts as the API's only when it does
not look like the page of something in between: proxies answer in HTML.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from fastagi_server.origin.connection import StaleConnectionError
from fastagi_server.registration import codes
from fastagi_server.registration.ports import CallsApiError, RefusedError, UnavailableError

BREAKER_FAILURES = frozenset(
    {
        codes.API_UNREACHABLE,
        codes.API_TIMEOUT,
        codes.API_ERROR,
        codes.API_OVERLOADED,
        codes.API_BAD_ANSWER,
    }
)
"""Reasons to leave the API alone for a while; quick answers, even useless ones, are none."""

LONGEST_RETRY_AFTER_SECONDS = 3600.0

SUCCESS = 200
REDIRECTION = 300

_UNAVAILABLE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: codes.API_UNAUTHORIZED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: codes.API_UNAUTHORIZED,
    HTTPStatus.METHOD_NOT_ALLOWED: codes.API_NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: codes.API_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS: codes.API_OVERLOADED,
}
_REFUSED: dict[int, str] = {
    HTTPStatus.FORBIDDEN: codes.FORBIDDEN,
    HTTPStatus.CONFLICT: codes.CALL_STATE,
}


def is_success(status: int) -> bool:
    """Whether the body of the answer has the last word."""
    return SUCCESS <= status < REDIRECTION


def of_response(status: int, headers: httpx.Headers, *, one_call: bool) -> CallsApiError:
    """The error that an answer stands for which is no success.

    `one_call` says that the request named a call, so that a 404 may mean that call.
    """
    detail = f"HTTP {status}"
    content_type = headers.get("content-type", "").lower()
    if status < HTTPStatus.BAD_REQUEST:
        return UnavailableError(codes.API_REDIRECTED, detail)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unavailable(codes.API_ERROR, detail, headers)
    if status in _UNAVAILABLE:
        return _unavailable(_UNAVAILABLE[status], detail, headers)
    if status == HTTPStatus.NOT_FOUND:
        if one_call and "json" in content_type:
            return RefusedError(codes.CALL_UNKNOWN, detail)
        return UnavailableError(codes.API_NOT_FOUND, detail)
    if "html" in content_type:
        return UnavailableError(codes.API_BAD_ANSWER, f"{detail} with HTML")
    return RefusedError(_REFUSED.get(status, codes.REQUEST_REFUSED), detail)


def of_failure(error: httpx.TransportError) -> UnavailableError:
    """The error a failed exchange stands for."""
    detail = f"{type(error).__name__}: {error}"
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | StaleConnectionError():
            return UnavailableError(codes.API_UNREACHABLE, detail)
        case httpx.TimeoutException():
            return UnavailableError(codes.API_TIMEOUT, detail)
        case httpx.RemoteProtocolError():
            return UnavailableError(codes.API_BAD_ANSWER, detail)
        case _:
            return UnavailableError(codes.API_UNREACHABLE, detail)


def _unavailable(code: str, detail: str, headers: httpx.Headers) -> UnavailableError:
    seconds = retry_after_seconds(headers.get("retry-after"), datetime.now(UTC))
    return UnavailableError(code, detail, retry_after_seconds=seconds)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A `Retry-After` header, seconds or a date (RFC 9110 section 10.2.3), as seconds from `now`.

    None when there is none or it cannot be read; never negative, never more than an hour.
    """
    if value is None:
        return None
    if value.isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER_SECONDS)
    try:
        seconds = (parsedate_to_datetime(value).astimezone(UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
