"""Pages that telephone with the client library over the real API, and an Asterisk of the test.

What stands for Asterisk is a gateway that does what a test tells it, with another page as the far
end of the media.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, Route

from fastagi_server.calls.models import Call
from fastagi_server.identities.identity import Scope
from fastagi_server.presence.desk import PresenceDesk
from fastagi_server.signaling.errors import SignalingError
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.models import ASTERISK, SignalKind, SignalMessage
from fastagi_server.store.opening import Store
from lab.browser import Browser, WatchedPage

FAR_END = Path(__file__).with_name("far_end.js").read_text(encoding="utf-8")
NEAR_END = Path(__file__).with_name("near_end.js").read_text(encoding="utf-8")

Behaviour = Callable[["FakeGateway", str, SignalMessage], Coroutine[Any, Any, None]]


@dataclass
class FakeGateway:
    """A gateway that keeps what it gets, and does with each message what `behaviour` says."""

    exchange: Exchange
    far: Page
    behaviour: Behaviour
    received: list[SignalMessage] = field(default_factory=list[SignalMessage])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    fault: SignalingError | None = None
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Gateway."""
        del user
        if self.fault is not None:
            raise self.fault
        async with self.arrived:
            self.received.append(message)
            self.arrived.notify_all()
        task = asyncio.create_task(self.behaviour(self, call.id, message))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @property
    def kinds(self) -> list[str]:
        """Kinds of what came, without candidates."""
        kinds = [message.kind.value for message in self.received]
        return [kind for kind in kinds if kind != "ice_candidate"]

    async def until(self, *kinds: str) -> None:
        """Wait until just these have come."""
        async with asyncio.timeout(15), self.arrived:
            await self.arrived.wait_for(lambda: self.kinds == list(kinds))

    async def until_last(self, kind: str) -> None:
        """Wait until one of this kind has come last."""
        async with asyncio.timeout(15), self.arrived:
            await self.arrived.wait_for(lambda: self.kinds[-1:] == [kind])

    def tell(
        self,
        call_id: str,
        kind: SignalKind,
        payload: Any = None,
        user: str = "alice",
        *,
        sender: str = ASTERISK,
    ) -> None:
        """Mail something to a user."""
        self.exchange.deliver(
            call_id, from_user=sender, to_user=user, kind=kind, payload=payload or {}
        )

    def hang_up(self, call_id: str, reason: str, user: str = "alice") -> None:
        """End a user's leg for this reason."""
        payload = {"reason": reason, "status": None, "cause": 16}
        self.tell(call_id, SignalKind.HANGUP, payload, user)

    async def answer(self, call_id: str, message: SignalMessage) -> None:
        """Answer an offer."""
        answer = await self.far.evaluate("offer => far.answer(offer)", message.payload)
        self.tell(call_id, SignalKind.ANSWER, answer)

    async def close(self) -> None:
        """Let nothing of this test reach the next one."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.far.evaluate("() => far.reset()")


async def answering(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
    """Ring, then answer; answer each later offer too, and say goodbye to a goodbye."""
    if message.kind is SignalKind.OFFER:
        if gateway.kinds.count("offer") == 1:
            gateway.tell(call_id, SignalKind.RINGING)
        await gateway.answer(call_id, message)
    elif message.kind is SignalKind.HANGUP:
        gateway.hang_up(call_id, "ended")


async def ringing(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
    """Ring for ever."""
    if message.kind is SignalKind.OFFER:
        gateway.tell(call_id, SignalKind.RINGING)


async def silent(gateway: FakeGateway, call_id: str, message: SignalMessage) -> None:
    """Say nothing to anything."""
    del gateway, call_id, message


@dataclass
class User:
    """A page with a client of a user; `run` evaluates in it, `until` waits for what it notes."""

    watched: WatchedPage
    key: str

    @property
    def page(self) -> Page:
        """The page itself."""
        return self.watched.page

    async def run(self, script: str, argument: Any = None) -> Any:
        """Evaluate a function in the page."""
        return await self.page.evaluate(script, argument)

    async def call(self, target: str = "1001", options: str = "{}") -> str:
        """Call somebody; returns the call's id."""
        script = f"async target => near.watch(await client.call(target, {options}))"
        return str(await self.run(script, target))

    async def until(self, *event: Any) -> None:
        """Wait until the call has told this."""
        await self.page.wait_for_function("event => near.has(event)", arg=list(event))

    async def until_true(self, condition: str) -> None:
        """Wait for a condition of the page."""
        await self.page.wait_for_function(f"() => {condition}")

    async def told(self) -> list[list[Any]]:
        """What the call has told so far."""
        return list(await self.run("() => near.told"))

    async def refusal(self, script: str) -> str:
        """The code of the VoipError that an expression rejects with, or `none`."""
        return str(await self.run(f"() => near.refusal(async () => {script})"))

    async def answer_with(self, path: str, body: Any) -> list[Any]:
        """Let requests to a path of the API be answered with this; returns the bodies to come."""
        bodies: list[Any] = []

        async def answer(route: Route) -> None:
            bodies.append(route.request.post_data_json)
            await route.fulfill(json=body)

        await self.page.route(re.compile(rf"/api/v1/voip/{path}"), answer)
        return bodies


@dataclass
class Stage:
    """A browser, the API at `address`, and the gateway of the test."""

    browser: Browser
    address: str
    store: Store
    desk: PresenceDesk
    pages: list[Page] = field(default_factory=list[Page])
    gateway: FakeGateway = field(init=False)

    async def key(self, user: str) -> str:
        """A new key of a user."""
        return await self.store.api_keys.add(user, frozenset({Scope.CALLS}))

    async def page_of(self, user: str) -> User:
        """A page of a user that has the library and no client yet."""
        return User(await self.open(), await self.key(user))

    async def sign_in(self, user: str = "alice", options: str = "{}") -> User:
        """Open a page with a client of this user that is connected."""
        found = await self.page_of(user)
        await found.run(f"token => near.start({{ token, ...{options} }})", found.key)
        return found

    async def open(self) -> WatchedPage:
        """Open a page of the service's own origin that has what `near_end.js` has."""
        watched = await self.browser.open_page()
        self.pages.append(watched.page)
        await watched.page.goto(f"{self.address}/client/sge-voip.d.ts")
        await watched.page.evaluate(NEAR_END)
        return watched

    async def record(self, call_id: str) -> dict[str, Any]:
        """A call as the API shows it."""
        async with self.service() as client:
            return dict((await client.get(f"/calls/{call_id}")).json())

    async def ring(
        self, user: str = "alice", *, video: bool = False, sender: str = ASTERISK, **payload: Any
    ) -> str:
        """Have Asterisk, or somebody else, call a user; returns the call's id."""
        async with self.service() as client:
            kind = "video" if video else "audio"
            answer = await client.post("/calls", json={"participants": [user], "call_type": kind})
        call_id = str(answer.json()["id"])
        offer = await self.gateway.far.evaluate("video => far.offer(video)", video)
        self.gateway.tell(call_id, SignalKind.OFFER, {**offer, **payload}, user, sender=sender)
        return call_id

    def service(self) -> httpx.AsyncClient:
        """A client with all rights."""
        return httpx.AsyncClient(
            base_url=f"{self.address}/api/v1/voip", headers={"X-API-Key": "bootstrap"}
        )

    async def close(self) -> None:
        """Close the pages and let go of the gateway."""
        for page in self.pages:
            await page.close()
        await self.gateway.close()
