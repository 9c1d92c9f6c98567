"""A real browser on loopback, which reaches nothing else, and notes what a page complains of.

It is Debian's chromium, driven by Playwright. Every name but this machine's is unknown to it, so
that a page that needs anybody else fails here and not at a customer without the Internet.
"""

import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Route, async_playwright

from lab.errors import InstallError
from lab.root import OS_RELEASE, Say, cache_folder, run_step

PROGRAM = Path("/usr/bin/chromium")

ACTION_MS = 15_000
"""How long a step in a page may take on a busy machine."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the lab is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, "
    + ", ".join(f"EXCLUDE {name.strip('[]')}" for name in _LOOPBACK),
)

_FAKE_MEDIA = (
    "--use-fake-ui-for-media-stream",  # the user says yes
    "--use-fake-device-for-media-stream",  # a camera and a microphone that beeps once a second
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # media on 127.0.0.1
    # Else its address in an offer is a name that only multicast DNS knows.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


@dataclass(frozen=True, slots=True)
class WatchedPage:
    """A page, and all that went wrong on it so far.

    `complaints` are errors of its scripts and on its console, `requests` the addresses it asked
    for, and `outside` those of them that are beyond this machine, which were refused.
    """

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    @property
    def outside(self) -> list[str]:
        """What the page asked others than this machine for."""
        return [address for address in self.requests if not is_loopback(address)]


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser with a profile of its own. Made by `open_browser`."""

    context: BrowserContext

    async def open_page(self) -> WatchedPage:
        """Open an empty page, which is watched from now on."""
        watched = WatchedPage(await self.context.new_page())

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                watched.complaints.append(f"{message.text} ({message.location['url']})")

        watched.page.on("console", note)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        watched.page.on("websocket", lambda socket: watched.requests.append(socket.url))
        return watched


@asynccontextmanager
async def open_browser(
    profile: Path,
    *,
    fake_media: bool = False,
    flags: Sequence[str] = (),
    program: Path = PROGRAM,
) -> AsyncGenerator[Browser]:
    """Run a browser whose profile is in this empty folder, until the context is left.

    `program` is chromium, or what runs it. With `fake_media` pages may use a microphone and a
    camera that are there for tests. Certificates are not checked: the lab's are signed by nobody
    whom a browser knows.
    """
    async with async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            args=[*_FLAGS, *(_FAKE_MEDIA if fake_media else ()), *flags],
            ignore_https_errors=True,
            timeout=ACTION_MS * 2,
            viewport={"width": 1280, "height": 900},
        )
        try:
            context.set_default_timeout(ACTION_MS)
            await context.route(lambda address: not is_loopback(address), _refuse)
            yield Browser(context)
        finally:
            await context.close()


def is_loopback(address: str) -> bool:
    """Whether a URL leads to nobody but this machine, or is no address at all (`data:`)."""
    parsed = urlsplit(address)
    return not parsed.netloc or parsed.hostname in {name.strip("[]") for name in _LOOPBACK}


def why_not() -> str | None:
    """Return in words why no browser can run here, or None when one can."""
    return None if PROGRAM.exists() else "there is no chromium on this machine: run make lab"


def install(say: Say = print) -> None:
    """Install Debian's chromium unless it is there (a minute and 400 MB).

    Raises InstallError on a machine that cannot have it, CommandError when a step fails.
    """
    if not PROGRAM.exists():
        is_debian = OS_RELEASE.exists() and "ID=debian" in OS_RELEASE.read_text().splitlines()
        if os.geteuid() != 0 or not is_debian or shutil.which("apt-get") is None:
            raise InstallError("chromium is installed as root and on Debian only")
        log = cache_folder() / "install-chromium.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        say("installing chromium (60 s)")
        run_step(["apt-get", "update"], log)
        run_step(["apt-get", "install", "-y", "--no-install-recommends", PROGRAM.name], log)
    say(f"chromium is installed in {PROGRAM}")


async def _refuse(route: Route) -> None:
    await route.abort("addressunreachable")
