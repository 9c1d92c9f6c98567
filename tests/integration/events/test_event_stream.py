"""The event stream over a real uvicorn."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api import events as api_events
from fastagi_server.events.frames import FrameReader
from fastagi_server.events.hub import EventHub
from fastagi_server.events.models import Event
from fastagi_server.http import HttpServer
from fastagi_server.telemetry.measures import Measures

PATH = "/api/v1/voip/events"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Client:
    """One stream as it is read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.frames = FrameReader()
        self._lines = answer.aiter_lines()

    async def event(self) -> Any:
        """The next event."""
        async for line in self._lines:
            event = self.frames.receive(line)
            if event is not None:
                return json.loads(event)
        raise EOFError

    async def opened(self) -> None:
        """Wait for the beginning: events are told from now on."""
        async for line in self._lines:
            self.frames.receive(line)
            if not line:
                return


@asynccontextmanager
async def streaming(server: HttpServer, key: str, query: str = "") -> AsyncGenerator[Client]:
    """A stream that has begun."""
    host, port = server.address
    headers = {"X-API-Key": key}
    async with (
        httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client,
        client.stream("GET", PATH + query) as answer,
    ):
        assert answer.status_code == 200
        stream = Client(answer)
        await stream.opened()
        yield stream


def tell(hub: EventHub, *types: str) -> None:
    """Publish events."""
    for each in types:
        hub.publish(Event(each, NOON, call="c-1"))


async def test_events_are_streamed_as_they_happen(
    server: HttpServer, hub: EventHub, key: str
) -> None:
    """An operator gets what happens from now on, as it is documented, of the types asked for."""
    tell(hub, "call.created")
    async with streaming(server, key, "?type=call.*&type=link.up") as stream:
        assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
        assert stream.answer.headers["Cache-Control"] == "no-store"
        assert stream.frames.cursor == "b0-1"
        tell(hub, "room.closed", "call.ended")
        assert await stream.event() == {
            "id": "b0-3",
            "type": "call.ended",
            "at": "2026-11-23T12:00:00Z",
            "call": "c-1",
            "room": None,
            "channel": None,
            "data": {},
        }


async def test_a_cursor_is_gone_on_from(
    server: HttpServer, hub: EventHub, key: str, operator: httpx.AsyncClient
) -> None:
    """By query or, as browsers do, by header; without time the stream ends with what is there."""
    tell(hub, "call.created", "call.ringing", "call.ended")
    host, port = server.address
    async with httpx.AsyncClient(headers={"X-API-Key": key}) as client:
        url = f"http://{host}:{port}{PATH}?seconds=0"
        by_query = await client.get(f"{url}&after=b0-1")
        by_header = await client.get(f"{url}&after=b0-1", headers={"Last-Event-ID": "b0-2"})
        unknown = await client.get(f"{url}&after=old-7")
    assert [line for line in by_query.text.split("\n") if line.startswith("id:")] == [
        "id: b0-1",
        "id: b0-2",
        "id: b0-3",
    ]
    assert by_header.text.count("call.ended") == 1
    assert "call.ringing" not in by_header.text
    assert '"type":"stream.gap"' in unknown.text
    assert '"lost":null' in unknown.text


async def test_who_may_listen(
    server: HttpServer, anybody: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    """Only operators; a type that is none is refused."""
    assert (await anybody.get("/events?seconds=0")).status_code == 401
    assert (await alice.get("/events?seconds=0")).status_code == 403


async def test_bad_questions_are_refused(operator: httpx.AsyncClient) -> None:
    """What is no type, or too long a time, is told so."""
    for query in ("type=call", "type=CALL.*", "seconds=3601", "seconds=-1", "after=" + "x" * 65):
        assert (await operator.get(f"/events?{query}")).status_code == 422


async def test_streams_are_limited(
    server: HttpServer, hub: EventHub, key: str, measures: Measures, operator: httpx.AsyncClient
) -> None:
    """One more than there may be is asked to come later; one that has left makes room."""
    async with streaming(server, key), streaming(server, key):
        refused = await operator.get("/events")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
    while measures.event_streams.values[()]:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    assert (await operator.get("/events?seconds=0")).status_code == 200


async def test_a_stream_ends_when_the_service_does(
    server: HttpServer, hub: EventHub, key: str
) -> None:
    """At shutdown a stream sends what there is and ends by itself."""
    async with streaming(server, key) as stream:
        tell(hub, "service.stopping")
        hub.close()
        assert (await stream.event())["type"] == "service.stopping"
        with pytest.raises(EOFError):
            await stream.event()


async def test_a_quiet_stream_says_that_it_is_alive(
    server: HttpServer, hub: EventHub, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heartbeat brings the cursor behind what the client did not want."""
    monkeypatch.setattr(api_events, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(
        api_events.EventStream.__init__,
        "__kwdefaults__",
        {"stall_seconds": 30.0, "heartbeat_seconds": 0.02},
    )
    async with streaming(server, key, "?type=room.*") as stream:
        tell(hub, "call.ended")
        while stream.frames.cursor != "b0-1":
            await stream.opened()


async def test_who_reads_nothing_is_cut(
    server: HttpServer,
    hub: EventHub,
    key: str,
    measures: Measures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that never reads holds a bounded buffer, is cut and counted; others go on."""
    monkeypatch.setattr(
        api_events.EventStream.__init__,
        "__kwdefaults__",
        {"stall_seconds": 0.2, "heartbeat_seconds": 15.0},
    )
    held: list[int] = []
    _, writer = await asyncio.open_connection(*server.address, limit=1024)
    transport: Any = writer.transport
    transport.pause_reading()
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
    while not measures.event_streams.values.get(()):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    (connection,) = server._server.server_state.connections  # pyright: ignore[reportPrivateUsage]
    while not measures.drops.values.get(("event_stream",)):
        for _ in range(100):
            hub.publish(Event("call.ended", NOON, data={"text": "x" * 1000}))
        held.append(connection.transport.get_write_buffer_size())
        await asyncio.sleep(0.001)
    assert max(held) < 512 * 1024
    while measures.event_streams.values[()]:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    async with streaming(server, key) as stream:
        tell(hub, "call.created")
        assert (await stream.event())["type"] == "call.created"
    writer.close()


def test_it_is_described(app: FastAPI) -> None:
    """The description shows what a stream looks like."""
    answer = app.openapi()["paths"][PATH]["get"]["responses"]["200"]
    assert "call.ended" in answer["content"]["text/event-stream"]["example"]
