"""The softphone's page on a library of the test's own, which does what the test tells it to."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from fastapi import FastAPI
from playwright.async_api import Locator, Page, expect

from fastagi_server.api import phone, wallboard
from fastagi_server.http import HttpServer
from lab.browser import Browser, WatchedPage

EVIL = "<img src=x onerror=document.title=1>"

_LIBRARY = Path(__file__).with_name("fake_sge_voip.js")


def token_of(user: str) -> str:
    """A token that names a user."""
    return jwt.encode({"sub": user}, "not checked by this page, and long enough", "HS256")


@dataclass(frozen=True)
class PhoneStage:
    """A page that is not open yet; `fake` in its scripts is the library's client."""

    page: Page
    watched: WatchedPage
    address: str

    async def open(self, prepared: str = "{}") -> None:
        """Open the page, on a client with these fields (JavaScript)."""
        await self.page.add_init_script(f"window.prepared = {prepared}")
        await self.page.goto(self.address)

    async def sign_in(self, prepared: str = "{}", token: str = "right") -> None:
        """Open the page and give it a token."""
        await self.open(prepared)
        await self.give(token)
        await expect(self.status).not_to_have_text("Loading")

    async def give(self, token: str) -> None:
        """Fill the form in."""
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    async def dial(self, number: str = "1001", state: str = "connected") -> None:
        """Call a number, and have the call be in this state."""
        await self.page.get_by_label("Number or name").fill(number)
        await self.press("Call")
        await self.run("await until(() => fake.calls.length)")
        await self.run(f"fake.calls.at(-1).now('{state}')")

    async def press(self, name: str) -> None:
        """Press the button of exactly this name."""
        await self.button(name).click()

    async def run(self, code: str) -> Any:
        """Run code on the page, where `until` waits for a condition."""
        until = "async (is) => { while (!is()) await new Promise(requestAnimationFrame); }"
        return await self.page.evaluate(f"async () => {{ const until = {until}; {code} }}")

    async def asked(self) -> list[list[Any]]:
        """Return what the page asked the library for."""
        asked: list[list[Any]] = await self.page.evaluate("fake.asked")
        return asked

    def button(self, name: str) -> Locator:
        """The button of exactly this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def status(self) -> Locator:
        """The one word."""
        return self.page.locator("#status-word")

    @property
    def call(self) -> Locator:
        """The call in front."""
        return self.page.locator("#call")

    @property
    def fault(self) -> Locator:
        """What went wrong, in words."""
        return self.page.locator("#fault")


@asynccontextmanager
async def open_phone(browser: Browser, gateway: str = "") -> AsyncGenerator[PhoneStage]:
    """Serve the page, and open a tab for it; `gateway` is the endpoint, if not the usual one."""
    app = FastAPI()
    wallboard.add_wallboard(app)
    phone.add_phone(app, gateway)
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        watched = await browser.open_page()
        body = _LIBRARY.read_text()
        await watched.page.route(
            "**/client/sge-voip.js",
            lambda route: route.fulfill(body=body, content_type="text/javascript"),
        )
        yield PhoneStage(watched.page, watched, "http://{}:{}/phone".format(*server.address))
        await watched.page.close()
        server.stop()
        await running
