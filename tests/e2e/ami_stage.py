"""Play one scene of calls on the real Asterisk and on the fake one, as AMI tells of it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastagi_server.ami.events import (
    BridgeEnter,
    BridgeLeave,
    Channel,
    ChannelEvent,
    DialEnd,
    Event,
    Hangup,
)
from fastagi_server.ami.link import AmiLink
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami.exchange import Exchange
from lab.asterisk import Asterisk
from lab.phones import Phone

WAIT_SECONDS = 15.0
USER = "sky-genesis"


@dataclass
class Watcher:
    """Notes what a link says, and lets a test wait for it."""

    events: list[Event] = field(default_factory=list[Event])
    runs: list[AsteriskRun] = field(default_factory=list[AsteriskRun])
    losses: list[str] = field(default_factory=list[str])

    async def on_connected(self, run: AsteriskRun) -> None:
        """Take the news of a connection."""
        self.runs.append(run)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():  # noqa: ASYNC110 - conditions are of many kinds
                await asyncio.sleep(0.02)

    def ended(self) -> list[Hangup]:
        """The hang-ups."""
        return [event for event in self.events if isinstance(event, Hangup)]

    def story(self, device: str) -> list[str]:
        """What was told of the channel of a phone, in order."""
        return [told for event in self.events if (told := _told(event, device))]

    def dialling(self) -> list[str]:
        """How phones were called."""
        return [
            f"{_device(event.caller)} -> {_device(event.destination)} {event.dial_status}"
            for event in self.events
            if isinstance(event, DialEnd)
        ]


@asynccontextmanager
async def linked(
    port: int,
    secret: str,
    *,
    username: str = USER,
    measures: Measures | None = None,
    boot_seconds: float = 10.0,
    ping_seconds: float = 5.0,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncGenerator[tuple[AmiLink, Watcher]]:
    """A link for the time of the block, and who listens to it."""
    watcher = Watcher()
    link = AmiLink(
        host="127.0.0.1",
        port=port,
        username=username,
        secret=secret,
        on_event=watcher.events.append,
        on_connected=watcher.on_connected,
        on_lost=watcher.losses.append,
        measures=measures or Measures(),
        boot_seconds=boot_seconds,
        ping_seconds=ping_seconds,
        ssl_context=ssl_context,
    )
    task = asyncio.create_task(link.run())
    try:
        yield link, watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _device(channel: Channel | None) -> str:
    return channel.name.partition("-")[0] if channel else "nobody"


def _told(event: Event, device: str) -> str:
    """One event in a line, empty for what is of another phone."""
    if not isinstance(event, ChannelEvent | BridgeEnter | BridgeLeave):
        return ""
    if _device(event.channel) != device:
        return ""
    told = f"{type(event).__name__} {event.channel.state}"
    if isinstance(event, Hangup):
        return f"{told} {event.cause} {event.cause_text}"
    return told


Real = Callable[[Asterisk], None]
Fake = Callable[[Exchange], None]


def real_answered(asterisk: Asterisk) -> None:
    """1002 calls 1001, who answers; 1002 hangs up."""
    with ExitStack() as phones:
        called = phones.enter_context(Phone.answering(asterisk, "1001"))
        caller = phones.enter_context(Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=300))
        assert caller.wait(), caller.explain()
        assert called.wait(), called.explain()


def fake_answered(exchange: Exchange) -> None:
    """The same."""
    caller = exchange.call("1002", "1001")
    called = exchange.dial(caller, "PJSIP/1001")
    exchange.ring(called)
    exchange.answer(called)
    exchange.leave(caller)
    exchange.hang_up(called)
    exchange.hang_up(caller)


def real_busy(asterisk: Asterisk) -> None:
    """1002 calls 1001, who is busy."""
    with Phone.busy(asterisk, "1001"), Phone.calling(asterisk, "1002", "1001") as caller:
        caller.wait()


def fake_busy(exchange: Exchange) -> None:
    """The same."""
    caller = exchange.call("1002", "1001")
    called = exchange.dial(caller, "PJSIP/1001")
    exchange.end_dial(called, "BUSY")
    caller.context, caller.exten = "sge-not-answered", "BUSY"
    exchange.hang_up(called, 17)
    exchange.hang_up(caller, 17)


def real_not_answered(asterisk: Asterisk) -> None:
    """1002 calls 1001, who lets it ring until the dialplan gives up."""
    with Phone.not_answering(asterisk, "1001"), Phone.calling(asterisk, "1002", "1001") as caller:
        caller.wait()


def fake_not_answered(exchange: Exchange) -> None:
    """The same."""
    caller = exchange.call("1002", "1001")
    called = exchange.dial(caller, "PJSIP/1001")
    exchange.ring(called)
    exchange.end_dial(called, "NOANSWER")
    caller.context, caller.exten = "sge-not-answered", "NOANSWER"
    exchange.hang_up(called, 0)
    exchange.hang_up(caller, 19)


def real_held(asterisk: Asterisk) -> None:
    """1002 calls 1001, who answers, holds and takes back; 1002 hangs up."""
    with ExitStack() as phones:
        phones.enter_context(Phone.holding(asterisk, "1001", after_ms=200))
        caller = phones.enter_context(
            Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=1500)
        )
        assert caller.wait(), caller.explain()


def fake_held(exchange: Exchange) -> None:
    """The same."""
    caller = exchange.call("1002", "1001")
    called = exchange.dial(caller, "PJSIP/1001")
    exchange.ring(called)
    exchange.answer(called)
    exchange.hold(called)
    exchange.unhold(called)
    exchange.leave(caller)
    exchange.hang_up(called)
    exchange.hang_up(caller)


SCENES: dict[str, tuple[Real, Fake]] = {
    "answered": (real_answered, fake_answered),
    "busy": (real_busy, fake_busy),
    "not answered": (real_not_answered, fake_not_answered),
    "held": (real_held, fake_held),
}
