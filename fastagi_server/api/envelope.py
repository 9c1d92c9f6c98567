"""What every request gets, whichever endpoint it is for.

An id, limits on its body, a count, a record in the audit, and an answer even when the endpoint
fails.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, NoReturn

import structlog

from fastagi_server.api.audit import AuditTrail
from fastagi_server.api.errors import REQUEST_ID, ApiError, refusal
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.subject import Subject, current, ids_in
from fastagi_server.telemetry.tracing import Tracing

MAX_BODY_BYTES = 64 * 1024
"""Several times the largest call that may be created in practice, and cheap to hold."""

BODY_SECONDS = 10.0
"""How long the whole body may take to arrive."""

DISCARD_SECONDS = 1.0
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
"""How long, and how much of, a body that is too large is read before the refusal."""

FIRST_ERROR = 400
"""Statuses from here on make a span a failure."""

_SAFE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_CALL_PATH = re.compile(r"/voip/calls/([0-9a-f-]{36})(?:/|$)")
_CLOSE = {"Connection": "close"}
_log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Envelope:
    """ASGI middleware around the whole API.

    The X-Request-ID of a request is kept if it is 1 to 128 plain characters, else one is made; it
    is in the answer's header and in error bodies. An exception that nothing else answered becomes
    a 500 and one log line, and does not reach the server or, in process, the client. With `tracing`
    it is a span of the trace that the client's `traceparent` names.
    """

    def __init__(
        self,
        app: App,
        *,
        measures: Measures,
        audit: AuditTrail | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._measures = measures
        self._audit = audit
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or let the lifespan through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = scope[REQUEST_ID] = _request_id(scope)
        answer = _Answer(send, request_id.encode())
        body = _Body(scope, receive)
        about = _about(scope)
        outer = about.span
        if self._tracing is not None:
            about.span = _span(scope)
        try:
            await self._app(scope, body.receive, answer.send)
        except Exception:  # noqa: BLE001 - whatever it was, the client is answered
            _log.exception("request_failed", request_id=request_id, path=scope["path"])
            if answer.status == 0:
                await refusal(scope, ApiError(500))(scope, receive, answer.send)
        finally:
            operation = getattr(scope.get("route"), "name", "none")
            self._measures.http_requests.add(operation, str(answer.status))
            self._measures.http_request_seconds.observe(time.perf_counter() - started, operation)
            if self._audit is not None:
                self._audit.note(scope, answer.status)
            if self._tracing is not None and about.span is not None:
                about.span.name = f"API {operation}"
                error = str(answer.status) if answer.status >= FIRST_ERROR else ""
                self._tracing.end(about.span, error=error, attributes=ids_in(about))
            about.span = outer


def _about(scope: Scope) -> Subject:
    """The call at hand: in process that of the session that asks, else what the path names."""
    about = current.get()
    if about is None:
        match = _CALL_PATH.search(scope["path"])
        about = Subject(call=match[1] if match else "")
        current.set(about)
    return about


def _span(scope: Scope) -> Span:
    header = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    return Span.from_traceparent(header, "API")


class _Answer:
    """Puts the request id on the answer and remembers its status; 0 until one was sent."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._request_id)]
        await self._send(message)


class _Body:
    """Receives the body until it is too large or too late.

    After such a refusal the connection is closed: what is left of the body is not waited for.
    """

    __slots__ = ("_deadline", "_left", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._left = MAX_BODY_BYTES
        self._deadline: float | None = None

    async def receive(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
            if _declared_length(self._scope) > MAX_BODY_BYTES:
                await self._refuse(more=True)
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise ApiError(408, headers=_CLOSE) from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            await self._refuse(more=message["more_body"])
        return message

    async def _refuse(self, *, more: bool) -> NoReturn:
        # A client that is still sending when the connection closes never sees the answer, so
        # some more is read and thrown away.
        discarded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while more and discarded < MAX_DISCARDED_BYTES:
                    message = await self._receive()
                    discarded += len(message.get("body", b""))
                    more = message.get("more_body", False)
        raise ApiError(413, f"The body must have at most {MAX_BODY_BYTES} bytes", headers=_CLOSE)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # Python refuses to read a number of thousands of digits.
            return int(value[:18])
    return 0
