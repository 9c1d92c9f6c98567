"""Users with browsers on a real Asterisk: each has a page, a tone of his own, and ears for others'.

A tone is heard or not by a spectrum of what is played, so that it is known who is heard, and
packets are counted by getStats: that a connection says `connected` proves neither.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from playwright.async_api import Route

from lab.asterisk import Asterisk
from lab.browser import Browser, WatchedPage
from lab.processes import wait_until
from lab.service import Service, ami_settings, ari_settings, gateway_settings

SECRET = "the lab's secret that tokens are signed with"
FOR_EVER = 4_102_444_800
"""The year 2100."""

TONES = {"alice": 440, "bob": 700, "carol": 1_000}
"""In hertz. A phone of lab.voice speaks at 500."""
PHONE_TONE = 500

HEARD_DECIBELS = -50
"""A tone of a page comes over at -30 and more, what is not there at -90 and less."""

AUDIBLE_PACKETS = 100
"""Two seconds of audio."""
HEARD_PACKETS = 25

WAIT_SECONDS = 20
LINK_SECONDS = 30
"""An Asterisk that boots is asked again after ten seconds."""
WAIT_MS = WAIT_SECONDS * 1000

# Whom the extensions ring: browsers, or a number that no phone is at.
DIAL_STRINGS = '{"2001": ["PJSIP/alice@sge-gateway"], "2002": ["PJSIP/bob@sge-gateway"]}'

# What the administrator keeps in his dialplan beside the shipped Echo() at 600.
CONTEXTS = """
[sky-genesis-browser]
exten => 601,1,Answer()
 same => n,Read(KEYS,,4,,1,15)
 same => n,Verbose(0,KEYS ${KEYS})
 same => n,Hangup()
"""

_PAGE = "<!doctype html><title>A call</title><body></body>"
_SCRIPT = Path(__file__).with_name("call_page.js")


def token(user: str, expires: float = FOR_EVER) -> str:
    """A token of a user that is good until then, in seconds since 1970."""
    return jwt.encode({"sub": user, "exp": int(expires)}, SECRET, algorithm="HS256")


def settings(asterisk: Asterisk) -> dict[str, str]:
    """What a service is told that leads the calls of browsers in this Asterisk."""
    return {
        **ari_settings(asterisk),
        **ami_settings(asterisk),
        **gateway_settings(asterisk),
        "SGE_JWT_SECRET": SECRET,
        "SGE_DIAL_STRINGS": DIAL_STRINGS,
        "SGE_EXTENSIONS": '{"2001": "alice", "2002": "bob"}',
        "SGE_RING_SECONDS": "10",
        "SGE_RATE_LIMIT_PER_MINUTE": "0",
    }


def wait_for_links(service: Service, number: int = 1) -> None:
    """Wait until a service leads calls and takes those of browsers, for the `number`-th time."""
    for link in ("ari", "sip"):
        service.wait_for_log("link_state", number, seconds=LINK_SECONDS, link=link, state="up")


@dataclass(frozen=True)
class User:
    """A user's page. Every wait ends after 20 s, with what happened on the page so far."""

    name: str
    watched: WatchedPage
    service: Service

    async def open(self) -> None:
        """Open the page, without a client yet."""
        page = self.watched.page
        await page.route("**/call-stage", _show_page)
        await page.goto(self.service.api.removesuffix("/api/v1/voip") + "/call-stage")

    async def sign_in(self, first: str | None = None, spare: str | None = None) -> None:
        """Open the page and connect, with a token that never expires unless one is given."""
        await self.open()
        await self.run("stage.signIn(...given)", first or token(self.name), spare)

    async def dial(
        self, target: str, *, video: bool = False, tone: bool = True, **options: Any
    ) -> str:
        """Call somebody and return the call's id; without a `tone` by the fake microphone."""
        own = f"stage.speak({TONES[self.name]}, {str(video).lower()})" if tone else "undefined"
        code = f"stage.dial(given[0], {{stream: {own}, video: {str(video).lower()}, ...given[1]}})"
        return str(await self.run(code, target, options))

    async def accept(self, *, video: bool = False) -> None:
        """Answer what rings."""
        await self.wait("incoming")
        flag = str(video).lower()
        await self.run(f"stage.call.accept({{stream: stage.speak({TONES[self.name]}, {flag})}})")

    async def join(self, room_id: str) -> None:
        """Come into a room, and wait until there."""
        own = f"stage.speak({TONES[self.name]})"
        await self.run(
            f"stage.follow(await stage.client.rooms.join(given[0], {{stream: {own}}}))", room_id
        )
        await self.wait("connected")

    async def do(self, method: str, *details: Any) -> None:
        """Have a method of the page's call done."""
        await self.run(f"stage.call.{method}(...given)", *details)

    async def run(self, code: str, *given: Any) -> Any:
        """Run code on the page that finds what it needs in `given`."""
        return await self.watched.page.evaluate(f"async (given) => await ({code})", list(given))

    async def wait(self, event: str, number: int = 1) -> list[Any]:
        """Return the details of the `number`-th event of this name, waiting for it."""
        found = f"stage.happened.filter((each) => each[0] === '{event}')"
        await self.until(f"{found}.length >= {number}")
        details: list[Any] = await self.run(f"{found}[{number - 1}].slice(1)")
        return details

    async def hears(self, hertz: int) -> None:
        """Wait until a tone is heard."""
        await self.until(f"stage.loudness({hertz}) > {HEARD_DECIBELS}")

    async def hears_no(self, hertz: int) -> None:
        """Wait until a tone has not been heard for a second."""
        await self.until(f"stage.isQuiet({hertz}, {HEARD_DECIBELS}, 1000)")

    async def media(self) -> dict[str, float]:
        """Return what the page's connections have sent and received so far."""
        counts: dict[str, float] = await self.run("stage.media()")
        return counts

    async def talks(self) -> None:
        """Wait until two more seconds of audio went out and came in, which was not silence."""
        before = await self.media()
        await self.run("Object.assign(window, {before: given[0]})", before)
        await self.until(
            "{ const now = await stage.media();"
            f" return now.received >= before.received + {AUDIBLE_PACKETS}"
            f" && now.sent >= before.sent + {AUDIBLE_PACKETS}"
            " && now.energy > before.energy + 0.001; }"
        )

    async def is_heard(self) -> None:
        """Wait until sound has gone out for half a second, which is when Asterisk takes keys."""
        await self.until(f"(await stage.media()).sent >= {HEARD_PACKETS}")

    async def sees(self, width: int = 320) -> None:
        """Wait until pictures of this width came in and some went out."""
        await self.until(
            "(async () => { const now = await stage.media();"
            f" return now.framesIn >= 20 && now.framesOut >= 20 && now.width === {width}; }})()"
        )

    async def until(self, condition: str) -> None:
        """Wait until a condition holds on the page."""
        code = f"async () => {condition}"
        if not await self.run(f"stage.until({code}, {WAIT_MS})"):
            happened, media = await self.run("stage.happened"), await self.media()
            raise AssertionError(
                f"{self.name}: not {condition}\n{happened}\n{media}\n{self.watched.complaints}"
            )


async def _show_page(route: Route) -> None:
    await route.fulfill(content_type="text/html", body=_PAGE)


@dataclass(frozen=True)
class CallStage:
    """The pages of one test, and what they call with."""

    browser: Browser
    asterisk: Asterisk
    service: Service
    users: list[User] = field(default_factory=list["User"])

    async def enter(self, name: str) -> User:
        """Open the page of a user, who is not signed in yet."""
        watched = await self.browser.open_page()
        await watched.page.add_init_script(path=_SCRIPT)
        self.users.append(User(name, watched, self.service))
        return self.users[-1]

    async def sign_in(self, name: str) -> User:
        """Open the page of a user and sign him in."""
        user = await self.enter(name)
        await user.sign_in()
        return user

    async def ended(self, call_id: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Wait until a call has ended in the records and in Asterisk, and return its record."""
        assert await asyncio.to_thread(self.asterisk.wait_idle, seconds)
        await asyncio.to_thread(wait_until, lambda: self._status(call_id) == "ended", WAIT_SECONDS)
        record = await asyncio.to_thread(self.service.call, call_id)
        assert record["status"] == "ended"
        return record

    async def clear(self) -> None:
        """Close all pages and end what is left of their calls."""
        for user in self.users:
            await user.watched.page.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """End all calls in Asterisk."""
        for channel in self.asterisk.control.channels():
            self.asterisk.control.hang_up(channel["id"])
        assert await asyncio.to_thread(self.asterisk.wait_idle)

    def _status(self, call_id: str) -> str:
        return str(self.service.call(call_id)["status"])
