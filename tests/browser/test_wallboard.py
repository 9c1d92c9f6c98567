"""The wallboard's page in a real browser, on a board of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Locator, Page, expect

from fastagi_server.api.board import Board
from fastagi_server.http import HttpServer
from lab.browser import WatchedPage

EVIL = "<img src=x onerror=document.title=1>"

WATCH_TASKS = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => {
        for (const each of list.getEntries()) window.tasks.push(each.duration);
    }).observe({ type: "longtask", buffered: true });
}"""


@dataclass
class Stage:
    """A page of the wallboard, and the state that it shows: a test changes `state`."""

    page: Page
    watched: WatchedPage
    address: str
    board: Board
    state: dict[str, Any]

    async def sign_in(self, key: str = "bootstrap") -> None:
        """Open the page and give the key."""
        await self.page.goto(f"{self.address}/wallboard")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Show the wallboard").click()

    async def look(self) -> dict[str, Any]:
        """What the board sees."""
        return {"at": datetime.now(UTC), **self.state}

    @property
    def status(self) -> Locator:
        """The one word."""
        return self.page.locator("#status-word")

    @property
    def rows(self) -> Locator:
        """The calls that are in sight."""
        return self.page.locator("#calls-rows tr:not(.space)")


def call(number: int, status: str = "connected", **fields: Any) -> dict[str, Any]:
    """A call on the board, a minute old."""
    since = datetime.now(UTC) - timedelta(seconds=60)
    return {
        "id": f"call-{number}",
        "from": f"caller {number:04}",
        "to": "1001",
        "kind": "audio",
        "status": status,
        "since": since,
        "answered_at": since if status == "connected" else None,
        **fields,
    }


def empty_state() -> dict[str, Any]:
    """A board on which nothing happens."""
    names = (
        *("channels", "bridges", "endpoints", "endpoints_online", "mos", "calls_per_minute"),
        *("outbox_pending", "outbox_dead", "outbox_oldest_seconds", "registrations_per_minute"),
        *("registrations_failed", "register_p95_ms", "sge_p95_ms"),
    )
    return {
        "verdict": {"word": "working", "reasons": []},
        "figures": {**dict.fromkeys(names), "agi_sessions": 0, "calls": 0, "rooms": 0},
        "links": [],
        "calls": [],
        "rooms": [],
        "endpoints": None,
        "errors": [],
    }


@pytest.fixture
async def stage(page: WatchedPage, app: FastAPI, address: str) -> AsyncIterator[Stage]:
    """A page that is not signed in yet."""
    stage = Stage(page.page, page, address, app.state.services.board, empty_state())

    stage.board = Board(stage.look, interval_seconds=0.05)
    app.state.services = replace(app.state.services, board=stage.board)
    yield stage
    stage.board.close()


async def test_nothing_happens(stage: Stage) -> None:
    """The empty board says of each part that there is nothing, and complains of nothing."""
    await stage.sign_in()
    await expect(stage.status).to_have_text("Working")
    for text in ("No active calls", "No active rooms", "Asterisk does not tell now"):
        await expect(stage.page.get_by_text(text)).to_be_visible()
    await expect(stage.page).to_have_title("Working | Wallboard")
    assert stage.watched.complaints == []
    assert stage.watched.outside == []


async def test_a_call_comes_and_goes(stage: Stage) -> None:
    """A call appears, changes and leaves by itself, and its duration goes on meanwhile."""
    await stage.sign_in()
    await expect(stage.page.locator("#calls-empty")).to_be_visible()
    stage.state = {**stage.state, "calls": [call(1, "ringing")]}
    await expect(stage.rows.locator(".state")).to_have_text("Ringing")
    stage.state = {**stage.state, "calls": [call(1), call(2, "on_hold")]}
    await expect(stage.rows.locator(".state")).to_have_text(["On hold", "Connected"])
    await expect(stage.page.locator("#by-status")).to_have_text("Connected 1 · On hold 1")
    duration = stage.rows.locator(".number").last
    first = await duration.inner_text()
    await expect(duration).not_to_have_text(first)
    stage.state = {**stage.state, "calls": []}
    await expect(stage.rows).to_have_count(0)


async def test_names_are_text(stage: Stage) -> None:
    """What callers, rooms and errors are called is shown as it is, and never run."""
    error = {"number": 1, "at": datetime.now(UTC), "level": "error", "event": EVIL}
    room = {"id": "r", "name": EVIL, "number": "123", "present": 1, "seats": 5}
    stage.state |= {
        "calls": [{**call(1), "from": EVIL, "to": EVIL}],
        "rooms": [{**room, "is_locked": True, "is_recorded": False, "since": datetime.now(UTC)}],
        "endpoints": [{"id": EVIL, "state": "online", "channels": 0}],
        "errors": [{**error, "detail": EVIL, "times": 2}],
        "verdict": {"word": "degraded", "reasons": [EVIL]},
    }
    await stage.sign_in()
    await expect(stage.status).to_have_text("Degraded")
    await expect(stage.page.get_by_text(EVIL)).to_have_count(7)
    await expect(stage.page.locator("img")).to_have_count(0)
    await expect(stage.page).to_have_title("Degraded | Wallboard")


async def test_a_caller_of_the_api(page: WatchedPage, app: FastAPI, address: str) -> None:
    """A name goes from a registration through the real board to the page as text."""
    metadata = {"asterisk_call_id": "pbx-17.4", "caller_id": "1002", "caller_name": EVIL}
    body = {"participants": ["SIP/1001"], "call_type": "audio", "metadata": metadata}
    headers = {"X-API-Key": "bootstrap"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        answer = await client.post("/api/v1/voip/calls", json=body)
    assert answer.status_code == 201
    stage = Stage(page.page, page, address, app.state.services.board, {})
    await stage.sign_in()
    await expect(stage.rows.locator("td:nth-child(2)")).to_have_text(f"{EVIL} (1002)")
    await expect(page.page.locator("img")).to_have_count(0)
    app.state.services.board.close()


async def test_a_wrong_key(stage: Stage) -> None:
    """A credential that is refused is forgotten, and the form says why; a right one then works."""
    await stage.sign_in("wrong")
    await expect(stage.page.locator("#sign-in-reason")).to_contain_text("unknown or revoked")
    assert await stage.page.evaluate("sessionStorage.length") == 0
    await stage.page.get_by_label("API key").fill("bootstrap")
    await stage.page.keyboard.press("Enter")
    await expect(stage.status).to_have_text("Working")


async def test_signing_out(stage: Stage) -> None:
    """The key outlives a reload of the tab, and nothing is left after signing out."""
    await stage.sign_in()
    await expect(stage.status).to_have_text("Working")
    await stage.page.reload()
    await expect(stage.status).to_have_text("Working")
    await stage.page.get_by_role("button", name="Sign out").click()
    await expect(stage.page.get_by_label("API key")).to_be_focused()
    await expect(stage.page.locator("#board")).to_be_hidden()
    assert await stage.page.evaluate("sessionStorage.length") == 0


async def test_the_service_goes_away(page: WatchedPage, app: FastAPI) -> None:
    """The last board stays with its age while nobody answers, and comes back with a service."""
    stage = Stage(page.page, page, "", app.state.services.board, empty_state())
    stage.state |= {"calls": [call(1)]}
    async with serving(stage, app) as port:
        stage.address = f"http://127.0.0.1:{port}"
        await stage.sign_in()
        await expect(stage.status).to_have_text("Working")
        await expect(stage.rows).to_have_count(1)
    await expect(stage.status).to_have_text("No connection")
    await expect(stage.page.locator("#status-reason")).to_contain_text("Last seen")
    await expect(stage.rows).to_have_count(1)
    async with serving(stage, app, port):
        await expect(stage.status).to_have_text("Working")


@asynccontextmanager
async def serving(stage: Stage, app: FastAPI, port: int = 0) -> AsyncGenerator[int]:
    """A service with the stage's board, on a port, which is gone afterwards."""
    stage.board = Board(stage.look, interval_seconds=0.05)
    app.state.services = replace(app.state.services, board=stage.board)
    async with HttpServer(app, "127.0.0.1", port) as server:
        running = asyncio.create_task(server.run())
        yield server.address[1]
        stage.board.close()
        server.stop()
        await running


async def test_somebody_else_answers(stage: Stage) -> None:
    """A page that a reverse proxy gives in place of the news is none, and the news come later."""
    feed = "**/wallboard/feed"
    await stage.page.route(
        feed, lambda route: route.fulfill(body="later", content_type="text/html")
    )
    await stage.sign_in()
    await expect(stage.status).to_have_text("No connection")
    await stage.page.unroute(feed)
    await expect(stage.status).to_have_text("Working")


async def test_an_answer_that_ends(stage: Stage) -> None:
    """The news go on after an answer that has ended, as each does once in a while."""
    await stage.page.route(
        "**/wallboard/feed",
        lambda route: route.fulfill(body=": still here\n\n", content_type="text/event-stream"),
        times=1,
    )
    await stage.sign_in()
    await expect(stage.status).to_have_text("Working")


@pytest.mark.timeout(120)
async def test_a_thousand_calls(stage: Stage) -> None:
    """With 1,000 calls that come, go and are scrolled through, no task of the page is long."""
    await stage.page.set_viewport_size({"width": 1920, "height": 1080})
    await stage.page.add_init_script(f"({WATCH_TASKS})()")
    stage.state |= {"calls": [call(number) for number in range(1000)]}
    stage.state["figures"]["calls"] = 1000
    await stage.sign_in()
    table = stage.page.locator("#calls-table")
    await expect(table).to_have_attribute("aria-rowcount", "1001")
    assert await stage.rows.count() < 100
    for turn in range(1, 6):
        calls = [call(number) for number in range(turn * 100, turn * 100 + 1000)]
        stage.state = {**stage.state, "calls": calls}
        await stage.page.mouse.wheel(0, 5_000)
        await expect(stage.rows.get_by_text(f"caller {turn * 100 - 1:04}")).to_have_count(0)
    await stage.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await expect(stage.rows.get_by_text("caller 1499")).to_be_in_viewport()
    longest = max(await stage.page.evaluate("window.tasks"), default=0)
    print(f"longest task: {longest:.0f} ms")  # noqa: T201 - a figure for whoever asks with -s
    assert 0 < await stage.rows.count() < 100


async def test_a_phone_shows_few(stage: Stage) -> None:
    """On a phone twenty calls are shown until all are asked for; nothing is wider than it."""
    await stage.page.set_viewport_size({"width": 390, "height": 844})
    stage.state |= {"calls": [call(number) for number in range(60)]}
    await stage.sign_in()
    await expect(stage.rows).to_have_count(20)
    wide = await stage.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390
    await stage.page.get_by_role("button", name="Show all 60 calls").click()
    await expect(stage.page.locator("#calls-table")).to_have_attribute("aria-rowcount", "61")


async def test_events_in_pieces(stage: Stage) -> None:
    """Events are read whole however their bytes are cut."""
    await stage.page.goto(f"{stage.address}/wallboard")
    read = await stage.page.evaluate(
        """async () => {
            const { EventReader } = await import("/wallboard/assets/feed.js");
            const text = ': hi\\n\\nevent: board\\nid: 1\\ndata: {"a":"b\\u00e9"}\\n\\n';
            const reader = new EventReader();
            return [...text].flatMap((letter) => reader.receive(letter));
        }"""
    )
    assert read == [{"kind": "board", "data": '{"a":"bé"}'}]


async def test_words(stage: Stage) -> None:
    """Durations, ages and latencies are short and aligned."""
    await stage.page.goto(f"{stage.address}/wallboard")
    read = await stage.page.evaluate(
        """async () => {
            const w = await import("/wallboard/assets/words.js");
            return [w.duration(-5), w.duration(7000), w.duration(754000), w.duration(3723000),
                w.age(59000), w.age(61000), w.age(86400000), w.age(172800000), w.figure(null),
                w.figure(4.25, 1), w.figure(1234), w.latency(7.44).value, w.latency(1500).unit];
        }"""
    )
    assert read == [
        *("0:00", "0:07", "12:34", "1:02:03", "59 s", "1 min", "24 h", "2 d", "\N{EN DASH}"),
        *("4.3", "1,234", "7.4", "s"),
    ]
