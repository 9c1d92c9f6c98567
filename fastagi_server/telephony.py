"""The part of the composition root that makes calls and rooms happen in Asterisk.

ARI client -> switchboard, rooms -> applications -> reception -> link
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.errors import AriError
from fastagi_server.ari.events import Event
from fastagi_server.ari.link import AriLink
from fastagi_server.ari.listener import AriListener
from fastagi_server.calls.journal import CallJournal
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.settings import Settings, split_address
from fastagi_server.stasis.conference import Conference
from fastagi_server.stasis.effects import CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.outbound import OutboundApplication, OutboundPolicy, pattern_of
from fastagi_server.stasis.reception import Reception
from fastagi_server.stasis.reconciliation import Reconciliation
from fastagi_server.stasis.room_service import open_rooms
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.stasis.upkeep import CallUpkeep, IdleLimits, PbxView
from fastagi_server.stasis.voip import Arrivals, VoipApplication
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

_log = structlog.stdlib.get_logger("telephony")


@dataclass(frozen=True, slots=True)
class Telephony:
    """What the embedded API needs of Asterisk; all but the rooms are None where there is none."""

    room_desk: RoomDesk
    upkeep: CallUpkeep
    ari: AriClient | None = None
    switchboard: Switchboard | None = None
    link: AriLink | AriListener | None = None

    async def run(self) -> None:
        """Keep the event socket and look after time limits until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.upkeep.run(), name="call-upkeep")
            if self.link is not None:
                tasks.create_task(self.link.run(), name="ari-link")


class _Events:
    """The link's callbacks: everybody who leads channels hears everything."""

    def __init__(
        self, switchboard: Switchboard, reconciliation: Reconciliation, conference: Conference
    ) -> None:
        self._switchboard = switchboard
        self._reconciliation = reconciliation
        self._conference = conference
        self._repair: asyncio.Task[None] | None = None
        self.reception: Reception | None = None

    def receive(self, event: Event) -> None:
        if self.reception is not None:
            self.reception.receive(event)
        self._conference.receive(event)

    async def connected(self) -> None:
        await self._reconciliation.reconcile()
        await self._conference.reconcile()

    def lost(self, reason: str) -> None:
        self._switchboard.is_linked = False
        self._conference.lose(reason)

    def overflow(self, channel_id: str) -> None:
        """Events of a channel were dropped: see what is true, once for all that come together."""
        _log.error("call_events_lost", channel=channel_id)
        if self._repair is None or self._repair.done():
            self._repair = asyncio.create_task(self._reconcile_quietly(), name="calls-repair")

    async def close(self) -> None:
        if self._repair is not None:
            self._repair.cancel()
            await asyncio.gather(self._repair, return_exceptions=True)
        await self._reconciliation.close()
        if self.reception is not None:
            await self.reception.close()

    async def _reconcile_quietly(self) -> None:
        try:
            await self._reconciliation.reconcile()
        except (AriError, StoreError) as error:
            _log.warning("calls_not_reconciled", reason=str(error))


@asynccontextmanager
async def open_telephony(
    settings: Settings, store: Store, measures: Measures
) -> AsyncGenerator[Telephony]:
    """Calls and rooms in the Asterisk that the settings name; not linked until it is run.

    Leaving ends no call. Raises `AriAddressError` and `ValueError` in words, and `OSError` where
    the address of ASTERISK_ARI_LISTEN cannot be had.
    """
    endpoints = Endpoints(maps_sip=settings.sge_map_sip, extensions=settings.sge_dial_strings)
    journal = CallJournal(records=store.calls, measures=measures)
    async with AsyncExitStack() as stack:
        ari = None
        if settings.asterisk_ari_url:
            ari = await stack.enter_async_context(_open_client(settings, measures))
        rooms = await stack.enter_async_context(
            open_rooms(
                ari,
                store.rooms,
                directory=ExtensionTable(settings.sge_extensions),
                endpoints=endpoints,
                app=settings.asterisk_ari_conference_app,
                measures=measures,
                ring_seconds=settings.sge_ring_seconds,
                max_participants=settings.sge_max_room_participants,
                max_rooms=settings.sge_max_rooms_per_user,
                idle=timedelta(hours=settings.sge_room_idle_hours),
                retention=timedelta(hours=settings.sge_room_retention_hours),
            )
        )
        limits = IdleLimits(settings.sge_idle_ringing_seconds, settings.sge_idle_call_seconds)
        if ari is None or rooms.conference is None:
            yield Telephony(rooms.desk, CallUpkeep(journal, limits))
            return
        effects = CallEffects(
            ari, journal, app=settings.asterisk_ari_app, ring_seconds=settings.sge_ring_seconds
        )
        switchboard = Switchboard(ari, effects, endpoints)
        arrivals = Arrivals(
            ari, journal, effects, switchboard, system_name=settings.fastagi_system_name
        )
        applications = {
            settings.asterisk_ari_app: VoipApplication(arrivals, endpoints).enter,
            settings.asterisk_ari_outbound_app: OutboundApplication(
                arrivals, _policy(settings)
            ).enter,
        }
        reconciliation = Reconciliation(
            ari, journal, effects, switchboard, endpoints, applications=applications
        )
        events = _Events(switchboard, reconciliation, rooms.conference)
        stack.push_async_callback(events.close)
        events.reception = Reception(
            switchboard, applications, on_overflow=events.overflow, measures=measures
        )
        link = await _open_link(settings, ari, events, measures)
        upkeep = CallUpkeep(journal, limits, PbxView(ari, switchboard))
        yield Telephony(rooms.desk, upkeep, ari, switchboard, link)


@asynccontextmanager
async def _open_client(settings: Settings, measures: Measures) -> AsyncGenerator[AriClient]:
    ca_file = settings.asterisk_ari_ca_file
    async with open_ari(
        settings.asterisk_ari_url,
        username=settings.asterisk_ari_username,
        password=settings.ari_password,
        measures=measures,
        timeout_seconds=settings.asterisk_ari_timeout_seconds,
        ssl_context=ssl.create_default_context(cafile=str(ca_file)) if ca_file else None,
    ) as client:
        yield client


def _policy(settings: Settings) -> OutboundPolicy:
    return OutboundPolicy(
        trunk=settings.sge_trunk,
        contexts=frozenset(settings.sge_outbound_contexts),
        allow=tuple(map(pattern_of, settings.sge_outbound_allow)),
        deny=tuple(map(pattern_of, settings.sge_outbound_deny)),
    )


async def _open_link(
    settings: Settings, ari: AriClient, events: _Events, measures: Measures
) -> AriLink | AriListener:
    if not settings.asterisk_ari_listen:
        return AriLink(
            ari,
            applications=settings.ari_applications,
            on_event=events.receive,
            on_connected=events.connected,
            on_lost=events.lost,
            measures=measures,
        )
    host, port = split_address(settings.asterisk_ari_listen)
    listener = AriListener(
        host=host,
        port=port,
        username=settings.asterisk_ari_username,
        password=settings.ari_password,
        on_event=events.receive,
        on_connected=events.connected,
        on_lost=events.lost,
        measures=measures,
    )
    await listener.listen()
    return listener
