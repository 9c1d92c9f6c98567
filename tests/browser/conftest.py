"""A real browser, and the API on a socket for it to look at."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.http import HttpServer
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from lab.browser import Browser, WatchedPage, open_browser, why_not


@pytest.fixture
def fake_media() -> bool:
    """Whether the browser has a microphone and a camera; a module that needs them overrides it."""
    return False


@pytest.fixture
async def browser(tmp_path: Path, *, fake_media: bool) -> AsyncIterator[Browser]:
    """A browser of one's own; without one skip, saying why, and on CI fail."""
    reason = why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    async with open_browser(tmp_path / "profile", fake_media=fake_media) as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> WatchedPage:
    """An empty page."""
    return await browser.open_page()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The API, with `bootstrap` as its bootstrap key."""
    async with open_store(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        yield create_app(
            store=store,
            measures=Measures(),
            bootstrap_key="bootstrap",
            version="1.2.3",
            access=Access(),
        )


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Where the API listens."""
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        yield "http://{}:{}".format(*server.address)
        server.stop()
        await running
