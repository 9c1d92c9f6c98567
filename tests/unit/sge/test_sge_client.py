"""The client over doubles of httpx: what is asked, what is repeated, what comes of it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from fastagi_server.origin.connection import StaleConnectionError
from fastagi_server.registration.models import Ending, RegisteredCall, Registration
from fastagi_server.registration.ports import RefusedError, UnavailableError
from fastagi_server.sge.breaker import Breaker
from fastagi_server.sge.client import SgeClient, breaker_reporter, open_client
from fastagi_server.sge.credentials import Credentials, open_credentials
from fastagi_server.sge.errors import AddressError
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)
CALL = {"id": "c1", "status": "Ringing", "metadata": {"asterisk_channel_id": "17.4"}}

Handler = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
)


class Api:
    """Answers one request after the other from a list, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers: list[httpx.Response | Exception] = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next answer, the last one again and again."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def client_of(
    handler: Handler,
    *,
    credentials: Credentials | None = None,
    measures: Measures | None = None,
    max_response_bytes: int = 1_048_576,
) -> AsyncGenerator[SgeClient]:
    """A client whose requests are handled by `handler`."""
    async with open_client(
        "http://api.test/api/v1",
        credentials=credentials or open_credentials("bearer", value="t0ken"),
        measures=measures or Measures(),
        transport=httpx.MockTransport(handler),
        max_response_bytes=max_response_bytes,
    ) as client:
        yield client


def soon(seconds: float = 2.0) -> float:
    """A deadline."""
    return asyncio.get_running_loop().time() + seconds


def a_long_pause(_low: float, high: float) -> float:
    """Much more than the jitter would give."""
    return 100 * high


async def test_registration_is_the_fixed_request() -> None:
    """Address, credential, idempotency key and body are those of the contract."""
    api = Api(httpx.Response(201, json=CALL))
    async with client_of(api) as client:
        registered = await client.register(REGISTRATION, deadline=soon())
    assert registered == RegisteredCall("c1", "17.4")
    (request,) = api.requests
    assert (request.method, str(request.url)) == ("POST", "http://api.test/api/v1/voip/calls")
    assert request.headers["host"] == "api.test"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["idempotency-key"] == "agi-pbx-17.4"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.content))
    assert request.headers["accept-encoding"] == "identity"
    assert json.loads(request.content)["metadata"]["asterisk_call_id"] == "17.4"


async def test_known_key_is_a_success() -> None:
    """A repeated registration is answered by 200 and means the same."""
    async with client_of(Api(httpx.Response(200, json=CALL))) as client:
        assert (await client.register(REGISTRATION, deadline=soon())).call_id == "c1"


async def test_actions_name_the_call() -> None:
    """Acceptance, end and status go to the call's own address, with its id escaped."""
    api = Api(httpx.Response(200, json=CALL))
    async with client_of(api, credentials=open_credentials("api_key", value="k3y")) as client:
        await client.accept("a/b", datetime(2026, 11, 22, tzinfo=UTC), deadline=soon())
        await client.end("c1", Ending(REGISTRATION, "c1", 16), deadline=soon())
        assert await client.status("c1", deadline=soon()) == "ringing"
    assert [(each.method, each.url.raw_path) for each in api.requests] == [
        ("POST", b"/api/v1/voip/calls/a%2Fb/accept"),
        ("POST", b"/api/v1/voip/calls/c1/end"),
        ("GET", b"/api/v1/voip/calls/c1"),
    ]
    assert {each.headers["x-api-key"] for each in api.requests} == {"k3y"}
    assert all("idempotency-key" not in each.headers for each in api.requests)
    assert json.loads(api.requests[1].content) == {"hangup_cause": 16}


@pytest.mark.parametrize("call_id", ["", "..", "a b", "x?y"])
async def test_impossible_id_is_not_asked_about(call_id: str) -> None:
    """An id that came from a dialplan cannot lead the request elsewhere."""
    api = Api(httpx.Response(200, json=CALL))
    async with client_of(api) as client:
        with pytest.raises(RefusedError, match="call_unknown"):
            await client.status(call_id, deadline=soon())
    assert api.requests == []


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("nothing"),
        StaleConnectionError("closed"),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
)
async def test_safe_failures_are_repeated(failure: httpx.Response | Exception) -> None:
    """What cannot have had an effect, or says to be passing, is asked again, with its key."""
    api = Api(failure, failure, httpx.Response(201, json=CALL))
    async with client_of(api) as client:
        assert (await client.register(REGISTRATION, deadline=soon())).call_id == "c1"
    assert [each.headers["idempotency-key"] for each in api.requests] == ["agi-pbx-17.4"] * 3


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("garbage"),
        httpx.ReadError("reset"),
        httpx.Response(500),
        httpx.Response(429),
        httpx.Response(422),
        httpx.Response(401),
        httpx.Response(302),
        httpx.Response(503, headers={"Retry-After": "1"}),
    ],
)
async def test_other_failures_are_not_repeated(failure: httpx.Response | Exception) -> None:
    """What may have had an effect, or asks to be left alone, is asked once."""
    api = Api(failure)
    async with client_of(api) as client:
        with pytest.raises((UnavailableError, RefusedError)):
            await client.register(REGISTRATION, deadline=soon())
    assert len(api.requests) == 1


async def test_attempts_are_limited() -> None:
    """Three times, then the outbox is the better place."""
    api = Api(httpx.Response(503))
    async with client_of(api) as client:
        with pytest.raises(UnavailableError, match="api_error"):
            await client.register(REGISTRATION, deadline=soon())
    assert len(api.requests) == 3


async def test_no_repeat_beyond_the_deadline() -> None:
    """A pause that would outlast the caller's patience is not begun."""
    api = Api(httpx.Response(503))
    client = SgeClient(
        httpx.URL("http://api.test/api/v1/voip"),
        credentials=open_credentials("bearer"),
        transport=httpx.MockTransport(api),
        breaker=Breaker(),
        measures=Measures(),
        uniform=a_long_pause,
    )
    with pytest.raises(UnavailableError, match="api_error"):
        await client.register(REGISTRATION, deadline=soon())
    assert len(api.requests) == 1


async def test_renewed_token_is_tried_at_once(tmp_path: Path) -> None:
    """A token that expired and was renewed in its file costs no call."""
    path = tmp_path / "token"
    path.write_text("old")
    credentials = open_credentials("bearer", path=path)

    def handle(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer new":
            return httpx.Response(201, json=CALL)
        path.write_text("new")
        return httpx.Response(401)

    async with client_of(handle, credentials=credentials) as client:
        assert (await client.register(REGISTRATION, deadline=soon())).call_id == "c1"


async def test_late_answer_is_a_timeout() -> None:
    """The deadline ends a request over any transport."""

    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(hang) as client:
        with pytest.raises(UnavailableError, match="api_timeout"):
            await client.register(REGISTRATION, deadline=soon(0.01))


async def test_no_time_left_asks_nothing() -> None:
    """A deadline in the past is no fault of the API."""
    api, measures = Api(httpx.Response(201, json=CALL)), Measures()
    async with client_of(api, measures=measures) as client:
        with pytest.raises(UnavailableError, match="api_timeout") as raised:
            await client.register(REGISTRATION, deadline=soon(-1.0))
    assert not raised.value.attempted
    assert api.requests == []
    assert measures.sge_requests.values == {}


async def test_failing_api_is_left_alone_and_found_again() -> None:
    """After five failures nothing is sent for a while; the probe brings everything back."""
    now = 0.0
    measures, api = Measures(), Api(httpx.Response(500))
    client = SgeClient(
        httpx.URL("http://api.test/api/v1/voip"),
        credentials=open_credentials("bearer"),
        transport=httpx.MockTransport(api),
        breaker=Breaker(clock=lambda: now, on_change=breaker_reporter(measures)),
        measures=measures,
    )
    with capture_logs() as logs:
        for _ in range(5):
            with pytest.raises(UnavailableError, match="api_error"):
                await client.register(REGISTRATION, deadline=soon())
        with pytest.raises(UnavailableError, match="api_breaker_open") as raised:
            await client.register(REGISTRATION, deadline=soon())
        assert (raised.value.attempted, raised.value.retry_after_seconds) == (False, 1.0)
        assert len(api.requests) == 5
        assert measures.sge_breaker_open.values == {(): 1.0}
        now = 1.0
        api.answers = [httpx.Response(201, json=CALL)]
        await client.register(REGISTRATION, deadline=soon())
        assert measures.sge_breaker_open.values == {(): 0.0}
    assert [line["event"] for line in logs] == [
        "sge_breaker_open",
        "sge_breaker_closed",
    ]
    assert measures.sge_requests.values == {
        ("register", "api_error"): 5.0,
        ("register", "api_breaker_open"): 1.0,
        ("register", "ok"): 1.0,
    }


@pytest.mark.parametrize("status", [401, 404, 422, 302])
async def test_quick_answers_do_not_open_the_breaker(status: int) -> None:
    """An API that answers at once, whatever it says, need not be spared."""
    api = Api(httpx.Response(status))
    async with client_of(api) as client:
        for _ in range(30):
            with pytest.raises((UnavailableError, RefusedError)):
                await client.register(REGISTRATION, deadline=soon())
    assert len(api.requests) == 30


async def test_cancelled_request_is_no_verdict() -> None:
    """Callers who hang up do not make the API look broken."""
    entered = asyncio.Event()
    measures = Measures()

    async def hang(_: httpx.Request) -> httpx.Response:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(hang, measures=measures) as client:
        for _ in range(10):
            entered.clear()
            task = asyncio.create_task(client.register(REGISTRATION, deadline=soon()))
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert measures.sge_requests.values == {("register", "cancelled"): 10.0}
    assert measures.sge_breaker_open.values == {(): 0.0}


class Pieces(httpx.AsyncByteStream):
    """A body in pieces, as foreign transports have it."""

    def __init__(self, pieces: int, size: int) -> None:
        self.pieces, self.size, self.given = pieces, size, 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.pieces):
            self.given += 1
            yield b"x" * self.size

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


async def test_endless_body_is_not_read() -> None:
    """A foreign transport's body is read up to the limit and closed."""
    body = Pieces(1000, 100)
    api = Api(httpx.Response(201, stream=body))
    async with client_of(api, max_response_bytes=1000) as client:
        with pytest.raises(UnavailableError, match="api_bad_answer"):
            await client.register(REGISTRATION, deadline=soon())
    assert body.given == 11
    assert body.closed


async def test_compressed_answer_is_not_unpacked() -> None:
    """A small body that would unpack to gigabytes stays small."""
    api = Api(httpx.Response(201, headers={"Content-Encoding": "gzip"}, stream=Pieces(1, 10)))
    async with client_of(api) as client:
        with pytest.raises(UnavailableError, match="api_bad_answer"):
            await client.register(REGISTRATION, deadline=soon())


async def test_failing_application_is_an_error_of_the_api() -> None:
    """An exception inside an application in the same process does not reach the caller."""

    async def app(scope: object, receive: object, send: object) -> None:
        raise ZeroDivisionError

    async with open_client(
        "http://embedded.test",
        credentials=open_credentials("bearer"),
        measures=Measures(),
        transport=httpx.ASGITransport(app),
    ) as client:
        with pytest.raises(UnavailableError, match="api_error: in the transport: ZeroDivision"):
            await client.register(REGISTRATION, deadline=soon())


async def test_warming_a_transport_without_connections_does_nothing() -> None:
    """Only sockets can be opened in advance."""
    api = Api(httpx.Response(201, json=CALL))
    async with client_of(api) as client:
        await client.warm(deadline=soon())
    assert api.requests == []


async def test_unusable_address_is_refused() -> None:
    """A client without an address is not made."""
    with pytest.raises(AddressError):
        async with open_client(
            "nowhere", credentials=open_credentials("bearer"), measures=Measures()
        ):
            pass


async def test_secrets_stay_out_of_errors() -> None:
    """No error that may be logged holds the credential or a body."""
    api = Api(httpx.Response(422, text="t0ken Alice"))
    async with client_of(api) as client:
        with pytest.raises(RefusedError) as raised:
            await client.register(REGISTRATION, deadline=soon())
    assert str(raised.value) == "request_refused: HTTP 422"
