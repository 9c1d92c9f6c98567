"""The softphone's page: signing in, calls out and in, and what is done in them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from phone_stage import EVIL, PhoneStage, open_phone, token_of
from playwright.async_api import expect

from lab.browser import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIGURES = "{score: 4.31, word: 'good', rttMs: 21, jitterMs: 3, lossPercent: 0, codec: 'opus'}"

ENDS = {
    "busy": "Busy",
    "no_answer": "No answer",
    "unreachable": "Unreachable",
    "unknown": "Unknown number",
    "refused": "Refused",
    "media_failed": "No sound could be exchanged",
    "gateway_lost": "The telephone system broke off the call",
    "failed": "The call failed",
}

FAULTS = {
    "microphone_missing": "No microphone",
    "permission_denied": "The browser does not let this page use",
    "microphone_busy": "Another program uses the microphone",
    "insecure_page": "open this page with https://",
    "service_away": "The service does not answer",
    "rate_limited": "Wait a minute",
    "something_new": "the library's own words",
}


@pytest_asyncio.fixture(loop_scope="module")
async def phone(call_browser: Browser) -> AsyncIterator[PhoneStage]:
    """A page that is not open yet."""
    async with open_phone(call_browser) as stage:
        yield stage
        assert stage.watched.complaints == []
        assert stage.watched.outside == []


async def test_a_wrong_token(phone: PhoneStage) -> None:
    """A refused token is forgotten, and the form says what to do; a right one then works."""
    await phone.sign_in(token="wrong")
    reason = phone.page.locator("#sign-in-reason")
    await expect(reason).to_have_text("The token is wrong or has expired. Sign in with a new one.")
    await expect(phone.page.get_by_label("Token")).to_be_focused()
    assert await phone.page.evaluate("sessionStorage.length") == 0
    await phone.give("right")
    await expect(phone.status).to_have_text("Ready")
    await expect(phone.page.locator("#my-name")).to_have_text("alice")


async def test_what_is_no_token(phone: PhoneStage) -> None:
    """Text that could be no token is not tried."""
    await phone.open()
    await phone.give("two words")
    await expect(phone.page.locator("#sign-in-reason")).to_have_text(
        "Give a token: one line without spaces"
    )


async def test_signing_out(phone: PhoneStage) -> None:
    """The token outlives a reload of the tab, and nothing is left after signing out."""
    await phone.sign_in(token=" Bearer abc ")
    await expect(phone.status).to_have_text("Ready")
    assert await phone.page.evaluate("sessionStorage.getItem('phone.token')") == "abc"
    await phone.page.reload()
    await expect(phone.status).to_have_text("Ready")
    await phone.press("Sign out")
    await expect(phone.page.get_by_label("Token")).to_be_focused()
    await expect(phone.page.locator("#phone")).to_be_hidden()
    assert await phone.asked() == [["close"]]
    assert await phone.page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]


async def test_a_call_out(phone: PhoneStage) -> None:
    """A number that is pressed is called, rings, is answered, lasts, and is hung up."""
    await phone.sign_in()
    for key in ("1", "0", "0", "2", "Hash"):
        await phone.press(key)
    await phone.press("Erase the last character")
    await phone.press("Call")
    await expect(phone.call.get_by_role("heading")).to_have_text("1002")
    await expect(phone.call.get_by_role("heading")).to_be_focused()
    await phone.run("fake.calls[0].now('ringing')")
    await expect(phone.status).to_have_text("Ringing")
    await expect(phone.page).to_have_title("Ringing: 1002 | Phone")
    await phone.run("fake.calls[0].now('connected')")
    await expect(phone.page.get_by_role("timer")).to_have_text("0:01")
    await phone.press("Hang up")
    await expect(phone.status).to_have_text("Ready")
    await expect(phone.page.locator("#last")).to_have_text("Last call: 1002, 0:07")
    await expect(phone.page.get_by_label("Number or name")).to_have_value("")
    assert await phone.asked() == [["call", "1002", True, False], ["hangup"]]


async def test_giving_up_at_once(phone: PhoneStage) -> None:
    """A call that is still being made is given up by hanging up, without an error."""
    await phone.sign_in("{isSlow: true}")
    await phone.page.get_by_label("Number or name").fill("1002")
    await phone.page.keyboard.press("Enter")
    await expect(phone.status).to_have_text("Calling")
    await phone.press("Hang up")
    await expect(phone.status).to_have_text("Ready")
    await expect(phone.fault).to_be_hidden()


async def test_numbers(phone: PhoneStage) -> None:
    """Numbers and names are taken as people write them."""
    await phone.sign_in()
    cleaned = await phone.run(
        """const { cleanNumber } = await import("/phone/assets/numbers.js");
        return ["+32 (0)2 555-12.34", "tel:+3225551234;ext=1", " 10 01\\n", "0032+2", "*21#",
            "sip:bob@example.org", "bob smith<b>", "\\uff11\\uff12", "()"].map(cleanNumber);"""
    )
    assert cleaned == [
        *("+3225551234", "+3225551234", "1001", "00322", "*21#"),
        *("bob@example.org", "bobsmithb", "12", ""),
    ]


async def test_pasting(phone: PhoneStage) -> None:
    """What is pasted into the field loses what is no number."""
    await phone.sign_in()
    field = phone.page.get_by_label("Number or name")
    await field.evaluate(
        """(field) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", "+32 (0)2 555 12 34");
            field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, cancelable: true}));
        }"""
    )
    await expect(field).to_have_value("+3225551234")


async def test_nothing_to_call(phone: PhoneStage) -> None:
    """Without a number the field is pointed at, and nobody is called."""
    await phone.sign_in()
    await phone.press("Video call")
    await expect(phone.page.get_by_label("Number or name")).to_be_focused()
    assert await phone.asked() == []


async def test_a_call_in(phone: PhoneStage) -> None:
    """Somebody who calls is announced in words, in the title and by a tone, and accepted."""
    await phone.page.add_init_script(
        "window.tones = 0; const make = AudioContext.prototype.createGain;"
        "AudioContext.prototype.createGain = function () { tones += 1; return make.call(this); };"
    )
    await phone.sign_in()
    await phone.run("fake.arrive({remoteName: 'Bob', remoteNumber: '1002'})")
    await expect(phone.status).to_have_text("Incoming call")
    await expect(phone.page.locator("#spoken-now")).to_have_text("Incoming call from Bob (1002)")
    await expect(phone.page).to_have_title("Incoming call: Bob (1002) | Phone")
    await phone.run("await until(() => tones > 0)")
    await expect(phone.button("Accept with video")).to_be_hidden()
    await phone.press("Accept")
    await expect(phone.call.get_by_role("heading")).to_have_text("Bob (1002)")
    await expect(phone.status).to_have_text("Connected")
    await expect(phone.page.locator("#incoming")).to_be_hidden()
    assert await phone.asked() == [["accept", {"audio": True, "video": False}]]


async def test_typing_goes_on(phone: PhoneStage) -> None:
    """A call that comes in takes nothing from whoever types, and accepts itself by no key."""
    await phone.sign_in()
    field = phone.page.get_by_label("Number or name")
    await field.press("1")
    await phone.run("fake.arrive({remoteNumber: '1002'})")
    await expect(phone.status).to_have_text("Incoming call")
    await phone.page.keyboard.type("0 2")
    await expect(field).to_have_value("10 2")
    await expect(phone.status).to_have_text("Incoming call")


async def test_closing_the_tab(phone: PhoneStage) -> None:
    """A tab asks before it is closed in a call, and only then."""
    closing = (
        "const event = new Event('beforeunload', {cancelable: true});"
        "dispatchEvent(event); return event.defaultPrevented;"
    )
    await phone.sign_in()
    assert await phone.run(closing) is False
    await phone.dial()
    assert await phone.run(closing) is True


async def test_a_video_call_in(phone: PhoneStage) -> None:
    """A video call may be accepted with one's own picture; until media flow it connects."""
    await phone.sign_in("{isSlow: true}")
    await phone.run("fake.arrive({remoteNumber: '1002', callType: 'video'})")
    await phone.press("Accept with video")
    await expect(phone.status).to_have_text("Connecting")
    assert await phone.asked() == [["accept", {"audio": True, "video": True}]]


async def test_rejecting(phone: PhoneStage) -> None:
    """A rejected call is gone, and that is no error."""
    await phone.sign_in()
    await phone.run("fake.arrive({remoteNumber: '1002'})")
    await phone.press("Reject")
    await expect(phone.status).to_have_text("Ready")
    await expect(phone.fault).to_be_hidden()
    await expect(phone.page.locator("#last")).to_have_text("Last call: 1002, refused by you")


async def test_a_missed_call(phone: PhoneStage) -> None:
    """A caller who gives up is noted as missed."""
    await phone.sign_in()
    await phone.run("fake.arrive({}); fake.calls[0].finish('cancelled')")
    await expect(phone.page.locator("#last")).to_have_text("Last call: Unknown caller, missed call")
    await expect(phone.page.locator("#incoming")).to_be_hidden()


async def test_accepting_without_a_microphone(phone: PhoneStage) -> None:
    """A call that cannot be accepted now rings on, with words for what to do."""
    await phone.sign_in()
    await phone.run("fake.refusal = refusal('microphone_missing'); fake.arrive({})")
    await phone.press("Accept")
    await expect(phone.fault).to_contain_text("No microphone")
    await expect(phone.fault).to_contain_text("Connect a microphone or a headset")
    await expect(phone.status).to_have_text("Incoming call")
    await phone.run("fake.refusal = null")
    await phone.press("Accept")
    await expect(phone.status).to_have_text("Connected")


async def test_a_second_call_that_fails(phone: PhoneStage) -> None:
    """When another call cannot be made, the one that waits for it is in front again, held."""
    await phone.sign_in("{people: [{user_id: 'bob', status: 'online'}]}")
    await phone.dial("1001")
    await phone.run("fake.refusal = refusal('pbx_unreachable')")
    await phone.press("Call bob")
    await expect(phone.fault).to_contain_text("The telephone system is away")
    await expect(phone.call.get_by_role("heading")).to_have_text("1001")
    await expect(phone.status).to_have_text("On hold")
    await phone.press("Hold")
    await expect(phone.status).to_have_text("Connected")


async def test_a_second_call(phone: PhoneStage) -> None:
    """The call in front waits while another one is accepted, and either can be taken up."""
    await phone.sign_in()
    await phone.dial("1001")
    await phone.run("fake.arrive({remoteNumber: '1002'})")
    await expect(phone.page.get_by_text("put on hold when you accept")).to_be_visible()
    await phone.press("Accept")
    others = phone.page.locator("#waiting-calls li")
    await expect(others.locator(".name")).to_have_text("1001")
    await expect(others.locator(".state")).to_have_text("On hold")
    await phone.press("Switch to 1001")
    await expect(phone.call.get_by_role("heading")).to_have_text("1001")
    await expect(phone.status).to_have_text("Connected")
    await expect(others.locator(".name")).to_have_text("1002")
    await phone.press("Hang up")
    await expect(phone.call.get_by_role("heading")).to_have_text("1002")
    await expect(phone.status).to_have_text("On hold")
    await phone.press("Hang up")
    await expect(phone.page.locator("#waiting")).to_be_hidden()


async def test_mute_and_hold(phone: PhoneStage) -> None:
    """Both are switches that say so; on hold what needs the other side cannot be pressed."""
    await phone.sign_in()
    await phone.dial()
    for name in ("Mute", "Hold"):
        await expect(phone.button(name)).to_have_attribute("aria-pressed", "false")
        await phone.press(name)
        await expect(phone.button(name)).to_have_attribute("aria-pressed", "true")
    await expect(phone.page.get_by_text("the other side does not hear you")).to_be_visible()
    await expect(phone.status).to_have_text("On hold")
    await expect(phone.button("Keypad")).to_be_disabled()
    await phone.press("Hold")
    await expect(phone.status).to_have_text("Connected")
    await phone.press("Mute")
    await expect(phone.page.locator("#call-note")).to_be_hidden()


async def test_keys_in_a_call(phone: PhoneStage) -> None:
    """Keys are pressed and typed, one by one, and shown."""
    await phone.sign_in()
    await phone.dial()
    await phone.press("Keypad")
    await phone.call.get_by_role("button", name="1", exact=True).click()
    await phone.page.keyboard.type("2x#")
    await expect(phone.page.locator("#tones-sent")).to_have_text("12#")
    assert (await phone.asked())[1:] == [["dtmf", "1"], ["dtmf", "2"], ["dtmf", "#"]]


async def test_transfer(phone: PhoneStage) -> None:
    """A call is transferred to a number; what is refused is said, and the call goes on."""
    await phone.sign_in()
    await phone.dial()
    await phone.run("fake.refusal = refusal('pbx_refused')")
    await phone.press("Transfer")
    await expect(phone.page.get_by_label("Transfer to")).to_be_focused()
    await phone.page.keyboard.type("10 03")
    await phone.page.keyboard.press("Enter")
    await expect(phone.fault).to_contain_text("The telephone system refused")
    assert (await phone.asked())[-1] == ["transfer", "1003"]
    await expect(phone.status).to_have_text("Connected")


async def test_pictures(phone: PhoneStage) -> None:
    """Each picture of the far end is shown, and one's own, from the camera or the screen."""
    await phone.sign_in()
    await phone.dial()
    stage, own = phone.page.locator("#stage"), phone.page.get_by_label("Your own video")
    await expect(stage).to_be_hidden()
    await phone.run("fake.calls[0].show()")
    await phone.run("fake.calls[0].show()")
    theirs = phone.page.get_by_label("Video of the other side")
    await expect(theirs).to_have_count(2)
    await phone.run("await until(() => document.querySelector('#pictures video').videoWidth)")
    await expect(own).to_be_hidden()
    await phone.press("Video")
    await expect(own).to_have_attribute("data-own", "camera")
    await expect(phone.button("Video")).to_have_attribute("aria-pressed", "true")
    await phone.press("Share screen")
    await expect(own).to_have_attribute("data-own", "screen")
    await expect(phone.button("Video")).to_have_attribute("aria-pressed", "false")
    await phone.press("Share screen")
    await expect(own).to_be_hidden()
    await phone.press("Hang up")
    await expect(theirs).to_have_count(0)


async def test_quality(phone: PhoneStage) -> None:
    """How a call sounds is one word, with the figures beside it."""
    await phone.sign_in()
    await phone.dial()
    await phone.run(f"fake.calls[0].measure({FIGURES})")
    quality = phone.page.locator("#quality")
    await expect(quality).to_have_text(
        "Quality Good score 4.3 · 21 ms there and back · jitter 3 ms · 0.0 % lost · opus"
    )
    await phone.run(f"fake.calls[0].measure({{...{FIGURES}, word: 'poor', lossPercent: 12.4}})")
    await expect(quality).to_contain_text("Poor")
    await expect(quality).to_contain_text("12 % lost")


async def test_an_interrupted_network(phone: PhoneStage) -> None:
    """An interruption is said while it lasts."""
    await phone.sign_in()
    await phone.dial()
    await phone.run("fake.calls[0].emit('reconnecting')")
    await expect(phone.status).to_have_text("Interrupted")
    await phone.run("fake.calls[0].now('connected')")
    await expect(phone.status).to_have_text("Connected")


async def test_how_calls_fail(phone: PhoneStage) -> None:
    """Each reason has words of its own and an advice, and the number stays to be dialled again."""
    await phone.sign_in()
    for reason, words in ENDS.items():
        await phone.dial("1001", "ringing")
        await phone.run(f"fake.calls.pop().finish('{reason}')")
        await expect(phone.page.locator("#fault-title")).to_have_text(f"{words}: 1001")
        await expect(phone.page.locator("#fault-advice")).not_to_be_empty()
        await expect(phone.page.get_by_label("Number or name")).to_have_value("1001")
        await phone.press("Close")
        await expect(phone.fault).to_be_hidden()


async def test_what_cannot_be_called(phone: PhoneStage) -> None:
    """What keeps a call from being made is said with what to do about it."""
    await phone.sign_in()
    await phone.page.get_by_label("Number or name").fill("1001")
    for code, words in FAULTS.items():
        await phone.run(f"fake.refusal = refusal('{code}')")
        await phone.press("Call")
        await expect(phone.fault).to_contain_text(words)
        await expect(phone.status).to_have_text("Ready")


async def test_an_expired_token(phone: PhoneStage) -> None:
    """A token that expires in a call is asked for anew, and the call goes on meanwhile."""
    await phone.sign_in()
    await phone.dial()
    await phone.run("fake.become('unauthorized')")
    await expect(phone.page.get_by_label("Token")).to_be_visible()
    await expect(phone.button("Hang up")).to_be_enabled()
    assert await phone.page.evaluate("sessionStorage.length") == 0
    await phone.give("fresh")
    await expect(phone.page.get_by_label("Token")).to_be_hidden()
    await expect(phone.call.get_by_role("heading")).to_have_text("1001")
    assert [each[0] for each in await phone.asked()] == ["call"]


async def test_a_lost_connection(phone: PhoneStage) -> None:
    """The page says how the service is reached while nothing else is going on."""
    await phone.sign_in()
    reason = phone.page.locator("#status-reason")
    await phone.run("fake.become('polling')")
    await expect(phone.status).to_have_text("Limited")
    await expect(reason).to_have_text("Incoming calls may not be shown")
    await phone.run("fake.away = true; fake.become('polling')")
    await expect(phone.status).to_have_text("No connection")
    await expect(reason).to_have_text("The page tries again by itself")
    await phone.run("fake.away = false; fake.become('connected')")
    await expect(phone.status).to_have_text("Ready")
    await expect(reason).to_be_empty()


async def test_another_user(phone: PhoneStage) -> None:
    """Who signs in as somebody else in place of an expired token does not get his calls."""
    await phone.sign_in(token=token_of("alice"))
    await phone.dial()
    await phone.run("fake.become('unauthorized')")
    await phone.give(token_of("bob"))
    await expect(phone.page.locator("#my-name")).to_have_text("bob")
    await expect(phone.call).to_be_hidden()
    assert [each[0] for each in await phone.asked()] == ["call", "close"]


async def test_names_are_text(phone: PhoneStage) -> None:
    """What callers, users and rooms are called is shown as it is, and never run."""
    person = f"{{user_id: '{EVIL}', status: 'away', status_message: '{EVIL}'}}"
    room = f"{{id: 'r', name: '{EVIL}', number: null, owner_id: '{EVIL}', participants: []"
    member = f"{{user_id: '{EVIL}', number: ''}}"
    prepared = f"{{people: [{person}], known: [{room}, members: [{member}]}}]}}"
    await phone.sign_in(prepared)
    await phone.run(f"fake.arrive({{remoteName: '{EVIL}', remoteNumber: ''}})")
    await expect(phone.page.locator("#incoming-name")).to_have_text(EVIL)
    await phone.press("Accept")
    await expect(phone.page.locator("#call-name")).to_have_text(EVIL)
    await expect(phone.page.locator("#people .name")).to_have_text(EVIL)
    await expect(phone.page.locator("#rooms .name")).to_have_text(EVIL)
    await expect(phone.page.locator("img")).to_have_count(0)
