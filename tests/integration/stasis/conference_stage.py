"""Rooms on a fake Asterisk: the desk that the API asks, and the events that come to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastagi_server.ari.client import open_ari
from fastagi_server.ari.link import AriLink
from fastagi_server.calls.outbound import OutboundPolicy
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.rooms.models import Room, RoomSettings
from fastagi_server.rooms.orders import RoomOrder
from fastagi_server.stasis.conference import Conference
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.room_service import open_rooms
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri

APP = "sky-genesis-conference"
ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOB = Identity("bob", frozenset({Scope.CALLS}))
WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class ConferenceStage:
    """One run of the program on a fake Asterisk."""

    asterisk: FakeAri
    desk: RoomDesk
    conference: Conference
    measures: Measures

    async def create(
        self, seats: int = 3, *, number: str = "123", password: str = "", **settings: Any
    ) -> Room:
        """Make a room of alice."""
        order = RoomOrder("Standup", seats, RoomSettings(**settings), number, password)
        return (await self.desk.registry.create(order, ALICE, None))[0]

    def call(self, user: str, number: str = "123") -> str:
        """A phone calls a room; its channel."""
        return self.asterisk.calls_in(APP, args=number, caller_number=user)

    async def room(self, room: Room) -> Room:
        """The room as it is now."""
        return await self.desk.registry.get(room.id, ALICE)

    async def until_states(self, room: Room, **states: str) -> Room:
        """Wait until the members stand so; a member of nobody known goes by his number."""
        return await self.until(
            room,
            lambda now: (
                {
                    f"x{member.number}" if member.user is None else member.user: member.state
                    for member in now.members
                }
                == states
            ),
        )

    async def until(self, room: Room, is_so: Callable[[Room], bool]) -> Room:
        """Wait until something is true of the room; AssertionError with the room after 5 s."""
        now = room
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not is_so(now := await self.room(room)):  # noqa: ASYNC110 - the store's
                    await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(now) from None
        return now

    async def until_gone(self, channel: str) -> str:
        """Wait until a channel is gone, and return the cause that we hung it up with."""
        async with asyncio.timeout(WAIT_SECONDS):
            while channel in self.asterisk.channels:  # noqa: ASYNC110 - the fake's, not ours
                await asyncio.sleep(0)
        return next(
            request.query["reason_code"]
            for request in self.asterisk.requests
            if request.method == "DELETE" and request.path == ("channels", channel)
        )

    async def until_asked(self, words: str, times: int = 1) -> None:
        """Wait until the fake has been asked something, such as `POST channels/17/answer`."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.asked(words) < times:  # noqa: ASYNC110 - the fake's
                await asyncio.sleep(0)

    def asked(self, words: str) -> int:
        """How often the fake has been asked something whose words begin so."""
        return sum(
            f"{request.method} {'/'.join(request.path)}".startswith(words)
            for request in self.asterisk.requests
        )


@asynccontextmanager
async def open_conference_stage(
    asterisk: FakeAri, folder: Path, endpoints: Endpoints | None = None
) -> AsyncGenerator[ConferenceStage]:
    """Run the rooms with the records of a folder, linked; may be done again."""
    measures = Measures()
    endpoints = endpoints or Endpoints()
    async with (
        open_store(f"sqlite:///{folder / 'rooms.db'}") as store,
        open_ari(
            asterisk.url,
            username=asterisk.username,
            password=asterisk.password,
            measures=measures,
        ) as ari,
        open_rooms(
            ari,
            store.rooms,
            directory=ExtensionTable({"1001": "alice", "1002": "bob"}),
            endpoints=endpoints,
            outbound=OutboundPolicy(browsers=endpoints.browsers),
            app=APP,
            measures=measures,
        ) as rooms,
    ):
        conference = rooms.conference
        assert conference is not None
        connected = asyncio.Event()

        async def reconcile() -> None:
            await conference.reconcile()
            connected.set()

        link = AriLink(
            ari,
            applications=(APP,),
            on_event=conference.receive,
            on_connected=reconcile,
            on_lost=conference.lose,
            measures=measures,
        )
        keeping = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await connected.wait()
            yield ConferenceStage(asterisk, rooms.desk, conference, measures)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
