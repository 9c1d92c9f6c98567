"""The softphone's page on the real service and Asterisk: its own library, and media that flow.

Where SGE_PHONE_SHOTS names a folder, pictures of what is seen are left there.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from page_stage import CallStage, token
from playwright.async_api import Page, expect

from lab.phones import Phone

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]

WAIT_MS = 20_000
AUDIBLE_PACKETS = 100
"""Two seconds of audio."""

WATCH = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...details) {
    super(...details);
    window.connections.push(this);
  }
};
window.received = async () => {
  let packets = 0;
  for (const each of connections.filter((each) => each.connectionState === "connected")) {
    for (const stats of (await each.getStats()).values()) {
      if (stats.type === "inbound-rtp" && stats.kind === "audio") packets += stats.packetsReceived;
    }
  }
  return packets;
};
"""


@dataclass(frozen=True)
class Pages:
    """The softphones of one test."""

    stage: CallStage
    pages: list[Page] = field(default_factory=list[Page])

    async def sign_in(self, user: str) -> Page:
        """Open a user's softphone, and wait until it is ready."""
        page = await self.open(token(user))
        await expect(page.locator("#status-word")).to_have_text("Ready", timeout=WAIT_MS)
        return page

    async def open(self, text: str) -> Page:
        """Open a softphone and give it a token."""
        page = (await self.stage.browser.open_page()).page
        self.pages.append(page)
        await page.add_init_script(WATCH)
        await page.goto(self.stage.service.api.removesuffix("/api/v1/voip") + "/phone")
        await page.get_by_label("Token").fill(text)
        await page.get_by_role("button", name="Sign in").click()
        return page


@pytest_asyncio.fixture(loop_scope="module")
async def phones(calls: CallStage) -> AsyncIterator[Pages]:
    """Softphones on the real service; afterwards all are closed."""
    phones = Pages(calls)
    yield phones
    for page in phones.pages:
        await page.close()


async def test_an_echo(phones: Pages) -> None:
    """A number is dialled, sound comes back and is rated, and the call is hung up."""
    page = await phones.sign_in("alice")
    await dial(page, "600")
    await status_is(page, "Connected")
    await hears(page)
    await expect(page.locator("#quality-word")).to_have_text("Good", timeout=WAIT_MS)
    await expect(page.locator("#quality-figures")).to_contain_text("opus")
    await shoot(page, "echo")
    await press(page, "Hang up")
    await status_is(page, "Ready")
    await expect(page.locator("#last")).to_contain_text("Last call: 600, 0:")
    assert await asyncio.to_thread(phones.stage.asterisk.wait_idle)


async def test_a_user_calls_a_user(phones: Pages) -> None:
    """One is seen, called and accepted with a picture; both hear and see, hold and hang up."""
    alice, bob = await phones.sign_in("alice"), await phones.sign_in("bob")
    await press(alice, "Video call bob")
    await status_is(bob, "Incoming call")
    await expect(bob.locator("#incoming-name")).to_contain_text("alice")
    await status_is(alice, "Ringing")
    await press(bob, "Accept with video")
    for page in (alice, bob):
        await status_is(page, "Connected")
        await hears(page)
        await sees(page)
    await shoot(alice, "video")
    await press(alice, "Hold")
    await status_is(alice, "On hold")
    await status_is(bob, "Held by the other side")
    await press(alice, "Hold")
    await status_is(bob, "Connected")
    await press(bob, "Hang up")
    await status_is(alice, "Ready")
    assert await asyncio.to_thread(phones.stage.asterisk.wait_idle)


async def test_a_shared_screen(phones: Pages) -> None:
    """In a call without pictures one shows a screen, which the other one sees until it is over."""
    alice, bob = await phones.sign_in("alice"), await phones.sign_in("bob")
    await press(alice, "Call bob")
    await press(bob, "Accept")
    await status_is(alice, "Connected")
    await hears(bob)
    await expect(bob.locator("#stage")).to_be_hidden()
    await press(alice, "Share screen")
    await expect(alice.get_by_label("Your own video")).to_have_attribute("data-own", "screen")
    await sees(bob)
    await press(alice, "Share screen")
    await expect(bob.locator("#stage")).to_be_hidden(timeout=WAIT_MS)
    await hears(bob)
    await press(alice, "Hang up")
    await status_is(bob, "Ready")
    assert await asyncio.to_thread(phones.stage.asterisk.wait_idle)


async def test_a_phone_calls(phones: Pages) -> None:
    """A telephone's call is shown with its name, and rejected."""
    page = await phones.sign_in("alice")
    with Phone.calling(phones.stage.asterisk, "1002", "2001"):
        await status_is(page, "Incoming call")
        await expect(page.locator("#incoming-name")).to_have_text("User 1002 (1002)")
        await press(page, "Reject")
        await status_is(page, "Ready")
        assert await asyncio.to_thread(phones.stage.asterisk.wait_idle)


async def test_nobody_is_there(phones: Pages) -> None:
    """Busy, unreachable and unknown are told apart, with what to do."""
    page = await phones.sign_in("alice")
    with Phone.busy(phones.stage.asterisk, "1001"):
        await dial(page, "1001")
        await expect(page.locator("#fault-title")).to_have_text("Busy: 1001", timeout=WAIT_MS)
    await press(page, "Close")
    await dial(page, "1003")
    await expect(page.locator("#fault-title")).to_have_text("Unreachable: 1003", timeout=WAIT_MS)
    await press(page, "Close")
    await dial(page, "77777")
    await expect(page.locator("#fault-title")).to_have_text(
        "Unknown number: 77777", timeout=WAIT_MS
    )


async def test_a_room(phones: Pages) -> None:
    """One creates a room and comes in, another one dials its number; both are listed."""
    alice, bob = await phones.sign_in("alice"), await phones.sign_in("bob")
    await alice.get_by_label("New room").fill("Team")
    await press(alice, "Create")
    await press(alice, "Join Team")
    await status_is(alice, "Connected")
    number = (await alice.locator("#rooms .tags").first.inner_text()).split(" · ")[0]
    await dial(bob, number.removeprefix("dial "))
    await status_is(bob, "Connected")
    await hears(alice)
    members = alice.locator("#rooms .members")
    await expect(members).to_contain_text("you (moderator)", timeout=WAIT_MS)
    await expect(members).to_contain_text("bob", timeout=WAIT_MS)
    await shoot(alice, "room")
    await press(alice, "Leave Team")
    await status_is(alice, "Ready")
    await press(alice, "Close Team")
    await status_is(bob, "Ready")


async def test_a_wrong_token(phones: Pages) -> None:
    """A token that nobody signed is refused in words."""
    page = await phones.open("nobody.signed.this")
    await expect(page.locator("#sign-in-reason")).to_contain_text(
        "The token is wrong or has expired", timeout=WAIT_MS
    )


async def test_an_expiring_token(phones: Pages) -> None:
    """A token that expires in mid-call is asked for anew, and the sound goes on throughout."""
    page = await phones.open(token("alice", time.time() + 12))
    await status_is(page, "Ready")
    await dial(page, "600")
    await status_is(page, "Connected")
    await expect(page.get_by_label("Token")).to_be_visible(timeout=WAIT_MS)
    await hears(page)
    await shoot(page, "expired")
    await page.get_by_label("Token").fill(token("alice"))
    await press(page, "Sign in")
    await expect(page.get_by_label("Token")).to_be_hidden(timeout=WAIT_MS)
    await hears(page)
    await press(page, "Hang up")
    await status_is(page, "Ready")
    assert await asyncio.to_thread(phones.stage.asterisk.wait_idle)


async def dial(page: Page, number: str) -> None:
    """Call a number."""
    await page.get_by_label("Number or name").fill(number)
    await press(page, "Call")


async def press(page: Page, name: str) -> None:
    """Press the button of exactly this name."""
    await page.get_by_role("button", name=name, exact=True).click()


async def status_is(page: Page, word: str) -> None:
    """Wait until the page says this."""
    await expect(page.locator("#status-word")).to_have_text(word, timeout=WAIT_MS)


async def hears(page: Page) -> None:
    """Wait until two more seconds of audio came in."""
    wanted = int(await page.evaluate("received()")) + AUDIBLE_PACKETS
    await page.wait_for_function(f"async () => await received() >= {wanted}", timeout=WAIT_MS)


async def sees(page: Page) -> None:
    """Wait until a picture of the other side is shown."""
    await page.wait_for_function(
        "() => document.querySelector('#pictures video')?.videoWidth > 0", timeout=WAIT_MS
    )


async def shoot(page: Page, name: str) -> None:
    """Leave a picture of the page, where somebody wants one."""
    folder = os.environ.get("SGE_PHONE_SHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png")
