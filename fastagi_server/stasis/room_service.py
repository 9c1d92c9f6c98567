"""The rooms of one Asterisk, put together: who asks of them, and who tells of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastagi_server.ari.client import AriClient
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.identities.extensions import Directory
from fastagi_server.rooms.desk import DAY, RoomDesk, open_desk
from fastagi_server.rooms.orders import MAX_SEATS
from fastagi_server.rooms.ports import RoomRecords
from fastagi_server.stasis.conference import Conference
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.lobby import Lobby
from fastagi_server.stasis.prompts import Prompter
from fastagi_server.stasis.room_control import AriRoomControl
from fastagi_server.telemetry.measures import Measures


@dataclass(frozen=True, slots=True)
class RoomService:
    """`desk` is for the API; `conference`, None without an Asterisk, for the event socket."""

    desk: RoomDesk
    conference: Conference | None


@asynccontextmanager
async def open_rooms(
    ari: AriClient | None,
    records: RoomRecords,
    *,
    directory: Directory,
    endpoints: Endpoints,
    outbound: OutboundPolicy = NO_CALLS_OUT,
    app: str,
    measures: Measures,
    ring_seconds: int = 30,
    max_participants: int = MAX_SEATS,
    max_rooms: int = 0,
    idle: timedelta = DAY,
    retention: timedelta = DAY,
) -> AsyncGenerator[RoomService]:
    """The rooms, with their time limits looked after until the context is left.

    `app` is the Stasis application of conferences. The link to Asterisk hands the conference its
    events (`receive`), its connects (`reconcile`) and its losses (`lose`).
    """
    control = None
    if ari is not None:
        control = AriRoomControl(ari, endpoints, app=app, ring_seconds=ring_seconds)
    desk = open_desk(
        records=records,
        control=control,
        measures=measures,
        max_participants=max_participants,
        max_rooms=max_rooms,
        idle=idle,
        retention=retention,
        outbound=outbound,
    )
    conference = None
    if ari is not None and control is not None:
        prompter = Prompter(ari)
        lobby = Lobby(
            ari,
            prompter,
            registry=desk.registry,
            attendance=desk.attendance,
            directory=directory,
            browsers=endpoints.browsers,
        )
        conference = Conference(
            ari, control, desk.attendance, lobby, prompter, app=app, measures=measures
        )
    keeping = asyncio.create_task(desk.timekeeper.run(), name="room-timekeeper")
    try:
        yield RoomService(desk, conference)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if conference is not None:
            await conference.close()
