"""Puts the API together."""

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from fastagi_server.api import (
    asterisk,
    audit_log,
    call_commands,
    calls,
    client,
    docs,
    events,
    health,
    ice_servers,
    metrics,
    phone,
    presence,
    rooms,
    signaling,
    snmp,
    socket_service,
    sockets,
    wallboard,
)
from fastagi_server.api.access import Access
from fastagi_server.api.asterisk_view import Shared, SharedView
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.board import Board
from fastagi_server.api.board_look import BoardLook
from fastagi_server.api.context import ApiServices
from fastagi_server.api.envelope import Envelope
from fastagi_server.api.errors import add_error_handlers
from fastagi_server.api.limits import Limits
from fastagi_server.api.live import LiveLook
from fastagi_server.api.openapi import TITLE, describe
from fastagi_server.api.parts import BrowserParts, PbxParts
from fastagi_server.api.rendered_calls import RenderedCalls
from fastagi_server.calls.ports import CallControl
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.events.hub import EventHub
from fastagi_server.health import probes
from fastagi_server.health.board import HealthBoard
from fastagi_server.presence.desk import PresenceDesk, open_presence
from fastagi_server.rooms.desk import RoomDesk, open_desk
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.ice import IceBook
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing

PREFIX = "/api/v1"
VOIP = (
    calls,
    call_commands,
    signaling,
    ice_servers,
    presence,
    rooms,
    asterisk,
    events,
    audit_log,
    health,
    wallboard,
)


def create_app(
    *,
    store: Store,
    measures: Measures,
    bootstrap_key: str | None,
    version: str,
    pbx: PbxParts = PbxParts(),  # noqa: B008 - frozen
    browsers: BrowserParts = BrowserParts(),  # noqa: B008 - frozen
    access: Access = Access(),  # noqa: B008 - frozen
    exposition: Exposition | None = None,
    tracing: Tracing | None = None,
    event_hub: EventHub | None = None,
    recent: RecentLines | None = None,
    board_masker: Masker | None = None,
) -> FastAPI:
    """The ASGI application of the embedded SGE API.

    It needs no lifespan: the store is open before and closed after. `bootstrap_key` is a key with
    service scope that the store need not know. `access` says who is let in besides API keys, how
    often, and what is audited. `exposition` is what shows the measures, by default this process's
    alone. `tracing` makes each request a span. `event_hub` is the stream of events, by default one
    that nothing is published in. `recent` has the last errors for the wallboard, and
    `board_masker` keeps callers off it.
    """
    app = _empty_app(version)
    limits = access.limits(measures)
    authenticator = _authenticator(store, bootstrap_key, access, limits)
    registry = _registry(store, pbx.control, measures, access)
    room_desk = pbx.room_desk or open_desk(records=store.rooms, control=None, measures=measures)
    desk = browsers.presence_desk or open_presence(measures=measures, directory=access.directory)
    exposition = exposition or Exposition(measures)
    view = SharedView(pbx.view) if pbx.view is not None else None
    health_board = _health(store, measures)
    event_sockets = _sockets(desk, authenticator, limits, measures, browsers.max_sockets)
    app.state.services = ApiServices(
        calls=registry,
        rendered_calls=RenderedCalls(),
        rooms=room_desk,
        authenticator=authenticator,
        limits=limits,
        audit=store.audit,
        measures=measures,
        exposition=exposition,
        health=health_board,
        asterisk=view,
        live=Shared(_live(pbx, registry, room_desk).look),
        board=_board(registry, room_desk, health_board, exposition, view, recent, board_masker),
        events=event_hub or EventHub(measures=measures),
        signaling=browsers.exchange or _exchange(store, access, measures),
        ice=browsers.ice or IceBook(),
        presence=desk,
        sockets=event_sockets,
    )
    app.router.routes.append(WebSocketRoute(sockets.PATH, event_sockets))
    app.add_middleware(Envelope, measures=measures, audit=access.audit, tracing=tracing)
    _add_resources(app, access.outbound.browsers.name)
    return app


def _live(pbx: PbxParts, calls: CallRegistry, rooms: RoomDesk) -> LiveLook:
    return LiveLook(
        calls=calls,
        rooms=rooms.registry,
        link=pbx.link,
        switchboard=pbx.switchboard,
        watch=pbx.watch,
    )


def _exchange(store: Store, access: Access, measures: Measures) -> Exchange:
    return Exchange(calls=store.calls, directory=access.directory, measures=measures)


def _sockets(
    desk: PresenceDesk,
    authenticator: Authenticator,
    limits: Limits,
    measures: Measures,
    max_connections: int,
) -> sockets.Sockets:
    return sockets.Sockets(
        desk=desk,
        authenticator=authenticator,
        limits=limits,
        measures=measures,
        max_connections=max_connections,
    )


def _registry(
    store: Store, control: CallControl | None, measures: Measures, access: Access
) -> CallRegistry:
    return CallRegistry(
        records=store.calls,
        control=control,
        measures=measures,
        directory=access.directory,
        max_calls=access.max_calls,
        outbound=access.outbound,
    )


def _add_resources(app: FastAPI, gateway: str) -> None:
    for resource in VOIP:
        app.include_router(resource.router, prefix=f"{PREFIX}/voip")
    app.include_router(health.details_router, prefix=f"{PREFIX}/voip")
    app.include_router(metrics.router, prefix=PREFIX)
    app.include_router(snmp.router, prefix=PREFIX)
    app.include_router(socket_service.status_router)
    app.include_router(socket_service.router)
    docs.add_docs(app)
    wallboard.add_wallboard(app)
    client.add_client(app)
    phone.add_phone(app, gateway)
    add_error_handlers(app)
    describe(app)


def _board(
    calls: CallRegistry,
    rooms: RoomDesk,
    health: HealthBoard,
    exposition: Exposition,
    view: SharedView | None,
    recent: RecentLines | None,
    masker: Masker | None,
) -> Board:
    look = BoardLook(
        calls=calls,
        rooms=rooms.registry,
        health=health,
        exposition=exposition,
        endpoints=view.endpoints if view is not None else None,
        recent=recent,
        masker=masker,
    )
    return Board(look.look)


def _health(store: Store, measures: Measures) -> HealthBoard:
    return HealthBoard(
        (
            probes.answering(
                "store", store.database.ping, expected=StoreError, reason="store unavailable"
            ),
            probes.event_stream(measures.drops.values, measures.webhook_dead_letters.values),
        )
    )


def _empty_app(version: str) -> FastAPI:
    # The PBX is no browser and needs no redirects, and telemetry is ours.
    return FastAPI(
        title=TITLE,
        version=version,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
    )


def _authenticator(
    store: Store, bootstrap_key: str | None, access: Access, limits: Limits
) -> Authenticator:
    return Authenticator(
        keys=store.api_keys,
        bootstrap_key=bootstrap_key,
        limits=limits,
        tokens=access.tokens,
        accounts=access.accounts,
        certificates=access.certificates,
    )
