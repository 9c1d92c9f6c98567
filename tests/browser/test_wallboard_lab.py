"""The wallboard on the real Asterisk: led calls, those of the dialplan, rooms, a cut link.

Where SGE_WALLBOARD_SHOTS names a folder, pictures of what is seen are left there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from fastagi_server.testing.proxy import TcpProxy
from lab.asterisk import Asterisk
from lab.browser import WatchedPage
from lab.phones import Phone
from lab.root import Root
from lab.service import API_KEY, Service, ami_settings, ari_settings

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(180)]

WAIT_MS = 20_000

# Behind an 8 the dialplan leads the call itself.
CONTEXTS = """
[sky-genesis-voip]
exten => _8XXXX,1,AGI(${SGE_AGI}/register?dialled=${EXTEN:1}&system=${SGE_SYSTEM})
 same => n,Dial(PJSIP/${EXTEN:1},30)
 same => n,Hangup()
"""

SCREENS = (
    ("phone-light", 390, 844, "light"),
    ("phone-dark", 390, 844, "dark"),
    ("desktop", 1440, 900, "light"),
    ("wall", 1920, 1080, "dark"),
)


@pytest.fixture(scope="module")
def lab_root() -> Root:
    """The lab's root; without one skip, saying why, and on CI fail."""
    root = Root.default()
    reason = root.why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return root


@pytest.fixture(scope="module")
def asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk of this module's own, whose calls the service leads."""
    variables = {"SGE_STASIS": "yes"}
    with Asterisk.start(variables=variables, extensions=CONTEXTS, root=lab_root) as running:
        yield running


@pytest.fixture
async def proxy(asterisk: Asterisk) -> AsyncIterator[TcpProxy]:
    """What stands between the service and Asterisk's REST interface."""
    async with TcpProxy("127.0.0.1", asterisk.ports.http) as proxy:
        yield proxy


@pytest.fixture
async def service(asterisk: Asterisk, proxy: TcpProxy) -> AsyncIterator[Service]:
    """The service that leads and watches its calls."""
    settings = {
        **ari_settings(asterisk),
        **ami_settings(asterisk),
        "ASTERISK_ARI_URL": f"http://127.0.0.1:{proxy.port}",
    }
    service = await asyncio.to_thread(Service.start, settings)
    try:
        for link in ("ari", "ami"):
            await asyncio.to_thread(service.wait_for_log, "link_state", link=link, state="up")
        await asyncio.to_thread(asterisk.set_global, "SGE_AGI", service.agi)
        yield service
    finally:
        await asyncio.to_thread(service.stop)


async def sign_in(page: Page, service: Service) -> None:
    """Open the wallboard with the service's key."""
    await page.goto(service.api.removesuffix("/api/v1/voip") + "/wallboard")
    await page.get_by_label("API key").fill(API_KEY)
    await page.get_by_role("button", name="Show the wallboard").click()


async def take_pictures(page: Page) -> None:
    """Leave a picture of each screen, where somebody wants them."""
    folder = os.environ.get("SGE_WALLBOARD_SHOTS")
    if not folder:
        return
    for name, width, height, scheme in SCREENS:
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.set_viewport_size({"width": width, "height": height})
        await expect(page.locator("body")).to_have_attribute("data-view", "live")
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_calls_rooms_and_a_cut_link(
    page: WatchedPage, asterisk: Asterisk, service: Service, proxy: TcpProxy
) -> None:
    """All that happens on a real Asterisk is seen within seconds, and so is a link that is lost."""
    board = page.page
    board.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    await sign_in(board, service)
    status, rows = board.locator("#status-word"), board.locator("#calls-rows tr:not(.space)")
    await expect(status).to_have_text("Working")
    await expect(board.locator("#calls-empty")).to_be_visible()
    await asyncio.to_thread(
        service.request, "POST", "/rooms", {"name": "Stand-up", "max_participants": 5}
    )
    await expect(board.locator("#rooms li .name")).to_have_text("Stand-up")
    with Phone.answering(asterisk, "1001"), Phone.not_answering(asterisk, "1003"):
        await expect(board.locator("#endpoints li", has_text="1001")).to_have_attribute(
            "data-level", "good"
        )
        with Phone.calling(asterisk, "1002", "1001"):
            await expect(rows).to_have_count(1)
            await expect(rows.locator(".state")).to_have_text("Connected")
            with Phone.calling(asterisk, "1004", "81003"):
                await expect(rows).to_have_count(2)
                await expect(rows.locator(".state").first).to_have_text("Ringing")
                await expect(rows.locator("td:nth-child(2)").first).to_have_text("User 1004 (1004)")
                await expect(
                    board.locator("#endpoints li", has_text="in a call")
                ).not_to_have_count(0)
                await take_pictures(board)
    for channel in asterisk.control.channels():
        asterisk.control.hang_up(channel["id"])
    await expect(rows).to_have_count(0)
    await proxy.refuse()
    proxy.cut()
    await expect(status).to_have_text("Down")
    await expect(board.locator("#links li", has_text="ARI")).to_have_attribute("data-level", "bad")
    await expect(board.locator("#errors")).to_contain_text("link_state")
    await proxy.accept()
    await expect(status).to_have_text("Working")
    await asyncio.to_thread(service.kill)
    await expect(status).to_have_text("No connection")
    await expect(board.locator("#status-reason")).to_contain_text("Last seen")
    await asyncio.to_thread(service.start_again)
    await expect(status).to_have_text("Working")
    assert page.outside == []
    assert [each for each in page.complaints if "feed" not in each] == []
