"""A fake Asterisk, a client and a link to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.events import Event
from fastagi_server.ari.link import AriLink
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri

APP = "sky-genesis-voip"
WAIT_SECONDS = 10.0


@dataclass
class Owner:
    """Notes what a link says, and lets a test wait for it."""

    told: list[str] = field(default_factory=list[str])
    events: list[Event] = field(default_factory=list[Event])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_event(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)
        self._tell(type(event).__name__)

    async def on_connected(self) -> None:
        """Take the news of a socket."""
        self._tell("connected")

    def on_lost(self, reason: str) -> None:
        """Take the news of a loss."""
        self._tell(f"lost: {reason}")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, looking at each piece of news."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.02)
                self.news.clear()

    async def heard(self, what: str, times: int = 1) -> None:
        """Wait until this was told so many times."""
        await self.until(lambda: self.told.count(what) >= times)


@asynccontextmanager
async def client_of(
    fake: FakeAri, *, password: str = "", timeout_seconds: float = 5.0
) -> AsyncGenerator[AriClient]:
    """A client of the fake."""
    async with open_ari(
        fake.url,
        username=fake.username,
        password=password or fake.password,
        measures=Measures(),
        timeout_seconds=timeout_seconds,
    ) as client:
        yield client


@asynccontextmanager
async def linked(
    client: AriClient,
    owner: Owner,
    *,
    applications: tuple[str, ...] = (APP,),
    subscriptions: tuple[str, ...] = (),
    subscribe_all: bool = False,
    measures: Measures | None = None,
    ping_seconds: float = 5.0,
) -> AsyncGenerator[AriLink]:
    """A link that runs for the time of the block; its pauses have no length."""
    link = AriLink(
        client,
        applications=applications,
        on_event=owner.on_event,
        on_connected=owner.on_connected,
        on_lost=owner.on_lost,
        measures=measures or Measures(),
        subscriptions=subscriptions,
        subscribe_all=subscribe_all,
        ping_seconds=ping_seconds,
        uniform=lambda low, _high: low,
    )
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
