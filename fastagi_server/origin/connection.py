"""One HTTP/1.1 connection: a whole request out, a whole response in, never two at a time.

The response is collected before it is handed on: an answer of a call API is small, its size is
limited here, and whoever holds a complete response holds no connection. What ends a response is
decided as RFC 9112 section 6.3 says: `Transfer-Encoding: chunked`, else `Content-Length`, else
the end of the connection. Interim (1xx) responses are skipped.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools
import httpx

HEAD_LIMIT_BYTES = 65_536
"""Names and values of all headers of one response together."""

RAW_FACTOR = 8
"""Bytes on the wire per byte allowed in a response: chunks of one byte each take six."""


class StaleConnectionError(httpx.RemoteProtocolError):
    """The server closed a kept-alive connection before the first byte of an answer.

    It nearly always closed before it saw the request; a request that may be repeated should be.
    """


class ResponseTooLargeError(httpx.RemoteProtocolError):
    """The server sent more than the limit; the rest was not read."""


class Answer(NamedTuple):
    """A complete response: status 200..999, headers as received, body without any framing."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Connection(asyncio.Protocol):
    """A connection and the one exchange that may run on it.

    `on_lost` is called once, when the connection is gone for whatever reason.
    `max_response_bytes` limits the body of a response.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_body_bytes",
        "_head_bytes",
        "_head_complete",
        "_headers",
        "_keep_alive",
        "_loop",
        "_max_body_bytes",
        "_on_lost",
        "_parser",
        "_raw_bytes",
        "_transport",
        "_used",
        "deadline",
    )

    def __init__(self, on_lost: Callable[["Connection"], None], *, max_response_bytes: int) -> None:
        self._on_lost = on_lost
        self._max_body_bytes = max_response_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._used = False
        self._keep_alive = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._head_bytes = self._body_bytes = self._raw_bytes = 0
        self._head_complete = False
        self.deadline = 0.0

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: nothing half read, nothing announced to close."""
        return self._keep_alive and self._answer is None and self._transport is not None

    def exchange(self, message: bytes) -> asyncio.Future[Answer]:
        """Send one whole request; the future has the response or an `httpx.TransportError`.

        Whoever stops waiting for the future must call `abort`: the response still under way
        would otherwise be taken for the next one.
        """
        self._answer = answer = self._loop.create_future()
        self._raw_bytes = 0
        if self._transport is None:
            self._fail(self._disconnected(None))
        else:
            self._keep_alive = False
            self._head_complete = False
            self._transport.write(message)
        return answer

    def expire(self) -> None:
        """Fail the exchange under way because its deadline has passed."""
        self._fail(httpx.ReadTimeout("the deadline passed before the answer was complete"))

    def abort(self) -> None:
        """Drop the connection at once, with whatever is under way."""
        self._keep_alive = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; a fresh connection may carry a request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._parser = httptools.HttpResponseParser(self)
        self._keep_alive = True

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes that no request asked for end the connection."""
        if self._answer is None or self._parser is None:
            self.abort()
            return
        self._raw_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"not an HTTP response: {error}"))
        if self._raw_bytes > RAW_FACTOR * (HEAD_LIMIT_BYTES + self._max_body_bytes):
            self._fail(ResponseTooLargeError("the response has no end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the exchange under way: closing is the proper end of an unframed response."""
        if self._answer is not None:
            if exc is None and self._head_complete and not self._framed():
                self._succeed()
            else:
                self._fail(self._disconnected(exc))
        self._keep_alive = False
        self._transport = None
        self._parser = None  # it refers to this object: break the cycle
        self._on_lost(self)

    def on_message_begin(self) -> None:
        """Begin a response (parser callback); a second one in a row was not asked for."""
        if self._answer is None:
            self.abort()
        self._headers = []
        self._body = []
        self._head_bytes = self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, trailers included (parser callback)."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._fail(ResponseTooLargeError("the headers are too large"))
        elif not self._head_complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Note what follows the headers (parser callback)."""
        parser = self._parser
        if parser is None or self._answer is None:
            return
        if parser.get_status_code() >= httpx.codes.OK:
            self._head_complete = True
            self._keep_alive = parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body (parser callback)."""
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body_bytes:
            self._fail(ResponseTooLargeError("the body is too large"))
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the response on, unless it was an interim one (parser callback)."""
        if self._head_complete:
            self._succeed()

    def _framed(self) -> bool:
        return any(
            name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self._headers
        )

    def _succeed(self) -> None:
        answer, self._answer = self._answer, None
        self._used = True
        if answer is not None and not answer.done() and self._parser is not None:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            answer.set_result(Answer(self._parser.get_status_code(), self._headers, body))

    def _fail(self, error: httpx.TransportError) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.abort()

    def _disconnected(self, cause: Exception | None) -> httpx.TransportError:
        if self._raw_bytes:
            return httpx.RemoteProtocolError("the connection ended within the response")
        if self._used:
            return StaleConnectionError("the kept-alive connection was closed")
        return httpx.ReadError(f"the connection ended without a response: {cause or 'closed'}")
