"""One ARI operation: a request with its deadline, and what the answer or its absence means."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Protocol, cast
from urllib.parse import quote, urlencode

import httpx
import orjson

from fastagi_server.ari import reading
from fastagi_server.ari.errors import (
    AriAnswerError,
    AriError,
    AriTooSlowError,
    AriUnreachableError,
    refusal,
)
from fastagi_server.origin.connection import Answer, ResponseTooLargeError, StaleConnectionError
from fastagi_server.telemetry.measures import Measures

SUCCESS = 200
REDIRECTION = 300
RETRY_AFTER_SECONDS = 2.0
"""What a client is told to wait for: the link's own pauses are about as long."""

Parameters = Mapping[str, str | int]
"""A query. What is an empty text was not given and is not sent."""


class Exchange(Protocol):
    """The one thing asked of a transport; `origin.transport.OriginTransport` has it."""

    async def send(self, message: bytes, deadline: float) -> Answer:
        """Send a whole HTTP request; raises `httpx.TransportError`."""
        ...


class Requester:
    """Puts requests to the ARI at `base_url`, each answered or given up in `timeout_seconds`.

    An operation that may be repeated, which is any but POST, is put once more when the server
    closed a kept-alive connection under it.
    """

    def __init__(
        self,
        exchange: Exchange,
        base_url: httpx.URL,
        *,
        username: str,
        password: str,
        measures: Measures,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._exchange = exchange
        self._measures = measures
        self._timeout_seconds = timeout_seconds
        self._path = base_url.raw_path.decode("ascii")
        self._fixed_lines = (
            f"Host: {base_url.netloc.decode('ascii')}\r\n"
            f"Authorization: {basic_credentials(username, password)}\r\n"
            "Accept: application/json\r\nUser-Agent: fastagi-server\r\n"
        )

    async def ask(
        self,
        operation: str,
        method: str,
        path: tuple[str, ...],
        query: Parameters | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON of the answer, None when it has no body. Raises `AriError`.

        `path` are the segments below `/ari`; `operation` names the series of the measure.
        """
        message = self._message(method, path, query or {}, body)
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = "cancelled"
        try:
            answer = await self._send(method, message, began + self._timeout_seconds)
            found = _read(answer)
            outcome = "ok"
        except AriError as error:
            outcome = error.code
            raise
        finally:
            self._measures.ari_request_seconds.observe(loop.time() - began, operation, outcome)
        return found

    async def _send(self, method: str, message: bytes, deadline: float) -> Answer:
        try:
            try:
                return await self._exchange.send(message, deadline)
            except StaleConnectionError:
                if method == "POST":
                    raise
                return await self._exchange.send(message, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise AriUnreachableError(
                f"Asterisk cannot be reached: {error}", retry_after_seconds=RETRY_AFTER_SECONDS
            ) from error
        except ResponseTooLargeError as error:
            raise AriAnswerError(str(error)) from error
        except httpx.TransportError as error:
            raise AriTooSlowError(f"no answer from Asterisk: {error}") from error

    def _message(
        self,
        method: str,
        path: tuple[str, ...],
        query: Parameters,
        body: Mapping[str, Any] | None,
    ) -> bytes:
        target = "/".join((self._path, *(quote(segment, safe="") for segment in path)))
        given = {name: _word(value) for name, value in query.items() if value != ""}
        if given:
            target += f"?{urlencode(given, quote_via=quote)}"
        content = b"" if body is None else orjson.dumps(body)
        lines = self._fixed_lines
        if body is not None:
            lines += "Content-Type: application/json\r\n"
        if method != "GET":
            lines += f"Content-Length: {len(content)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + content


def basic_credentials(username: str, password: str) -> str:
    """The value of an `Authorization` header by RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _word(value: str | int) -> str:
    match value:
        case True:
            return "true"
        case False:
            return "false"
        case _:
            return str(value)


def _read(answer: Answer) -> Any:
    if SUCCESS <= answer.status < REDIRECTION:
        return reading.parse(answer.body) if answer.body else None
    raise refusal(answer.status, _words(answer.body))


def _words(body: bytes) -> str:
    """What Asterisk says about a refusal: under `message`, and for a few under `error`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(document, dict):
        return ""
    for name, said in cast("dict[str, object]", document).items():
        if name in {"message", "error"} and isinstance(said, str):
            return said
    return ""
