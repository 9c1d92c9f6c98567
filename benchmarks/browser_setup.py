"""How long a call from a page takes to connect: through the gateway, and by JsSIP past it."""

import asyncio
import secrets
import shutil
import statistics
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
from playwright.async_api import Page, Route

from benchmarks.isolation import ROOT
from benchmarks.page_modules import page_script
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.asterisk import Asterisk
from lab.browser import Browser, open_browser, why_not
from lab.errors import LabError
from lab.media import own_media_address
from lab.root import cache_folder, run_step
from lab.service import Service, ari_settings, gateway_settings

TURNS = 40
WARM_UP_TURNS = 3
LIMIT_MS = 65.0

PEER = ROOT / "benchmarks" / "peers" / "jssip"

# JsSIP's own user calls from another context than browsers behind the gateway.
CONTEXTS = """
[sky-genesis-voip]
exten => 600,1,Answer()
 same => n,Echo()
 same => n,Hangup()
"""

_PAGE = "<!doctype html><title>Set-up</title><body></body>"

_WATCH = """
window.setups = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...details) {
    super(...details);
    this.addEventListener("connectionstatechange", () => {
      if (this.connectionState === "connected") setups.push(performance.now() - this.begun);
    });
  }
  createOffer(...details) {
    this.begun ??= performance.now();
    return super.createOffer(...details);
  }
  setLocalDescription(...details) {
    this.begun ??= performance.now();
    return super.setLocalDescription(...details);
  }
};
window.connected = async (number) => {
  for (const end = performance.now() + 20000; setups.length < number; ) {
    if (performance.now() > end) throw new Error("not connected in 20 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return setups[number - 1];
};
"""

_SIGN_IN = """async ([token]) => {
  const { AsteriskVoIPClient } = await import("/client/sge-voip.js");
  window.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  window.client = new AsteriskVoIPClient({ token });
  await client.connect();
}"""

_CALL = """async () => {
  const number = setups.length + 1;
  const call = await client.call("600", { stream });
  const milliseconds = await connected(number);
  await call.hangup();
  return milliseconds;
}"""

_REGISTER = """async ([port, password]) => {
  window.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const sockets = [new JsSIP.WebSocketInterface(`ws://127.0.0.1:${port}/ws`)];
  window.phone = new JsSIP.UA({ sockets, uri: "sip:1003@127.0.0.1", password });
  await new Promise((resolve, reject) => {
    phone.on("registered", resolve);
    phone.on("registrationFailed", (event) => reject(new Error(event.cause)));
    phone.start();
  });
}"""

_CALL_BY_SIP = """async () => {
  const number = setups.length + 1;
  const session = phone.call("sip:600@127.0.0.1", { mediaStream: stream });
  const ended = new Promise((resolve) => session.on("ended", resolve));
  const milliseconds = await connected(number);
  session.terminate();
  await ended;
  return milliseconds;
}"""

_NOTE = (
    "A page in Chromium with the fake microphone calls Echo() on loopback, from createOffer to the "
    "state `connected`; token, microphone, socket and registration were there before. JsSIP talks "
    "to Asterisk's own WebSocket and gathers all candidates first, as it does by default. The two "
    f"take turns; the first {WARM_UP_TURNS} calls of each do not count."
)


def browser_setup(rig: Rig) -> Section:
    """Set-up times of calls to Echo()."""
    reason = why_not()
    if reason:
        raise BenchmarkError(reason)
    try:
        script = page_script(_install_peer(), "jssip", "JsSIP")
        own_media_address()
        secret = secrets.token_hex(32)
        token = jwt.encode({"sub": "alice", "exp": 4_102_444_800}, secret, algorithm="HS256")
        with (
            Asterisk.start(extensions=CONTEXTS) as asterisk,
            Service.start(_settings(asterisk, secret)) as service,
        ):
            service.wait_for_log("link_state", link="ari", state="up")
            stage = _Stage(service, asterisk, token, script)
            ours, theirs = asyncio.run(_measure(stage, rig.scaled(TURNS)))
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    median = statistics.median(ours)
    return Section(
        "Call set-up from a page",
        ("by", "median ms", "p90 ms", "max ms", "calls"),
        (_row("sge-voip.js, gateway", ours), _row("JsSIP, Asterisk's WebSocket", theirs)),
        _NOTE,
        (
            Bar(
                "createOffer to connected, median",
                f"at most {LIMIT_MS:.0f} ms",
                f"{median:.0f} ms",
                median <= LIMIT_MS,
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    service: Service
    asterisk: Asterisk
    token: str
    script: str


def _settings(asterisk: Asterisk, secret: str) -> dict[str, str]:
    return {
        **ari_settings(asterisk),
        **gateway_settings(asterisk),
        "PYTHONPATH": str(ROOT),
        "SGE_JWT_SECRET": secret,
        "SGE_RATE_LIMIT_PER_MINUTE": "0",
    }


def _install_peer() -> Path:
    """Install JsSIP as pinned and return the folder of modules that it is in."""
    folder = cache_folder() / "jssip"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PEER / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    run_step(command, folder.with_suffix(".log"))
    return folder / "node_modules"


async def _measure(stage: _Stage, turns: int) -> tuple[list[float], list[float]]:
    asterisk = stage.asterisk
    ours, theirs = list[float](), list[float]()
    async with _pages(stage.service) as (page, other):
        await page.evaluate(_SIGN_IN, [stage.token])
        await other.add_script_tag(content=stage.script)
        await other.evaluate(_REGISTER, [asterisk.ports.http, asterisk.passwords["1003"]])
        for turn in range(WARM_UP_TURNS + turns):
            progress(f"browser set-up: turn {turn}")
            for one, code, times in ((page, _CALL, ours), (other, _CALL_BY_SIP, theirs)):
                times.append(await one.evaluate(code))
                if not await asyncio.to_thread(asterisk.wait_idle):
                    raise BenchmarkError("a call did not end")
    return ours[WARM_UP_TURNS:], theirs[WARM_UP_TURNS:]


@asynccontextmanager
async def _pages(service: Service) -> AsyncGenerator[tuple[Page, Page]]:
    with tempfile.TemporaryDirectory(prefix="setup-") as folder:
        async with open_browser(Path(folder), fake_media=True) as browser:
            # Asterisk's WebSocket is of another origin than the page.
            await browser.context.grant_permissions(["local-network-access"])
            yield await _page(browser, service), await _page(browser, service)


async def _page(browser: Browser, service: Service) -> Page:
    async def show(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=_PAGE)

    page = (await browser.open_page()).page
    await page.add_init_script(_WATCH)
    await page.route("**/set-up", show)
    await page.goto(service.api.removesuffix("/api/v1/voip") + "/set-up")
    return page


def _row(name: str, times: Sequence[float]) -> tuple[str, ...]:
    tenth = statistics.quantiles(times, n=10, method="inclusive")[-1]
    figures = (statistics.median(times), tenth, max(times))
    return name, *(f"{each:.0f}" for each in figures), str(len(times))
