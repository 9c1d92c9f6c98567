"""What every request gets, tried on applications of a few lines."""

import asyncio
import json
from typing import Any

import pytest

from fastagi_server.api import envelope
from fastagi_server.api.envelope import App, Envelope, Message, Receive, Scope, Send
from fastagi_server.api.errors import ApiError
from fastagi_server.telemetry.measures import Measures


async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer with its size."""
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Fail before answering."""
    raise KeyError("a bug")


async def fail_late(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail after answering."""
    await answer(scope, receive, send)
    raise KeyError("a bug")


class _Exchange:
    """One request to an application in the envelope."""

    def __init__(self, app: App, *headers: tuple[bytes, bytes], body: tuple[bytes, ...]) -> None:
        self.measures = Measures()
        self.sent: list[Message] = []
        self._app = Envelope(app, measures=self.measures)
        self._headers = headers
        self._parts = list(body)

    async def run(self, **scope: Any) -> None:
        request = {"type": "http", "path": "/x", "headers": self._headers, **scope}
        await self._app(request, self._receive, self._send)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]  # type: ignore[no-any-return]

    @property
    def unread(self) -> int:
        return len(self._parts)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    async def _receive(self) -> Message:
        if not self._parts:
            await asyncio.Event().wait()
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def exchange(
    app: App, *headers: tuple[bytes, bytes], body: tuple[bytes, ...] = (b"",)
) -> _Exchange:
    """Run one request and return what became of it."""
    one = _Exchange(app, *headers, body=body)
    await one.run()
    return one


@pytest.mark.parametrize("request_id", [b"abc-1", b"A.b:c_9", b"x" * 128])
async def test_request_id_is_kept(request_id: bytes) -> None:
    """A plain X-Request-ID comes back beside the headers of the answer."""
    done = await exchange(answer, (b"x-request-id", request_id))
    assert done.headers == {b"a": b"b", b"x-request-id": request_id}


@pytest.mark.parametrize("request_id", [b"", b"a b", b"a\nb", b"x" * 129, b"\xff", b"<b>"])
async def test_request_id_is_made(request_id: bytes) -> None:
    """Another X-Request-ID is replaced by 32 hexadecimal digits."""
    made = (await exchange(answer, (b"x-request-id", request_id))).headers[b"x-request-id"]
    assert len(made) == 32
    assert int(made, 16) >= 0


async def test_body_of_the_limit() -> None:
    """A body of exactly 64 KiB is read, in however many parts it comes."""
    done = await exchange(answer, (b"content-length", b"65536"), body=(b"x" * 65535, b"y"))
    assert (done.status, done.sent[1]["body"]) == (200, b"65536")


async def refused(*headers: tuple[bytes, bytes], body: tuple[bytes, ...]) -> ApiError:
    """The refusal that an application sees when it reads this body."""
    seen: list[ApiError] = []

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await answer(scope, receive, send)
        except ApiError as error:
            seen.append(error)

    await exchange(read, *headers, body=body)
    return seen[0]


async def test_body_over_the_limit() -> None:
    """One byte more is refused while reading, and the connection is closed."""
    error = await refused(body=(b"x" * 65536, b"y", b"z"))
    assert (error.status_code, error.code) == (413, "content_too_large")
    assert error.headers == {"Connection": "close"}


@pytest.mark.parametrize("length", [b"65537", b"9" * 5000])
async def test_declared_length_over_the_limit(
    length: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that is announced as too large is refused though nothing of it comes."""
    monkeypatch.setattr(envelope, "DISCARD_SECONDS", 0.01)
    error = await refused((b"content-length", length), body=())
    assert error.status_code == 413


async def test_rest_of_a_large_body_is_read() -> None:
    """A body that is too large is read to its end, so that the client gets to read the answer."""
    parts = [b"x" * 65537, b"y", b"z"]
    one = _Exchange(answer, body=tuple(parts))
    await one.run()
    assert one.status == 500
    assert one.unread == 0


async def test_reading_on_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body without end only so much is read before it is refused."""
    monkeypatch.setattr(envelope, "MAX_DISCARDED_BYTES", 2)
    one = _Exchange(answer, body=(b"x" * 65537, b"a", b"b", b"c", b"d"))
    await one.run()
    assert one.unread == 2


async def test_body_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that takes too long is refused, and the connection is closed."""
    monkeypatch.setattr(envelope, "BODY_SECONDS", 0.01)
    error = await refused((b"content-length", b"many"), body=())
    assert (error.status_code, error.headers) == (408, {"Connection": "close"})


async def test_failure_is_answered() -> None:
    """A bug becomes a 500 that says nothing about it, and reaches nobody else."""
    done = await exchange(fail, (b"x-request-id", b"r1"))
    assert done.status == 500
    assert json.loads(done.sent[1]["body"]) == {
        "error": "Internal error",
        "message": "The request failed through no fault of its own",
        "code": "internal_error",
        "request_id": "r1",
    }


async def test_late_failure_is_not_answered_twice() -> None:
    """A bug after the answer was begun adds nothing to it."""
    done = await exchange(fail_late)
    assert [message["type"] for message in done.sent] == [
        "http.response.start",
        "http.response.body",
    ]


async def test_requests_are_counted() -> None:
    """A request is counted by operation and status; one without a route has operation `none`."""
    done = await exchange(fail)
    assert done.measures.http_requests.values == {("none", "500"): 1}
    assert done.measures.http_request_seconds.values[("none",)].counts != [0] * 14


async def test_lifespan_passes_through() -> None:
    """What is no request is none of the envelope's business."""
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    one = _Exchange(app, body=())
    await one.run(type="lifespan")
    assert seen[0]["type"] == "lifespan"
    assert one.measures.http_requests.values == {}
