"""Which call a request is about, and its place in the trace of the client."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from fastagi_server.api.envelope import Envelope, Message, Receive, Scope, Send
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.subject import Subject, current
from fastagi_server.telemetry.tracing import NO_ATTRIBUTES, Attributes

CALL_ID = "3f2a0000-1234-4123-9123-1234567890ab"


class Spans:
    """Keeps the spans that end."""

    def __init__(self) -> None:
        self.ended: list[tuple[Span, str, Attributes]] = []

    def end(self, span: Span, *, error: str = "", attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Keep it."""
        self.ended.append((span, error, attributes))

    def call_ended(
        self, key: str, started: datetime, ended: datetime, attributes: Attributes = NO_ATTRIBUTES
    ) -> None:
        """No call ends here."""
        raise AssertionError(key, started, ended, attributes)

    def close(self) -> None:
        """Nothing waits."""


async def ask(
    path: str,
    *,
    tracing: Spans | None = None,
    about: Subject | None = None,
    status: int = 200,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Subject:
    """Send a request; what the endpoint saw."""
    seen: list[Subject] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = type("Route", (), {"name": "get_call"})
        found = current.get()
        assert found is not None
        seen.append(found)
        assert (found.span is None) is (tracing is None)
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def request() -> None:
        current.set(about)
        scope: dict[str, Any] = {"type": "http", "path": path, "headers": list(headers)}
        await Envelope(app, measures=Measures(), tracing=tracing)(scope, receive, send)

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        """Nobody reads it."""

    await asyncio.create_task(request())
    return seen[0]


@pytest.mark.parametrize(
    ("path", "call"),
    [
        (f"/api/v1/voip/calls/{CALL_ID}", CALL_ID),
        (f"/api/v1/voip/calls/{CALL_ID}/end", CALL_ID),
        (f"/api/v1/voip/rooms/{CALL_ID}", ""),
        ("/api/v1/voip/calls", ""),
        ("/api/v1/voip/calls/not-an-id", ""),
    ],
)
async def test_the_call_of_a_request(path: str, call: str) -> None:
    """The one that the path names."""
    assert (await ask(path)).call == call


async def test_a_request_within_a_session() -> None:
    """In process the session's call stays what the work is about."""
    about = Subject("17.4")
    assert await ask(f"/api/v1/voip/calls/{CALL_ID}", about=about) is about


async def test_a_request_is_a_span_of_its_clients_trace() -> None:
    """With the operation as its name and the call's id; a session gets its own span back."""
    spans, client = Spans(), Span("SGE get")
    about = Subject("17.4", span=client)
    headers = ((b"traceparent", client.traceparent),)
    await ask("/api/v1/voip/calls", tracing=spans, about=about, headers=headers)
    ((span, error, attributes),) = spans.ended
    assert (span.trace_id, span.parent_id) == (client.trace_id, client.span_id)
    assert (span.name, span.kind, error) == ("API get_call", "server", "")
    assert attributes == {"unique_id": "17.4"}
    assert about.span is client


async def test_a_refusal_is_a_failed_span() -> None:
    """Its status is the error; without a header it begins a trace of its own."""
    spans = Spans()
    await ask("/api/v1/voip/calls", tracing=spans, status=404)
    ((span, error, _),) = spans.ended
    assert error == "404"
    assert span.parent_id is None
