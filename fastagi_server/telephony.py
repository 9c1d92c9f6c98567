"""The part of the composition root that makes calls and rooms happen in Asterisk.

ARI client -> switchboard, rooms -> applications -> reception -> link, watch
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.errors import AriError
from fastagi_server.ari.events import Event
from fastagi_server.ari.link import AriLink
from fastagi_server.ari.listener import AriListener
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.outbound import OutboundPolicy, pattern_of
from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.settings import Settings, split_address
from fastagi_server.stasis.browsers import BrowserCallers
from fastagi_server.stasis.census import Counts, PbxCensus
from fastagi_server.stasis.conference import Conference
from fastagi_server.stasis.effects import CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.outbound import OutboundApplication
from fastagi_server.stasis.quality import QualitySampler
from fastagi_server.stasis.reception import Reception
from fastagi_server.stasis.reconciliation import Reconciliation
from fastagi_server.stasis.room_service import RoomService, open_rooms
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.stasis.upkeep import CallUpkeep, ChannelView, IdleLimits, PbxView
from fastagi_server.stasis.voip import Arrivals, VoipApplication
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store
from fastagi_server.supervise import UP
from fastagi_server.supervising import Watch, make_watch
from fastagi_server.supervision.happenings import OnSighting
from fastagi_server.supervision.records import RecordBook
from fastagi_server.supervision.view import SupervisedView
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
    quality: QualitySampler | None = None
    watch: Watch | None = None

    async def run(self) -> None:
        """Keep the event socket and look after time limits until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.upkeep.run(), name="call-upkeep")
            if self.link is not None:
                tasks.create_task(self.link.run(), name="ari-link")
            if self.quality is not None:
                tasks.create_task(self.quality.run(), name="quality")
            if self.watch is not None:
                tasks.create_task(self.watch.run(), name="watch")


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
        _log.error("call_events_lost", unique_id=channel_id)
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
        except Exception:  # noqa: BLE001 - the next connect, or loss, tries again
            _log.exception("calls_not_reconciled")


@dataclass(frozen=True, slots=True)
class _Ground:
    """What telephony stands on, with an Asterisk or without."""

    settings: Settings
    store: Store
    measures: Measures
    endpoints: Endpoints
    journal: CallJournal
    policy: OutboundPolicy
    on_sighting: OnSighting | None

    def watch(self, switchboard: Switchboard | None = None) -> Watch | None:
        """What supervises the calls, where the settings name a manager interface."""
        book = RecordBook(self.store.calls, self.journal)
        return make_watch(
            self.settings,
            book,
            self.measures,
            call_of=_no_call if switchboard is None else switchboard.call_of,
            on_sighting=self.on_sighting,
        )

    def upkeep(self, view: ChannelView | None) -> CallUpkeep:
        """What ends calls that nobody ends."""
        limits = IdleLimits(
            self.settings.sge_idle_ringing_seconds, self.settings.sge_idle_call_seconds
        )
        return CallUpkeep(self.journal, limits, view)


@asynccontextmanager
async def open_telephony(
    settings: Settings,
    store: Store,
    measures: Measures,
    on_sighting: OnSighting | None = None,
    is_reachable: Callable[[str], bool] = lambda _: False,
) -> AsyncGenerator[Telephony]:
    """Calls and rooms in the Asterisk that the settings name; not linked until it is run.

    `on_sighting` hears what supervision sees; `is_reachable` says which users have a page open.

    Leaving ends no call. Raises `AriAddressError` and `ValueError` in words, and `OSError` where
    the address of ASTERISK_ARI_LISTEN cannot be had.
    """
    ground = _Ground(
        settings,
        store,
        measures,
        Endpoints(
            maps_sip=settings.sge_map_sip,
            extensions=settings.sge_dial_strings,
            browsers=browser_endpoint(settings),
            is_reachable=is_reachable,
        ),
        CallJournal(records=store.calls, measures=measures),
        outbound_policy(settings),
        on_sighting,
    )
    async with AsyncExitStack() as stack:
        ari = None
        if settings.asterisk_ari_url:
            ari = await stack.enter_async_context(_open_client(settings, measures))
        rooms = await stack.enter_async_context(_open_rooms(ground, ari))
        if ari is None or rooms.conference is None:
            yield _without_ari(ground, rooms)
        else:
            yield await _open_led(stack, ground, ari, rooms, rooms.conference)


def _without_ari(ground: _Ground, rooms: RoomService) -> Telephony:
    watch = ground.watch()
    if watch is not None:
        PbxCensus(None, ground.measures, _counts(watch))
    return Telephony(rooms.desk, ground.upkeep(_supervised(watch, None, None)), watch=watch)


async def _open_led(
    stack: AsyncExitStack,
    ground: _Ground,
    ari: AriClient,
    rooms: RoomService,
    conference: Conference,
) -> Telephony:
    """Calls that are led here, over ARI."""
    settings, measures = ground.settings, ground.measures
    journal, endpoints = ground.journal, ground.endpoints
    effects = CallEffects(
        ari,
        journal,
        app=settings.asterisk_ari_app,
        ring_seconds=settings.sge_ring_seconds,
        browsers=endpoints.browsers,
    )
    switchboard = Switchboard(ari, effects, endpoints)
    arrivals = Arrivals(
        ari, journal, effects, switchboard, system_name=settings.fastagi_system_name
    )
    callers = BrowserCallers(ari, journal, effects, switchboard, endpoints)
    applications = {
        settings.asterisk_ari_app: VoipApplication(arrivals, endpoints, callers).enter,
        settings.asterisk_ari_outbound_app: OutboundApplication(arrivals, ground.policy).enter,
    }
    reconciliation = Reconciliation(
        ari, journal, effects, switchboard, endpoints, applications=applications
    )
    events = _Events(switchboard, reconciliation, conference)
    stack.push_async_callback(events.close)
    events.reception = Reception(
        switchboard, applications, on_overflow=events.overflow, measures=measures
    )
    link = await _open_link(settings, ari, events, measures)
    watch = ground.watch(switchboard)
    view = PbxView(ari, switchboard, system_name=settings.fastagi_system_name)
    upkeep = ground.upkeep(_supervised(watch, switchboard, view))
    PbxCensus(ari, measures, _counts(watch))
    quality = QualitySampler(ari, measures)
    return Telephony(rooms.desk, upkeep, ari, switchboard, link, quality, watch)


def _no_call(_channel_id: str) -> None:
    """The live call of a channel, where none is led here."""


def _open_rooms(ground: _Ground, ari: AriClient | None) -> AbstractAsyncContextManager[RoomService]:
    settings, endpoints = ground.settings, ground.endpoints
    return open_rooms(
        ari,
        ground.store.rooms,
        directory=ExtensionTable(settings.sge_extensions, endpoints.browsers),
        endpoints=endpoints,
        outbound=ground.policy,
        app=settings.asterisk_ari_conference_app,
        measures=ground.measures,
        ring_seconds=settings.sge_ring_seconds,
        max_participants=settings.sge_max_room_participants,
        max_rooms=settings.sge_max_rooms_per_user,
        idle=timedelta(hours=settings.sge_room_idle_hours),
        retention=timedelta(hours=settings.sge_room_retention_hours),
    )


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


def _counts(watch: Watch | None) -> Callable[[], Counts | None]:
    """What the watch counts while it hears every event."""

    def counts() -> Counts | None:
        return watch.supervision.counts() if watch is not None and watch.link.state == UP else None

    return counts


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """What may be called outside. Raises ValueError for a pattern that is none."""
    return OutboundPolicy(
        trunk=settings.sge_trunk,
        contexts=frozenset(settings.sge_outbound_contexts),
        allow=tuple(map(pattern_of, settings.sge_outbound_allow)),
        deny=tuple(map(pattern_of, settings.sge_outbound_deny)),
        for_users=settings.sge_users_may_call_out,
        browsers=browser_endpoint(settings),
    )


def browser_endpoint(settings: Settings) -> BrowserEndpoint:
    """The endpoint behind which the browsers of users are, if there is a gateway to them."""
    if not settings.sge_gateway_listen:
        return NO_BROWSERS
    return BrowserEndpoint(settings.sge_gateway_endpoint)


def _supervised(
    watch: Watch | None, switchboard: Switchboard | None, view: PbxView | None
) -> ChannelView | None:
    """Who says which calls have lost their channel: one of two, not both."""
    return view if watch is None else SupervisedView(watch.supervision, switchboard, view)


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
