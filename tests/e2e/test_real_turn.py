"""Credentials of the API at a real coturn, between networks where only the relay leads across."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.identities.identity import Scope
from fastagi_server.signaling.ice import IceBook
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from lab import browser, programs, turn
from lab.errors import CommandError
from lab.turn import FAR, NEAR_GATE, PORT, URL, Namespace, Relay
from tests.integration.api_clients import client_of

pytestmark = pytest.mark.timeout(180)

SECRET = "lab-secret"
ECHO_PORT = 3480
PAGE_SECONDS = 90.0
"""How long two browsers may take on a busy machine."""

PREPARE = """async () => {
  window.microphone = await navigator.mediaDevices.getUserMedia({audio: true});
  window.until = async (find) => {
    for (;;) {
      const found = await find();
      if (found) return found;
      await new Promise((go) => setTimeout(go, 50));
    }
  };
}"""

OFFER = """async (iceServers) => {
  const connection = window.connection = new RTCPeerConnection({iceServers});
  window.refusals = [];
  connection.onicecandidateerror = (event) => window.refusals.push(event.errorCode);
  connection.addTrack(window.microphone.getTracks()[0], window.microphone);
  await connection.setLocalDescription();
}"""

OFFERED = """() => window.until(() => {
  const {sdp} = window.connection.localDescription;
  return sdp.includes("typ relay") && sdp;
})"""

REFUSED = """() => window.until(
  () => window.refusals.includes(401) && window.connection.localDescription.sdp)"""

ANSWER = """async (sdp) => {
  const connection = window.connection = new RTCPeerConnection();
  connection.ontrack = (event) => {
    const sound = new Audio();
    sound.srcObject = event.streams[0];
    sound.play();
  };
  await connection.setRemoteDescription({type: "offer", sdp});
  await connection.setLocalDescription();
  return await window.until(() => {
    const {sdp} = connection.localDescription;
    return sdp.includes("typ host") && sdp;
  });
}"""

FINISH = """(sdp) => window.connection.setRemoteDescription({type: "answer", sdp})"""

HEARD = """() => window.until(async () => {
  for (const stat of (await window.connection.getStats()).values()) {
    if (stat.type === "inbound-rtp" && stat.totalAudioEnergy > 0) return true;
  }
})"""

WAY = """() => window.until(async () => {
  const stats = await window.connection.getStats();
  for (const stat of stats.values()) {
    if (stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded") {
      return [stats.get(stat.localCandidateId), stats.get(stat.remoteCandidateId)].map(
        (each) => [each.candidateType, each.address]);
    }
  }
})"""


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A coturn that shares our secret."""
    reason = programs.why_not(*turn.PROGRAMS)
    if reason is None and os.geteuid() != 0:
        reason = "only root makes network namespaces"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with Relay.start(SECRET) as relay:
        yield relay


async def ice_servers(tmp_path: Path, *, secret: str = SECRET, seconds: int = 60) -> list[Any]:
    """What the API tells alice of its TURN server."""
    book = IceBook(turn_urls=[URL], secret=secret, seconds=seconds)
    async with open_store(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        app = create_app(
            store=store,
            measures=Measures(),
            bootstrap_key=None,
            version="1.2.3",
            browsers=BrowserParts(ice=book),
        )
        key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
        async with client_of(app, {"X-API-Key": key}) as client:
            servers: list[Any] = (await client.get("/ice-servers")).json()["ice_servers"]
    return servers


async def relayed(relay: Relay, server: dict[str, Any]) -> str:
    """What coturn's own client says of three messages over the relay, to an echo and back."""
    who = ("-u", server["username"], "-w", server["credential"])
    whither = ("-e", FAR, "-r", str(ECHO_PORT), "-n", "3", "-m", "1", "-c")
    command = ("turnutils_uclient", *who, *whither, "-p", str(PORT), NEAR_GATE)
    return await asyncio.to_thread(relay.near.run, *command)


async def test_relayed(relay: Relay, tmp_path: Path) -> None:
    """With credentials of the API a relay is allocated, and what is sent over it comes back."""
    relay.serve_echo(ECHO_PORT)
    (server,) = await ice_servers(tmp_path)
    assert "tot_send_msgs=3, tot_recv_msgs=3" in await relayed(relay, server)


@pytest.mark.parametrize("fault", [{"seconds": -1}, {"secret": "another"}])
async def test_refused(relay: Relay, tmp_path: Path, fault: dict[str, Any]) -> None:
    """Credentials that have expired, or are of another secret, get no relay."""
    (server,) = await ice_servers(tmp_path, **fault)
    with pytest.raises(CommandError, match="Cannot complete Allocation"):
        await relayed(relay, server)
    assert f"Cannot find credentials of user <{server['username']}>" in relay.log()


async def test_nothing_else_leads_across(relay: Relay) -> None:
    """Without the relay the near side reaches nothing of the far one."""
    with pytest.raises(CommandError, match="Network is unreachable"):
        relay.near.run("ip", "route", "get", FAR)


async def test_browsers(relay: Relay, tmp_path: Path) -> None:
    """A browser is heard by one in the other network, over the relay that the API told it of."""
    servers = await ice_servers(tmp_path)
    async with (
        browser_in(relay.near, tmp_path / "near") as near,
        browser_in(relay.far, tmp_path / "far") as far,
        asyncio.timeout(PAGE_SECONDS),
    ):
        caller, callee = await page_with_microphone(near), await page_with_microphone(far)
        await caller.evaluate(OFFER, servers)
        answer = await callee.evaluate(ANSWER, await caller.evaluate(OFFERED))
        await caller.evaluate(FINISH, answer)
        assert await callee.evaluate(HEARD)
        assert await caller.evaluate(WAY) == [["relay", "10.77.1.1"], ["host", "10.77.1.2"]]


async def test_browser_with_expired_credentials(relay: Relay, tmp_path: Path) -> None:
    """A browser that comes too late has no relay, and its page is told why."""
    servers = await ice_servers(tmp_path, seconds=-1)
    async with (
        browser_in(relay.near, tmp_path / "near") as near,
        asyncio.timeout(PAGE_SECONDS),
    ):
        page = await page_with_microphone(near)
        await page.evaluate(OFFER, servers)
        offer: str = await page.evaluate(REFUSED)
        assert "typ host" in offer
        assert "typ relay" not in offer


def browser_in(network: Namespace, folder: Path) -> Any:
    """A browser in this network; without one skip, saying why, and on CI fail."""
    reason = browser.why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    folder.mkdir()
    program = network.wrap(browser.PROGRAM, folder / "chromium")
    return browser.open_browser(folder / "profile", fake_media=True, program=program)


async def page_with_microphone(browser: browser.Browser) -> Page:
    """A page that may use a microphone, without which it would be told no address of its own."""
    page = (await browser.open_page()).page
    await page.route("http://127.0.0.1/", lambda route: route.fulfill(body=""))
    await page.goto("http://127.0.0.1/")
    await page.evaluate(PREPARE)
    return page
