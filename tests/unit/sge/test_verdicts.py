"""What answers and failures mean."""

from datetime import UTC, datetime

import httpx
import pytest

from fastagi_server.origin.connection import ResponseTooLargeError, StaleConnectionError
from fastagi_server.registration.ports import RefusedError, UnavailableError
from fastagi_server.sge import verdicts

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_no_error(status: int) -> None:
    """The body of a success has the last word."""
    assert verdicts.is_success(status)


@pytest.mark.parametrize("status", [100, 199, 300, 404, 500])
def test_anything_else_is_an_error(status: int) -> None:
    """What is no 2xx is judged by its status and headers."""
    assert not verdicts.is_success(status)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "request_refused"),
        (402, "request_refused"),
        (403, "forbidden"),
        (409, "call_state"),
        (413, "request_refused"),
        (415, "request_refused"),
        (422, "request_refused"),
        (499, "request_refused"),
    ],
)
def test_definite_no(status: int, code: str) -> None:
    """The API's own 4xx means that asking again is useless."""
    verdict = verdicts.of_response(status, httpx.Headers(), one_call=False)
    assert isinstance(verdict, RefusedError)
    assert (verdict.code, str(verdict)) == (code, f"{code}: HTTP {status}")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, "api_redirected"),
        (307, "api_redirected"),
        (304, "api_redirected"),
        (401, "api_unauthorized"),
        (404, "api_not_found"),
        (405, "api_not_found"),
        (407, "api_unauthorized"),
        (408, "api_timeout"),
        (429, "api_overloaded"),
        (500, "api_error"),
        (501, "api_error"),
        (503, "api_error"),
        (599, "api_error"),
        (999, "api_error"),
    ],
)
def test_not_now(status: int, code: str) -> None:
    """Errors of the server, of the credential and of the address may pass."""
    verdict = verdicts.of_response(status, httpx.Headers(), one_call=False)
    assert isinstance(verdict, UnavailableError)
    assert (verdict.code, verdict.attempted) == (code, True)


@pytest.mark.parametrize("status", [400, 403, 409, 413, 422])
def test_page_is_not_the_api_speaking(status: int) -> None:
    """A proxy's error page refuses nothing."""
    headers = httpx.Headers({"Content-Type": "Text/HTML; charset=utf-8"})
    verdict = verdicts.of_response(status, headers, one_call=True)
    assert isinstance(verdict, UnavailableError)
    assert verdict.code == "api_bad_answer"


@pytest.mark.parametrize(
    ("content_type", "code"),
    [("application/json", "call_unknown"), ("text/plain", "api_not_found")],
)
def test_not_found_may_mean_the_call(content_type: str, code: str) -> None:
    """Only the API's own words say that a call is unknown; else the address is wrong."""
    headers = httpx.Headers({"Content-Type": content_type})
    verdict = verdicts.of_response(404, headers, one_call=True)
    assert verdict is not None
    assert verdict.code == code


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_passed_on(status: int) -> None:
    """How long the API wants to be left alone reaches the relay."""
    verdict = verdicts.of_response(status, httpx.Headers({"Retry-After": "7"}), one_call=False)
    assert isinstance(verdict, UnavailableError)
    assert verdict.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", None),
        ("999999999", 3600.0),
        ("9" * 400, 3600.0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 99 Nov 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Both forms of the header are read, within reason."""
    assert verdicts.retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx.ConnectError("refused"), "api_unreachable"),
        (httpx.ConnectTimeout("no answer"), "api_unreachable"),
        (httpx.ReadTimeout("late"), "api_timeout"),
        (httpx.PoolTimeout("busy"), "api_timeout"),
        (httpx.ReadError("reset"), "api_unreachable"),
        (httpx.WriteError("reset"), "api_unreachable"),
        (StaleConnectionError("closed"), "api_unreachable"),
        (httpx.RemoteProtocolError("garbage"), "api_bad_answer"),
        (ResponseTooLargeError("10 MB"), "api_bad_answer"),
        (httpx.UnsupportedProtocol("gopher"), "api_unreachable"),
    ],
)
def test_failures_have_codes(error: httpx.TransportError, code: str) -> None:
    """Every way in which an exchange can fail is one of the stable codes."""
    assert verdicts.of_failure(error).code == code
