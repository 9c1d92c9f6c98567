"""The softphone's page beside its calls: people, rooms, devices, alerts, and how it is used."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from phone_stage import PhoneStage, open_phone
from playwright.async_api import expect

from lab.browser import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUSES = {"alice": "online", "carol": "offline", "bob": "online", "dave": "away"}
PEOPLE = [{"user_id": user, "status": status} for user, status in STATUSES.items()]
PREPARED = json.dumps({"people": PEOPLE})

FOCUSABLE = "button, input, select, summary, a[href]"

# What can be used and has no name.
NAMELESS = f"""() => [...document.querySelectorAll("{FOCUSABLE}")]
    .filter((each) => each.checkVisibility())
    .filter((each) => !(each.ariaLabel || each.labels?.[0]?.innerText || each.innerText).trim())
    .map((each) => each.outerHTML)"""

# What is too small to touch, but what only keyboards reach.
SMALL = f"""() => [...document.querySelectorAll("{FOCUSABLE}")]
    .filter((each) => each.checkVisibility() && !each.matches(".skip"))
    .filter((each) => {{
        const {{width, height}} = each.getBoundingClientRect();
        return width < 43.9 || height < 43.9;
    }}).map((each) => each.outerHTML)"""

# Texts whose contrast to what is behind them is below 4.5, but those of disabled buttons.
FAINT = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [red, green, blue] = channels(colour).map((value) => value / 255)
            .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return channels(colour)[3] === 0 ? behind(element.parentElement) : colour;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
        if (element.closest(":disabled, script, select, noscript")) continue;
        const [low, high] = [light(getComputedStyle(element).color), light(behind(element))]
            .sort((a, b) => a - b);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < 4.5) faint.push([texts.currentNode.data, contrast]);
    }
    return faint;
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def phone(call_browser: Browser) -> AsyncIterator[PhoneStage]:
    """A page that is not open yet."""
    async with open_phone(call_browser) as stage:
        yield stage
        assert stage.watched.complaints == []


async def test_people(phone: PhoneStage) -> None:
    """All but oneself are listed, those who are there first, and change by themselves."""
    await phone.sign_in(PREPARED)
    names = phone.page.locator("#people .name")
    await expect(names).to_have_text(["bob", "dave", "carol"])
    await expect(phone.button("Call carol")).to_be_disabled()
    await phone.run("fake.seen('carol', 'online'); fake.seen('bob', 'busy')")
    await expect(names).to_have_text(["carol", "bob", "dave"])
    await phone.press("Video call carol")
    await expect(phone.call.get_by_role("heading")).to_have_text("carol")
    assert await phone.asked() == [["call", "carol", True, True]]


async def test_my_status(phone: PhoneStage) -> None:
    """One says how one is, and sees how others see one."""
    await phone.sign_in(PREPARED)
    choice = phone.page.get_by_label("My status")
    await expect(choice).to_have_value("online")
    await choice.select_option("Do not disturb")
    assert await phone.asked() == [["presence", "do_not_disturb"]]
    await phone.run("fake.seen('alice', 'busy')")
    await expect(choice).to_have_value("busy")


async def test_a_room(phone: PhoneStage) -> None:
    """A room is created with a free number, come into, left and closed."""
    await phone.sign_in("{taken: 2}")
    await expect(phone.page.get_by_text("No active rooms")).to_be_visible()
    await phone.page.get_by_label("New room").fill("Team")
    await phone.press("Create")
    room = phone.page.locator("#rooms li")
    await expect(room).to_contain_text("you (moderator)")
    await expect(room).to_contain_text("1 of 20")
    await phone.press("Join Team")
    await expect(phone.call.get_by_role("heading")).to_have_text("Team")
    await phone.press("Leave Team")
    await expect(phone.call).to_be_hidden()
    await phone.press("Close Team")
    await expect(room).to_have_count(0)
    asked = [each[0] for each in await phone.asked()]
    assert asked == ["create", "create", "create", "join", "hangup", "leave"]


async def test_a_room_that_refuses(phone: PhoneStage) -> None:
    """Why one cannot come in is said."""
    await phone.sign_in()
    await phone.page.get_by_label("New room").fill("Team")
    await phone.press("Create")
    for code, words in (("room_full", "The room is full"), ("room_locked", "The room is locked")):
        await phone.run(f"fake.refusal = refusal('{code}')")
        await phone.press("Join Team")
        await expect(phone.fault).to_contain_text(words)


async def test_a_chosen_microphone(phone: PhoneStage) -> None:
    """A microphone is chosen once, used in calls from then on, and in the call under way."""
    await phone.sign_in()
    await phone.page.get_by_text("Devices and alerts").click()
    await phone.page.get_by_label("Microphone").select_option("Headset")
    await phone.dial()
    assert (await phone.asked())[-1] == ["call", "1001", {"deviceId": {"ideal": "m1"}}, False]
    await phone.page.get_by_label("Microphone").select_option("The system's choice")
    await phone.page.get_by_label("Microphone").select_option("Headset")
    await phone.run("await until(() => fake.asked.length === 2)")
    assert (await phone.asked())[-1] == ["useDevice", "audioinput", "m1"]
    await phone.run("localStorage.clear()")


async def test_notifications(phone: PhoneStage) -> None:
    """A call that comes while the page is not in sight is notified, if that was allowed."""
    await phone.page.add_init_script(
        "window.notified = []; window.Notification = class {"
        " static permission = 'default';"
        " static async requestPermission() { this.permission = 'granted'; }"
        " constructor(...words) { notified.push(words); }"
        " close() { notified.push('closed'); } };"
        "Object.defineProperty(document, 'hidden', {value: true});"
    )
    await phone.sign_in()
    await phone.page.get_by_text("Devices and alerts").click()
    await phone.press("Show incoming calls as notifications")
    await expect(phone.page.locator("#notify-note")).to_contain_text("while this page is not")
    await phone.run("fake.arrive({remoteName: 'bob', id: 'c1'}); fake.calls[0].finish('cancelled')")
    notified = await phone.page.evaluate("notified")
    assert notified[0][0] == "Incoming call"
    assert notified[0][1]["body"] == "bob"
    assert notified[1:] == ["closed"]


async def test_the_service_is_away(phone: PhoneStage) -> None:
    """A page that finds no service says so, and is ready once there is one."""
    await phone.open("{away: true}")
    await phone.give("right")
    await expect(phone.status).to_have_text("No connection")
    await phone.run("fake.away = false")
    await expect(phone.status).to_have_text("Ready")


async def test_signing_out_of_nowhere(phone: PhoneStage) -> None:
    """Who signs out while the service is away is not signed in when it is there again."""
    await phone.open("{away: true}")
    await phone.give("right")
    await expect(phone.status).to_have_text("No connection")
    await phone.press("Sign out")
    await phone.give("wrong")
    await phone.run("fake.away = false")
    await expect(phone.page.locator("#sign-in-reason")).to_contain_text("Sign in with a new one")
    await expect(phone.status).to_have_text("Signed out")


async def test_what_the_page_may(phone: PhoneStage) -> None:
    """The page is told to use nothing from elsewhere, and no other page may frame it."""
    answer = await phone.page.goto(phone.address)
    assert answer is not None
    headers = answer.headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["permissions-policy"].startswith("microphone=(self), camera=(self)")
    assert headers["cache-control"] == "no-cache"
    asset = await phone.page.request.get(f"{phone.address}/assets/main.js")
    assert asset.headers["cache-control"] == "no-cache"
    assert phone.watched.outside == []


async def test_the_endpoint_of_browsers(phone: PhoneStage, call_browser: Browser) -> None:
    """Rooms ring the page by the endpoint that the service has for browsers."""
    await phone.open()
    assert await phone.run("return fake.gateway") == "sge-gateway"
    async with open_phone(call_browser, "web.phones") as other:
        await other.open()
        assert await other.run("return fake.gateway") == "web.phones"


async def test_by_keyboard(phone: PhoneStage) -> None:
    """Every button is reached by the tab key, in the order in which it is seen, and has a name."""
    await phone.sign_in(PREPARED)
    reached: list[str] = []
    for _ in range(40):
        await phone.page.keyboard.press("Tab")
        reached.append(
            await phone.page.evaluate(
                "(document.activeElement.labels?.[0]?.innerText"
                " || document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText).trim()"
            )
        )
        if reached[-1] == "Devices and alerts":
            break
    start = reached.index("Number or name")
    assert reached[start:] == [
        *("Number or name", "Erase the last character"),
        *("1", "2", "3", "4", "5", "6", "7", "8", "9", "Star", "0", "Hash"),
        *("Call", "Video call", "My status", "Call bob", "Video call bob"),
        *("Call dave", "Video call dave", "New room", "Create", "Devices and alerts"),
    ]


async def test_the_way_to_the_dial_pad(phone: PhoneStage) -> None:
    """The first stop of the tab key leads past the header."""
    await phone.sign_in()
    await phone.page.evaluate("document.activeElement.blur()")
    await phone.page.keyboard.press("Tab")
    await phone.page.keyboard.press("Enter")
    await expect(phone.page.get_by_label("Number or name")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_looks(phone: PhoneStage, scheme: str, width: int) -> None:
    """In each state all can be read and touched, and nothing is wider than the screen."""
    await phone.page.set_viewport_size({"width": width, "height": 740})
    await phone.page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    await phone.open(PREPARED)
    await _looks_well(phone, width)
    await phone.give("right")
    await expect(phone.page.locator("#people .name").first).to_be_visible()
    await phone.page.get_by_text("Devices and alerts").click()
    await _looks_well(phone, width)
    await phone.run("fake.arrive({remoteName: 'a'.repeat(80), callType: 'video'})")
    await _looks_well(phone, width)
    await phone.press("Accept")
    await phone.press("Keypad")
    await phone.press("Transfer")
    await phone.run("fake.calls[0].show()")
    await phone.press("Mute")
    await _looks_well(phone, width)
    await phone.run("fake.calls[0].finish('busy')")
    await _looks_well(phone, width)


async def _looks_well(phone: PhoneStage, width: int) -> None:
    assert await phone.page.evaluate(FAINT) == []
    assert await phone.page.evaluate(SMALL) == []
    assert await phone.page.evaluate("document.documentElement.scrollWidth") == width
    assert await phone.page.evaluate(NAMELESS) == []
