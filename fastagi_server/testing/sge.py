"""A small SGE API that obeys, refuses, stalls or lies, over real HTTP/1.1.

    async with FakeSge() as sge:
        sge.behave(Behaviour.UNAVAILABLE, Behaviour.CLOSE)   # the next two requests
        ...  # a client of sge.url
        assert [request.target for request in sge.requests] == [...]

It honours `Idempotency-Key`, adopts `metadata.asterisk_call_id` and ends calls by the contract.
"""

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, cast

from fastagi_server.testing.asterisk.signal import Signal
from fastagi_server.testing.sge_calls import CallBook, CallError, Resource

PREFIX = "/api/v1/voip"
HEAD_BYTES = 65536
BODY_BYTES = 1 << 20
HUGE_BYTES = 10 * (1 << 20)
IDLE_SECONDS = 30.0
CLOSE_SECONDS = 1.0


class Behaviour(StrEnum):
    """What is done with a request.

    `OBEY` does what was asked, and so do `SLOW` (after `FakeSge.delay`), `LOSE_ANSWER` (then closes
    without a word), `NO_METADATA`, `TRUNCATED` (broken JSON), `CUT` (fewer bytes than promised) and
    `HUGE` (10 MiB), which spoil the answer. The others change nothing.
    """

    OBEY = "obey"
    SLOW = "slow"
    LOSE_ANSWER = "lose answer"
    NO_METADATA = "no metadata"
    TRUNCATED = "truncated"
    CUT = "cut"
    HUGE = "huge"
    ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    TOO_MANY = "429"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    INVALID = "422"
    HTML = "html"
    REDIRECT = "redirect"
    HANG = "hang"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Give what the body's JSON says; an empty body says nothing, `{}`."""
        return json.loads(self.body or b"{}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; `promised` is the Content-Length if it is not that of the body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    promised: int | None = None

    def encode(self) -> bytes:
        """Give the bytes of the response."""
        length = len(self.body) if self.promised is None else self.promised
        fields = {"Content-Type": "application/json", **self.headers, "Content-Length": str(length)}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} -\r\n{head}\r\n".encode() + self.body


_REFUSALS: Mapping[Behaviour, tuple[int, str, str]] = {
    Behaviour.ERROR: (500, "Internal error", "internal_error"),
    Behaviour.BAD_GATEWAY: (502, "Call initiation failed", "pbx_refused"),
    Behaviour.UNAVAILABLE: (503, "Service unavailable", "unavailable"),
    Behaviour.TOO_MANY: (429, "Rate limit exceeded", "rate_limited"),
    Behaviour.UNAUTHORIZED: (401, "Unauthorized", "unauthorized"),
    Behaviour.FORBIDDEN: (403, "Forbidden", "forbidden"),
    Behaviour.INVALID: (422, "Call initiation failed", "invalid"),
}


class FakeSge:
    """The API on a free loopback port; an async context manager.

    With `api_key` or `bearer` a request must show one of them. `delay` (seconds) is what `SLOW`
    waits, `retry_after` the header of 429 and 503. `requests` are kept in the order of arrival,
    refused ones too. `calls` are the calls there are, by id.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        bearer: str | None = None,
        behaviour: Behaviour = Behaviour.OBEY,
        delay: float = 0.0,
        retry_after: int = 1,
    ) -> None:
        self.behaviour = behaviour
        self.delay = delay
        self.retry_after = retry_after
        self.requests: list[Request] = []
        self.port = 0
        self.connections = 0
        self._secrets = {"x-api-key": api_key, "authorization": bearer and f"Bearer {bearer}"}
        self._book = CallBook()
        self._next: deque[Behaviour] = deque()
        self._arrived = Signal()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL of the API, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def calls(self) -> dict[str, Resource]:
        """The calls by id, in the order of their creation."""
        return self._book.calls

    def behave(self, *behaviours: Behaviour) -> None:
        """Do so with the next requests, one each; afterwards `behaviour` holds again."""
        self._next.extend(behaviours)

    async def wait_for_requests(self, count: int, seconds: float = 5.0) -> None:
        """Wait until `count` requests have come; raise TimeoutError if they do not."""
        if not await self._arrived.until(lambda: len(self.requests) >= count, seconds):
            raise TimeoutError(f"{len(self.requests)} of {count} requests came in {seconds} s")

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accepted, "127.0.0.1", self.port, limit=HEAD_BYTES
        )
        self.port = cast("tuple[str, int]", self._server.sockets[0].getsockname())[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._handle(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(None) as idle:
                loop = asyncio.get_running_loop()
                keep_alive = True
                while keep_alive:
                    idle.reschedule(loop.time() + IDLE_SECONDS)
                    keep_alive = await self._serve_one(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            # The client left, fell silent or does not speak HTTP: nothing can be answered.
            writer.transport.abort()
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read_request(reader)
        self.requests.append(request)
        self._arrived.notify()
        behaviour = self._next.popleft() if self._next else self.behaviour
        if behaviour is Behaviour.HANG:
            await reader.read()
            return False
        answer = await self._answer(request, behaviour)
        if answer is None:
            return False
        writer.write(answer.encode())
        await writer.drain()
        return answer.promised is None and request.headers.get("connection") != "close"

    async def _answer(self, request: Request, behaviour: Behaviour) -> Answer | None:
        """Give the answer; `None` is a connection closed without one."""
        if behaviour in _REFUSALS:
            return self._refuse(*_REFUSALS[behaviour])
        if behaviour is Behaviour.HTML:
            page = b"<!doctype html><title>Sign in</title><h1>Please sign in</h1>"
            return Answer(200, page, {"Content-Type": "text/html"})
        if behaviour is Behaviour.REDIRECT:
            return Answer(302, b"", {"Location": f"{self.url}/elsewhere"})
        if behaviour is Behaviour.CLOSE:
            return None
        if behaviour is Behaviour.SLOW:
            await asyncio.sleep(self.delay)
        try:
            status, resource = self._obey(request)
        except CallError as error:
            return self._refuse(error.status, error.title, error.code)
        return _spoil(behaviour, status, resource)

    def _refuse(self, status: int, title: str, code: str) -> Answer:
        body = {"error": title, "message": title, "code": code, "request_id": "fake"}
        waits = {"Retry-After": str(self.retry_after)} if status in (429, 503) else {}
        return Answer(status, json.dumps(body).encode(), waits)

    def _obey(self, request: Request) -> tuple[int, Resource | list[Resource]]:
        self._authenticate(request)
        try:
            facts = request.json()
        except ValueError:
            raise CallError(400, "Bad request", "malformed_json") from None
        path = request.target.partition("?")[0].removeprefix(PREFIX).strip("/").split("/")
        match request.method, path:
            case "POST", ["calls"]:
                new, call = self._book.create(facts, request.headers.get("idempotency-key"))
                return (201 if new else 200), call
            case "GET", ["calls"]:
                return 200, [c for c in self.calls.values() if c["status"] != "ended"]
            case "GET", ["calls", call_id]:
                return 200, self._book.get(call_id)
            case "POST", ["calls", call_id, "accept"]:
                return 200, self._book.accept(call_id, facts)
            case "POST", ["calls", call_id, "end"]:
                return 200, self._book.end(call_id, facts)
            case _:
                raise CallError(404, "Not found", "not_found")

    def _authenticate(self, request: Request) -> None:
        wanted = {name: secret for name, secret in self._secrets.items() if secret}
        shown = (
            hmac.compare_digest(request.headers.get(name, "").encode(), secret.encode())
            for name, secret in wanted.items()
        )
        if wanted and not any(shown):
            raise CallError(401, "Unauthorized", "unauthorized")


def _spoil(behaviour: Behaviour, status: int, resource: Resource | list[Resource]) -> Answer | None:
    if behaviour is Behaviour.LOSE_ANSWER:
        return None
    if behaviour is Behaviour.NO_METADATA and isinstance(resource, dict):
        resource = {name: value for name, value in resource.items() if name != "metadata"}
    if behaviour is Behaviour.HUGE and isinstance(resource, dict):
        resource = {**resource, "padding": "x" * HUGE_BYTES}
    body = json.dumps(resource).encode()
    if behaviour is Behaviour.TRUNCATED:
        return Answer(status, body[: len(body) // 2])
    if behaviour is Behaviour.CUT:
        return Answer(status, body[: len(body) // 2], promised=len(body))
    return Answer(status, body)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request; raise ValueError where it is not HTTP/1.1 with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _version = start.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    if length > BODY_BYTES or "transfer-encoding" in headers:
        raise ValueError("only bodies of a known and modest length are read")
    return Request(method, target, headers, await reader.readexactly(length))
