"""For each test an API and users of its own, in the browser of the module."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from client_stage import FAR_END, FakeGateway, Stage, answering
from playwright.async_api import Page

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.http import HttpServer
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.presenting import make_presenting
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from lab.browser import Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def far_page(call_browser: Browser) -> Page:
    """The far end of all calls of a module."""
    watched = await call_browser.open_page()
    await watched.page.evaluate(FAR_END)
    return watched.page


@pytest_asyncio.fixture(loop_scope="module")
async def stage(call_browser: Browser, far_page: Page, tmp_path: Path) -> AsyncIterator[Stage]:
    """Everything but the users; its pages are closed afterwards."""
    measures, directory = Measures(), ExtensionTable({})
    presenting = make_presenting(directory, measures)
    async with open_store(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        exchange = Exchange(
            calls=store.calls,
            directory=directory,
            measures=measures,
            push=presenting.push,
            attendance=presenting.desk.book,
        )
        app = create_app(
            store=store,
            measures=measures,
            bootstrap_key="bootstrap",
            version="1.2.3",
            access=Access(requests_per_minute=0),
            browsers=BrowserParts(exchange=exchange, presence_desk=presenting.desk),
        )
        async with HttpServer(app, "127.0.0.1", 0) as server:
            running = asyncio.create_task(server.run())
            stage = Stage(
                call_browser, "http://{}:{}".format(*server.address), store, presenting.desk
            )
            stage.gateway = exchange.gateway = FakeGateway(exchange, far_page, answering)
            yield stage
            await stage.close()
            exchange.close()
            server.stop()
            server.hurry()  # what is still open belongs to pages that are closed
            await running
        presenting.desk.book.close()
