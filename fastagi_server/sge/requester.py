"""Put one question to the API: within a deadline, repeated where safe, judged and counted."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

import httpx
import structlog

from fastagi_server.origin.connection import Answer, ResponseTooLargeError, StaleConnectionError
from fastagi_server.origin.transport import OriginTransport
from fastagi_server.registration import codes
from fastagi_server.registration.ports import CallsApiError, UnavailableError
from fastagi_server.sge import verdicts
from fastagi_server.sge.breaker import Breaker
from fastagi_server.sge.credentials import Credentials
from fastagi_server.sge.errors import AnswerError
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.subject import current
from fastagi_server.telemetry.tracing import Tracing

log = structlog.get_logger()

T = TypeVar("T")

ATTEMPTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
SHOWN_BYTES: Final = 4096
"""Of an answer, in a log line of level debug."""

_REPEATED_STATUSES = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
_OUTCOME_OK = "ok"
_OUTCOME_CANCELLED = "cancelled"


class Question(NamedTuple):
    """One request, ready to be sent as often as it takes.

    `operation` is its name in the measures; `target` is path and query; `key`, of visible ASCII,
    goes into `Idempotency-Key` when not empty; `one_call` says that the target names a call;
    `traceparent` is the header of that name, when not empty.
    """

    operation: str
    method: str
    target: bytes
    body: bytes = b""
    key: str = ""
    one_call: bool = False
    traceparent: bytes = b""


class Requester:
    """Sends questions through `transport`; whichever it is, answers and errors are the same.

    A question is sent at most `ATTEMPTS` times, and again only when the connection could not be
    made, was closed before a byte of an answer, or the answer was 502, 503 or 504 without a
    `Retry-After`; all questions are idempotent. A 401 is answered with the new credential, if
    there is one. An answer's body may have `max_response_bytes`. With `trace` each question and
    its answer are a log line of level debug. With `tracing` each question is a span of the call's.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        base_url: httpx.URL,
        credentials: Credentials,
        breaker: Breaker,
        measures: Measures,
        user_agent: str,
        max_response_bytes: int,
        trace: bool = False,
        tracing: Tracing | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._transport = transport
        self._origin = transport if isinstance(transport, OriginTransport) else None
        self._credentials = credentials
        self._breaker = breaker
        self._measures = measures
        self._max_response_bytes = max_response_bytes
        self.trace = trace
        self._tracing = tracing
        self._uniform = uniform
        self._base_url = base_url
        self._fixed_headers = [
            (b"Host", base_url.netloc),
            (b"User-Agent", user_agent.encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
        ]
        self._fixed_lines = b"".join(b"%b: %b\r\n" % header for header in self._fixed_headers)

    async def ask(self, question: Question, read: Callable[[bytes], T], deadline: float) -> T:
        """What `read` makes of the body of a success; raises `CallsApiError` for all else."""
        started = monotonic()
        if started >= deadline:
            raise UnavailableError(codes.API_TIMEOUT, "no time was left", attempted=False)
        ticket = self._admitted(question)
        outcome = _OUTCOME_CANCELLED
        span = None
        if self._tracing is not None:
            span = _span(question.operation)
            question = question._replace(traceparent=span.traceparent)
        try:
            reply = await self._converse(question, deadline)
            answer = read(reply.body)
            outcome = _OUTCOME_OK
        except CallsApiError as error:
            outcome = error.code
            raise
        except AnswerError as error:
            outcome = codes.API_BAD_ANSWER
            raise UnavailableError(outcome, str(error)) from error
        except Exception as error:
            outcome = codes.API_ERROR
            raise UnavailableError(outcome, f"in the transport: {error!r}") from error
        finally:
            self._settle(ticket, outcome)
            self._measures.sge_requests.add(question.operation, outcome)
            seconds = monotonic() - started
            self._measures.sge_request_seconds.observe(seconds, question.operation)
            if self._tracing is not None and span is not None:
                self._tracing.end(span, error="" if outcome == _OUTCOME_OK else outcome)
        return answer

    def _admitted(self, question: Question) -> int:
        ticket = self._breaker.admit()
        if ticket is None:
            self._measures.sge_requests.add(question.operation, codes.API_BREAKER_OPEN)
            raise UnavailableError(
                codes.API_BREAKER_OPEN,
                retry_after_seconds=self._breaker.wait_seconds,
                attempted=False,
            )
        return ticket

    def _settle(self, ticket: int, outcome: str) -> None:
        if outcome in verdicts.BREAKER_FAILURES:
            self._breaker.failed(ticket)
        elif outcome == _OUTCOME_CANCELLED:
            self._breaker.abandoned(ticket)
        else:
            self._breaker.succeeded(ticket)

    async def _converse(self, question: Question, deadline: float) -> Answer:
        attempt = 1
        while True:
            failure: CallsApiError
            try:
                reply = await self._sent(question, deadline)
            except httpx.TransportError as error:
                failure = verdicts.of_failure(error)
                pause_seconds = self._pause_after_error(error, attempt)
            else:
                if self.trace:
                    _log_conversation(question, reply)
                if verdicts.is_success(reply.status):
                    return reply
                failure = verdicts.of_response(
                    reply.status, httpx.Headers(reply.headers), one_call=question.one_call
                )
                pause_seconds = self._pause_after_reply(reply, failure, attempt)
            if pause_seconds is None or attempt >= ATTEMPTS:
                raise failure
            if monotonic() + pause_seconds >= deadline:
                raise failure
            await asyncio.sleep(pause_seconds)
            attempt += 1

    def _pause_after_error(self, error: httpx.TransportError, attempt: int) -> float | None:
        """Seconds until the question may be sent again; None when it must not be."""
        match error:
            case StaleConnectionError():
                return 0.0
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return self._jittered_pause(attempt)
            case _:
                return None

    def _pause_after_reply(
        self, reply: Answer, failure: CallsApiError, attempt: int
    ) -> float | None:
        """The same after an answer that is no success."""
        if reply.status == HTTPStatus.UNAUTHORIZED and self._credentials.changed():
            return 0.0
        asked_to_wait = isinstance(failure, UnavailableError) and failure.retry_after_seconds
        if reply.status in _REPEATED_STATUSES and not asked_to_wait:
            return self._jittered_pause(attempt)
        return None

    def _jittered_pause(self, attempt: int) -> float:
        return self._uniform(0.0, FIRST_PAUSE_SECONDS * 2**attempt)

    def _sent(self, question: Question, deadline: float) -> Coroutine[Any, Any, Answer]:
        """The answer to come: straight from our own transport, or by way of httpx's types."""
        if self._origin is None:
            return self._sent_by_httpx(question, deadline)
        return self._origin.send(self._message(question), deadline)

    async def _sent_by_httpx(self, question: Question, deadline: float) -> Answer:
        request = httpx.Request(
            question.method,
            self._base_url.copy_with(raw_path=question.target),
            headers=[*self._fixed_headers, *self._own_headers(question)],
            stream=httpx.ByteStream(question.body),
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await self._reply(await self._transport.handle_async_request(request))
        except TimeoutError as error:
            raise httpx.ReadTimeout("the deadline passed before the answer was complete") from error

    async def _reply(self, response: httpx.Response) -> Answer:
        """The response with its body as sent: nothing compressed was asked for."""
        stream = response.stream
        if isinstance(stream, httpx.ByteStream):
            body = b"".join(stream)
        else:
            try:
                body = await self._collected(response)
            finally:
                await response.aclose()
        if len(body) > self._max_response_bytes:
            raise ResponseTooLargeError("the body is too large")
        return Answer(response.status_code, response.headers.raw, body)

    async def _collected(self, response: httpx.Response) -> bytes:
        """The body, or a little more than the limit of it."""
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_response_bytes:
                break
        return bytes(body)

    def _message(self, question: Question) -> bytes:
        """The whole request as it goes on the wire; none of its parts can hold a line break."""
        start = b"%b %b HTTP/1.1\r\n" % (question.method.encode("ascii"), question.target)
        own = [b"%b: %b\r\n" % header for header in self._own_headers(question)]
        return b"".join((start, self._fixed_lines, *own, b"\r\n", question.body))

    def _own_headers(self, question: Question) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        credential = self._credentials.header()
        if credential is not None:
            headers.append(credential)
        if question.key:
            headers.append((b"Idempotency-Key", question.key.encode("ascii")))
        if question.traceparent:
            headers.append((b"traceparent", question.traceparent))
        if question.method == "POST":
            headers.append((b"Content-Type", b"application/json"))
            headers.append((b"Content-Length", b"%d" % len(question.body)))
        return headers


def _span(operation: str) -> Span:
    """A span of the call at hand, or of a trace of its own."""
    about = current.get()
    name = f"SGE {operation}"
    if about is None or about.span is None:
        return Span(name, "client")
    return about.span.child(name, "client")


def _log_conversation(question: Question, reply: Answer) -> None:
    """What was said; headers, and with them credentials, never."""
    log.debug(
        "sge_answer",
        operation=question.operation,
        target=f"{question.method} {question.target.decode()}",
        key=question.key,
        question=question.body.decode(),
        status=reply.status,
        answer=reply.body[:SHOWN_BYTES].decode("utf-8", "replace"),
    )
