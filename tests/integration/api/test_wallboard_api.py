"""The wallboard's page, its snapshot and its feed over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from pbx_view import PbxView

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.board import Board
from fastagi_server.api.board_bodies import BoardBody
from fastagi_server.api.board_feed import BoardFeed
from fastagi_server.api.context import TRANSPORT
from fastagi_server.api.parts import PbxParts
from fastagi_server.health.board import Probe
from fastagi_server.health.states import Condition, State
from fastagi_server.http import HttpServer
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from tests.integration.api_clients import client_of

ADOPTION = {
    "participants": ["SIP/1001"],
    "call_type": "audio",
    "metadata": {
        "asterisk_call_id": "pbx-17.4",
        "caller_id": "1002",
        "caller_name": "Anna",
        "asterisk_dialled_number": "1001",
    },
}


@pytest.fixture
def recent() -> RecentLines:
    """The last errors."""
    return RecentLines()


@pytest.fixture
def app(store: Store, measures: Measures, view: PbxView, recent: RecentLines) -> FastAPI:
    """The application with an Asterisk to look at and last errors."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        pbx=PbxParts(view=view),
        access=Access(requests_per_minute=0, failures_per_minute=0),
        recent=recent,
    )


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Where the API listens."""
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        yield "http://{}:{}".format(*server.address)
        app.state.services.board.close()
        server.stop()
        await running


async def test_a_snapshot(
    service: httpx.AsyncClient, operator: httpx.AsyncClient, recent: RecentLines
) -> None:
    """One answer has calls, rooms, endpoints, systems and errors, in the documented form."""
    call = (await service.post("/calls", json=ADOPTION)).json()
    await service.post("/rooms", json={"name": "Stand-up", "max_participants": 5})
    stamp = "2026-01-01T00:00:00Z"
    recent.note({"level": "error", "timestamp": stamp, "event": "store_failed", "code": "x"})
    answer = await operator.get("/wallboard")
    assert answer.status_code == 200
    BoardBody.model_validate_json(answer.content)
    board = answer.json()
    assert board["verdict"] == {"word": "working", "reasons": []}
    (shown,) = board["calls"]
    assert shown == {
        "id": call["id"],
        "from": "Anna (1002)",
        "to": "1001",
        "kind": "audio",
        "status": "initiating",
        "since": call["start_time"],
        "answered_at": None,
    }
    (room,) = board["rooms"]
    assert (room["name"], room["present"], room["seats"]) == ("Stand-up", 1, 5)
    assert {link["level"] for link in board["links"]} == {"good"}
    assert board["errors"][0]["event"] == "store_failed"
    assert (board["figures"]["calls"], board["figures"]["rooms"]) == (1, 1)
    assert {each["state"] for each in board["endpoints"]} <= {"online", "offline", "unknown"}


async def test_who_may_look(
    anybody: httpx.AsyncClient, alice: httpx.AsyncClient, service: httpx.AsyncClient
) -> None:
    """Whoever may see every call may, and a user may not."""
    assert (await anybody.get("/wallboard")).status_code == 401
    assert (await alice.get("/wallboard")).status_code == 403
    assert (await alice.get("/wallboard/feed")).status_code == 403
    assert (await service.get("/wallboard")).status_code == 200


async def test_a_look_that_takes_too_long(
    app: FastAPI, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so, and when to ask again."""

    async def look() -> dict[str, object]:
        raise TimeoutError

    monkeypatch.setattr(app.state.services.board, "_look", look)
    answer = await operator.get("/wallboard")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["message"] == "The state cannot be had in time"


async def test_the_store_is_away(
    app: FastAPI, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board says that the records are away, and shows what it knew of calls."""
    await operator.post("/calls", json=ADOPTION)
    assert (await operator.get("/wallboard")).json()["verdict"]["word"] == "working"
    services = app.state.services

    async def away(*_: object) -> None:
        raise StoreError("the disk is full")

    async def down() -> Condition:
        return Condition(State.DOWN, "store unavailable", "the disk is full")

    monkeypatch.setattr(services.calls._records, "page", away)
    services.health._probes[:] = [Probe("store", down)]
    await services.health.check()
    board = (await operator.get("/wallboard")).json()
    assert board["verdict"] == {"word": "down", "reasons": ["store unavailable"]}
    assert board["links"][0]["level"] == "bad"
    assert board["links"][0]["error"] == "store unavailable: the disk is full"
    assert len(board["calls"]) == 1


async def test_masked_callers(store: Store, measures: Measures) -> None:
    """Where the operator wants it, nobody's number or name is on the board."""
    app = create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        board_masker=Masker(key=b"0" * 16),
    )
    async with client_of(app, {"X-API-Key": "bootstrap"}) as client:
        await client.post("/calls", json=ADOPTION)
        answer = await client.get("/wallboard")
    (call,) = answer.json()["calls"]
    assert call["to"].startswith("***01#")
    assert call["from"].startswith("***")
    assert b"Anna" not in answer.content
    assert b"1002" not in answer.content


async def test_the_page(address: str) -> None:
    """Anybody may have the page and what it needs, under a policy that lets nothing else in."""
    async with httpx.AsyncClient(base_url=address) as client:
        page = await client.get("/wallboard")
        script = await client.get("/wallboard/assets/main.js")
        unchanged = await client.get(
            "/wallboard/assets/main.js", headers={"If-None-Match": script.headers["etag"]}
        )
        missing = await client.get("/wallboard/assets/../main.js")
    assert page.status_code == 200
    for answer in (page, script, unchanged):
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
    assert script.headers["content-type"].startswith("text/javascript")
    assert unchanged.status_code == 304
    assert missing.status_code == 404


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Kind and data of each event."""
    kind = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, orjson.loads(line.removeprefix("data: "))


async def up_to(
    news: AsyncIterator[tuple[str, dict[str, Any]]], part: str
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Events up to the first that tells of a part."""
    async for kind, data in news:
        yield kind, data
        if part in data:
            return


async def test_the_feed(address: str) -> None:
    """All of it comes first, then a call that is made meanwhile; at the end nothing hangs."""
    headers = {"X-API-Key": "bootstrap"}
    async with (
        httpx.AsyncClient(base_url=f"{address}/api/v1/voip", headers=headers) as client,
        client.stream("GET", "/wallboard/feed") as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        news = events(answer)
        kind, board = await anext(news)
        assert (kind, board["calls"]) == ("board", [])
        await client.post("/calls", json=ADOPTION)
        told = [change async for change in up_to(news, "calls")]
        assert {kind for kind, _ in told} == {"change"}
        assert told[-1][1]["calls"]["set"][0]["from"] == "Anna (1002)"


async def test_too_many_viewers(app: FastAPI, service: httpx.AsyncClient) -> None:
    """A viewer beyond the limit is told so, and so is one when the board is closed."""
    app.state.services.board.close()
    answer = await service.get("/wallboard/feed")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


class Stuck(asyncio.Transport):
    """A connection that takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def is_closing(self) -> bool:
        """Whether it was cut."""
        return self.is_aborted

    def abort(self) -> None:
        """Be cut."""
        self.is_aborted = True


async def test_a_viewer_who_reads_nothing() -> None:
    """He is cut after a while, counted, and his place is free again."""
    measures, transport = Measures(), Stuck()

    async def look() -> dict[str, Any]:
        return {"at": 1}

    async def send(_message: object) -> None:
        if not transport.is_aborted:
            await asyncio.Event().wait()

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    board = Board(look, max_viewers=1)
    feed = BoardFeed(board, measures.drops, send_seconds=0.01)
    await feed({TRANSPORT: transport, "type": "http"}, receive, send)
    assert transport.is_aborted
    assert measures.drops.values == {("wallboard_viewer",): 1}
    assert board.has_room


async def test_heartbeats_and_a_lifetime() -> None:
    """While nothing changes a viewer hears that the service lives, and not for ever."""
    sent: list[bytes] = []

    async def look() -> dict[str, Any]:
        return {"at": 1}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b"head"))

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    feed = BoardFeed(Board(look), Measures().drops, heartbeat_seconds=0.01, lifetime_seconds=0.1)
    await feed({"type": "http"}, receive, send)
    assert sent[0] == b"head"
    assert b": still here\n\n" in sent
    assert sent[-1] == b""


def test_files_are_shipped() -> None:
    """Everything that the page names is there."""
    folder = Path(__file__).parents[3] / "fastagi_server" / "web" / "wallboard"
    page = (folder / "index.html").read_text()
    for name in ("icon.svg", "base.css", "wallboard.css", "main.js"):
        assert f"wallboard/assets/{name}" in page
        assert (folder / name).is_file()
