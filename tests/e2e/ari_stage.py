"""Play one ARI scene with the real Asterisk and with the fake one, and note what each says."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from fastagi_server.ari import events
from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.errors import AriError, AriRefusedError
from fastagi_server.ari.events import Event
from fastagi_server.ari.link import AriLink
from fastagi_server.ari.subjects import bridge_of, channels_of
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState
from lab.asterisk import Asterisk
from lab.phones import Phone

APPS = ("scene-one", "scene-two")
WAIT_SECONDS = 15.0
PHONE_SECONDS = 3.0

DIALPLAN = """
[scene]
exten => _X.,1,Stasis(scene-one,in,${EXTEN})
 same => n,Set(SCENE=${STASISSTATUS})
 same => n,Wait(60)
exten => nobody,1,Stasis(scene-of-nobody)
 same => n,Set(SCENE=${STASISSTATUS})
 same => n,Wait(60)
"""


class Watcher:
    """Every event of a link, and waiting for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()

    def receive(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
        self._news.set()

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        """The first event, past or to come, that is wanted."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def kind(self, kind: type[Event], channel_id: str) -> Event:
        """The first event of a kind about a channel."""
        return await self.until(lambda event: isinstance(event, kind) and _is_of(event, channel_id))

    async def state(self, channel_id: str, state: str) -> None:
        """Wait until a channel is in a state."""
        await self.until(
            lambda event: (
                isinstance(event, events.ChannelStateChange)
                and _is_of(event, channel_id)
                and event.channel.state == state
            )
        )

    async def dial_status(self, channel_id: str, status: str) -> None:
        """Wait until the calling of a channel's phone is so far."""
        await self.until(
            lambda event: (
                isinstance(event, events.Dial)
                and event.peer.id == channel_id
                and event.dialstatus == status
            )
        )

    def story(self, channel_id: str) -> list[str]:
        """What was told of a channel, in order; how its phone was called is a story of its own."""
        return [told for event in self.events if (told := _told(event, channel_id))]

    def dialling(self, channel_id: str) -> list[str]:
        """How the calling of a channel's phone went."""
        return [
            event.dialstatus
            for event in self.events
            if isinstance(event, events.Dial) and event.peer.id == channel_id
        ]


def _is_of(event: Event, channel_id: str) -> bool:
    return any(channel.id == channel_id for channel in channels_of(event))


def _told(event: Event, channel_id: str) -> str:
    """One event in a line, empty for what is not about the channel or not compared."""
    if not _is_of(event, channel_id):
        return ""
    match event:
        case events.StasisStart():
            return f"StasisStart {event.application} {','.join(event.args)} {event.channel.state}"
        case events.StasisEnd():
            return f"StasisEnd {event.application}"
        case events.ChannelStateChange():
            return f"state {event.channel.state}"
        case events.ChannelHangupRequest() | events.ChannelDestroyed():
            return f"{type(event).__name__} {event.cause}"
        case events.ChannelEnteredBridge() | events.ChannelLeftBridge():
            return f"{type(event).__name__} {bridge_of(event)} {len(event.bridge.channels)}"
        case _:
            return ""


class Stage(Protocol):
    """An Asterisk, real or not, and our link to it."""

    client: AriClient
    watcher: Watcher

    async def phone(self, state: PhoneState) -> None:
        """Let the phone of PJSIP/1001 behave so from now on."""
        ...

    async def phone_that_hangs_up(self) -> None:
        """Let that phone answer, and hang up some time after."""
        ...

    async def after_answer(self, channel_id: str) -> None:
        """Let the time pass after which such a phone hangs up."""
        ...

    async def call_in(self, extension: str) -> str:
        """Let a channel run the dialplan's Stasis(scene-one,in,extension); its id."""
        ...


class RealStage:
    """The Asterisk of the lab, with SIPp phones."""

    def __init__(self, asterisk: Asterisk, client: AriClient, watcher: Watcher) -> None:
        self.client = client
        self.watcher = watcher
        self._asterisk = asterisk
        self._phones = AsyncExitStack()

    async def phone(self, state: PhoneState) -> None:
        """Start a phone."""
        start = {
            PhoneState.ANSWERS: Phone.answering,
            PhoneState.RINGS: Phone.not_answering,
            PhoneState.BUSY: Phone.busy,
        }[state]
        await self._keep(await asyncio.to_thread(start, self._asterisk, "1001"))

    async def phone_that_hangs_up(self) -> None:
        """Start a phone that hangs up 500 ms after its answer."""
        phone = await asyncio.to_thread(
            lambda: Phone.answering(self._asterisk, "1001", hang_up_after_ms=500)
        )
        await self._keep(phone)

    async def after_answer(self, channel_id: str) -> None:
        """The phone does it by itself."""

    async def call_in(self, extension: str) -> str:
        """A Local channel whose far end runs the dialplan."""
        seen = len(self.watcher.events)
        await asyncio.to_thread(
            self._asterisk.control.originate,
            f"Local/{extension}@scene",
            context="lab",
            extension="wait",
        )
        start = await self.watcher.until(
            lambda event: (
                isinstance(event, events.StasisStart)
                and self.watcher.events.index(event) >= seen
                and event.args == ("in", extension)
            )
        )
        return channels_of(start)[0].id

    async def close(self) -> None:
        """Stop the phones."""
        await self._phones.aclose()

    async def _keep(self, phone: Phone) -> None:
        self._phones.push_async_callback(asyncio.to_thread, phone.stop)
        # Until its last word, which would reach the next phone at the same port.
        self._phones.push_async_callback(asyncio.to_thread, phone.wait, PHONE_SECONDS)


class FakeStage:
    """The fake."""

    def __init__(self, fake: FakeAri, client: AriClient, watcher: Watcher) -> None:
        self.client = client
        self.watcher = watcher
        self._fake = fake

    async def phone(self, state: PhoneState) -> None:
        """Say how the phone behaves."""
        self._fake.phones["PJSIP/1001"] = state

    async def phone_that_hangs_up(self) -> None:
        """Answer; `after_answer` does the rest."""
        self._fake.phones["PJSIP/1001"] = PhoneState.ANSWERS

    async def after_answer(self, channel_id: str) -> None:
        """Hang up."""
        self._fake.phone.hangs_up(channel_id)

    async def call_in(self, extension: str) -> str:
        """A call from a phone."""
        return self._fake.calls_in(APPS[0], args=f"in,{extension}", extension=extension)


@asynccontextmanager
async def real_stage(asterisk: Asterisk) -> AsyncGenerator[Stage]:
    """The lab's Asterisk with a link that is up."""
    url = f"http://127.0.0.1:{asterisk.ports.http}"
    async with _linked(url, asterisk.control.user, asterisk.passwords["ari"]) as (client, watcher):
        stage = RealStage(asterisk, client, watcher)
        try:
            yield stage
        finally:
            await stage.close()


@asynccontextmanager
async def fake_stage() -> AsyncGenerator[Stage]:
    """The fake with a link that is up."""
    async with (
        FakeAri() as fake,
        _linked(fake.url, fake.username, fake.password) as (client, watcher),
    ):
        fake.phones["PJSIP/1001"] = PhoneState.OFFLINE
        yield FakeStage(fake, client, watcher)


@asynccontextmanager
async def _linked(
    url: str, username: str, password: str
) -> AsyncGenerator[tuple[AriClient, Watcher]]:
    measures, watcher, connected = Measures(), Watcher(), asyncio.Event()

    async def on_connected() -> None:
        connected.set()

    async with open_ari(url, username=username, password=password, measures=measures) as client:
        link = AriLink(
            client,
            applications=APPS,
            on_event=watcher.receive,
            on_connected=on_connected,
            on_lost=lambda _reason: None,
            measures=measures,
        )
        task = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await connected.wait()
            yield client, watcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def outcome(operation: Awaitable[object]) -> str:
    """What came of an operation: `done`, or the error with its status and words."""
    try:
        await operation
    except AriRefusedError as error:
        return f"{type(error).__name__} {error.status} {error.message}"
    except AriError as error:
        return type(error).__name__
    return "done"
