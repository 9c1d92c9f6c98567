"""A link to a fake Asterisk, and an owner that notes what it hears."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from fastagi_server.ami.events import Event
from fastagi_server.ami.link import AmiLink
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami.fake import SECRET, USERNAME

WAIT_SECONDS = 10.0


@dataclass
class Owner:
    """Notes what a link says, and lets a test wait for it."""

    told: list[str] = field(default_factory=list[str])
    events: list[Event] = field(default_factory=list[Event])
    runs: list[AsteriskRun] = field(default_factory=list[AsteriskRun])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_event(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)
        self._tell(type(event).__name__)

    async def on_connected(self, run: AsteriskRun) -> None:
        """Take the news of a connection."""
        self.runs.append(run)
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
async def linked(
    port: int,
    owner: Owner,
    *,
    host: str = "127.0.0.1",
    username: str = USERNAME,
    secret: str = SECRET,
    measures: Measures | None = None,
    ping_seconds: float = 5.0,
    action_seconds: float = 5.0,
    boot_seconds: float = 5.0,
    pause_seconds: float = 0.0,
) -> AsyncGenerator[AmiLink]:
    """A link that runs for the time of the block; its pauses have no length, or the given one."""
    link = AmiLink(
        host=host,
        port=port,
        username=username,
        secret=secret,
        on_event=owner.on_event,
        on_connected=owner.on_connected,
        on_lost=owner.on_lost,
        measures=measures or Measures(),
        ping_seconds=ping_seconds,
        action_seconds=action_seconds,
        boot_seconds=boot_seconds,
        uniform=lambda _low, _high: pause_seconds,
    )
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def up(link: AmiLink, owner: Owner) -> None:
    """Wait until the link is up."""
    await owner.until(lambda: link.state == "up")
