"""Rooms on the real Asterisk: the API in process, a link to Asterisk, and phones to call with."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import PbxParts
from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.link import AriLink
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Scope
from fastagi_server.stasis.conference import Conference
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.room_service import open_rooms
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures
from lab.asterisk import Asterisk

APP = "sky-genesis-conference"
WAIT_SECONDS = 10.0

# Rooms by number, and a place that is no room. The 8 keeps it apart from the shipped dialplan.
CONTEXTS = """
[sky-genesis-voip]
exten => _8XXX,1,Stasis(sky-genesis-conference,${EXTEN:1})
 same => n,Hangup()

[test-rooms]
exten => elsewhere,1,Answer()
 same => n,Wait(60)
exten => keys,1,Answer()
 same => n,Wait(2)
 same => n,SendDTMF(${KEYS})
 same => n,Wait(60)
"""

USERS = {"1001": "alice", "1002": "bob"}
"""Whose phones are whose; 1003 is nobody's."""


@dataclass(frozen=True)
class RoomStage:
    """One run of the program: clients of three users, and its link to Asterisk."""

    ari: AriClient
    keeping: asyncio.Task[None]
    conference: Conference
    alice: httpx.AsyncClient
    bob: httpx.AsyncClient
    eve: httpx.AsyncClient

    async def create(self, seats: int = 3, number: str = "123", **settings: Any) -> str:
        """Make a room of alice and return its path."""
        body = {"name": "E2E", "max_participants": seats, "number": number, "settings": settings}
        answer = await self.alice.post("/rooms", json=body)
        assert answer.status_code == 201, answer.text
        return f"/rooms/{answer.json()['id']}"

    async def room(self, path: str) -> dict[str, Any]:
        """The room as alice sees it."""
        answer = await self.alice.get(path)
        assert answer.status_code == 200, answer.text
        room: dict[str, Any] = answer.json()
        return room

    async def until(self, path: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something is true of a room; AssertionError with the room after 10 s."""
        room: dict[str, Any] = {}
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not is_so(room := await self.room(path)):  # noqa: ASYNC110 - Asterisk's
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(room) from None
        return room

    async def until_present(self, path: str, *labels: str) -> dict[str, Any]:
        """Wait until the participants are these, and those of them with phones are the bridge.

        Everybody but users without a phone has to be in the bridge.
        """
        seen: object = None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    room, bridged = await self.room(path), await self.bridged(path)
                    seen = room, bridged
                    present = {
                        member["channel_id"]
                        for member in room["members"]
                        if member["state"] == "present"
                    }
                    if room["participants"] == list(labels) and present == bridged:
                        return room
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(seen) from None

    async def until_states(self, path: str, *states: str) -> dict[str, Any]:
        """Wait until the members of a room stand so, in their order."""
        return await self.until(
            path, lambda room: [member["state"] for member in room["members"]] == list(states)
        )

    async def bridged(self, path: str) -> set[str]:
        """The channels that Asterisk has in the bridge of a room."""
        bridge = await self.ari.bridge(f"sge-room-{path.rpartition('/')[2]}")
        return set(bridge.channels)

    async def stop(self) -> None:
        """End everything of ours that Asterisk could notice, as the end of the process does."""
        self.keeping.cancel()
        await asyncio.gather(self.keeping, return_exceptions=True)

    async def until_gone(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until Asterisk has no channel any more."""
        async with asyncio.timeout(seconds):
            while await self.ari.channels():  # noqa: ASYNC110 - Asterisk's, not ours
                await asyncio.sleep(0.02)


@asynccontextmanager
async def open_stage(asterisk: Asterisk, folder: Path) -> AsyncGenerator[RoomStage]:
    """Run the rooms on this Asterisk with the records of a folder; may be done again."""
    measures = Measures()
    control = asterisk.control
    async with (
        open_store(f"sqlite:///{folder / 'rooms.db'}") as store,
        open_ari(
            f"http://127.0.0.1:{control.port}",
            username=control.user,
            password=control.password,
            measures=measures,
        ) as ari,
        open_rooms(
            ari,
            store.rooms,
            directory=ExtensionTable(USERS),
            endpoints=Endpoints(),
            app=APP,
            measures=measures,
            ring_seconds=5,
        ) as rooms,
    ):
        conference = rooms.conference
        assert conference is not None
        app = create_app(
            store=store,
            measures=measures,
            bootstrap_key=None,
            version="e2e",
            pbx=PbxParts(room_desk=rooms.desk),
            access=Access(requests_per_minute=0),
        )
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
            transport = httpx.ASGITransport(app)
            async with (
                await _client(transport, store, "alice") as alice,
                await _client(transport, store, "bob") as bob,
                await _client(transport, store, "eve") as eve,
            ):
                yield RoomStage(ari, keeping, conference, alice, bob, eve)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def _client(transport: httpx.ASGITransport, store: Store, user: str) -> httpx.AsyncClient:
    key = await store.api_keys.add(user, frozenset({Scope.CALLS}))
    return httpx.AsyncClient(
        transport=transport, base_url="http://sge/api/v1/voip", headers={"X-API-Key": key}
    )
