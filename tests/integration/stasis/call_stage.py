"""The calls of one service on a fake Asterisk, with real records; no phone, no HTTP of ours."""

import asyncio
from collections.abc import AsyncGenerator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from fastagi_server.calls.models import Call, CallType, EndFacts
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.settings import Settings
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telephony import Telephony, open_telephony
from fastagi_server.testing.ari.fake import FakeAri

SERVICE = Identity("service", frozenset({Scope.SERVICE}))
APP = "sky-genesis-voip"
OUTBOUND = "sky-genesis-outbound"
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stage:
    """All that a test needs."""

    fake: FakeAri
    store: Store
    registry: CallRegistry
    telephony: Telephony

    async def place(self, *participants: str, call_type: CallType = CallType.AUDIO) -> Call:
        """Ask for a call."""
        order = CallOrder(participants, call_type, {})
        return (await self.registry.create(order, SERVICE, None))[0]

    async def until(self, call_id: str, status: str) -> Call:
        """The record of a call once it has a status."""
        async with asyncio.timeout(SECONDS):
            while True:
                call = await self.registry.get(call_id, SERVICE)
                if call.status == status:
                    return call
                await asyncio.sleep(0.005)

    async def only_call(self) -> Call:
        """The one active call, as soon as there is one."""
        async with asyncio.timeout(SECONDS):
            while not (calls := await self.registry.active(SERVICE, 10)):  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.005)
        (call,) = calls
        return call

    async def channel(self, channel_id: str) -> str:
        """A channel's id, once it is dialled."""
        await self.when(
            lambda: channel_id in self.fake.channels and self.fake.channels[channel_id].dialled
        )
        return channel_id

    async def empty(self) -> None:
        """Return when Asterisk has neither channel nor bridge left."""
        await self.when(lambda: not self.fake.channels and not self.fake.bridges)

    async def kinds(self, call_id: str) -> list[str]:
        """What is logged of a call."""
        return [str(event.kind) for event in await self.registry.events(call_id, SERVICE)]

    async def measured(self, call_id: str) -> None:
        """Return when it is recorded how a call sounded."""
        async with asyncio.timeout(SECONDS):
            while (await self.registry.get(call_id, SERVICE)).quality is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def end(self, call_id: str) -> Call:
        """End a call by request."""
        return await self.registry.end(call_id, SERVICE, EndFacts())

    @staticmethod
    async def when(condition: Any) -> None:
        """Return when a condition holds."""
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110 - what is looked at tells nobody of changes
                await asyncio.sleep(0.005)


@asynccontextmanager
async def open_stage(folder: Path, fake: FakeAri, **settings: Any) -> AsyncGenerator[Stage]:
    """A service linked to the fake; entered again on the same folder it is its successor.

    Those of the setting `users`, which is ours, have a page open.
    """
    users: Container[str] = settings.pop("users", ())
    chosen = Settings(
        asterisk_ari_url=fake.url,
        asterisk_ari_username=fake.username,
        asterisk_ari_password=SecretStr(fake.password),
        fastagi_system_name="pbx1",
        **settings,
    )
    measures = Measures()
    async with (
        open_store(f"sqlite:///{folder / 'calls.sqlite3'}") as store,
        open_telephony(
            chosen, store, measures, is_reachable=lambda user: user in users
        ) as telephony,
    ):
        control = telephony.switchboard
        registry = CallRegistry(records=store.calls, control=control, measures=measures)
        running = asyncio.create_task(telephony.run())
        stage = Stage(fake, store, registry, telephony)
        try:
            await stage.when(lambda: telephony.link is not None and telephony.link.state == "up")
            yield stage
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
