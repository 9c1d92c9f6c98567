"""A real browser, and the API on a socket for it to look at."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI
from page_stage import CONTEXTS, CallStage, settings, wait_for_links

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.http import HttpServer
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from lab import programs
from lab.asterisk import Asterisk
from lab.browser import Browser, WatchedPage, open_browser, why_not
from lab.media import own_media_address
from lab.root import Root
from lab.service import Service


def need(reason: str | None) -> None:
    """Skip, saying why, what cannot run here; on CI fail."""
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def fake_media() -> bool:
    """Whether the browser has a microphone and a camera; a module that needs them overrides it."""
    return False


@pytest.fixture
async def browser(tmp_path: Path, *, fake_media: bool) -> AsyncIterator[Browser]:
    """A browser of one's own; without one skip, saying why, and on CI fail."""
    need(why_not())
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


@pytest.fixture(scope="module")
def call_root() -> Root:
    """The lab's root, on a machine on which browsers and Asterisk can exchange media."""
    root = Root.default()
    need(root.why_not() or why_not() or programs.why_not("ip"))
    own_media_address()
    return root


@pytest.fixture(scope="module")
def call_asterisk(call_root: Root) -> Iterator[Asterisk]:
    """An Asterisk of a module's own, which hands calls to the service."""
    variables = {"SGE_STASIS": "yes"}
    with Asterisk.start(variables=variables, extensions=CONTEXTS, root=call_root) as running:
        yield running


@pytest.fixture(scope="module")
def call_service(call_asterisk: Asterisk) -> Iterator[Service]:
    """The service that leads the calls of its browsers."""
    with Service.start(settings(call_asterisk)) as running:
        wait_for_links(running)
        call_asterisk.set_global("SGE_AGI", running.agi)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """One browser for all pages of a module."""
    need(why_not())
    profile = tmp_path_factory.mktemp("browser") / "profile"
    async with open_browser(profile, fake_media=True) as browser:
        # Loopback is asked for from another address space: a page that a test makes up is of none.
        # Who has no microphone (tests send tones instead) is offered no loopback for media.
        allowed = ["local-network-access", "microphone", "camera"]
        await browser.context.grant_permissions(allowed)
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def calls(
    call_browser: Browser, call_asterisk: Asterisk, call_service: Service
) -> AsyncIterator[CallStage]:
    """Pages of users who call each other; afterwards all are closed and no channel is left."""
    stage = CallStage(call_browser, call_asterisk, call_service)
    yield stage
    await stage.clear()
