"""Puts the API together."""

from fastapi import FastAPI

from fastagi_server.api import (
    asterisk,
    audit_log,
    call_commands,
    calls,
    docs,
    events,
    health,
    metrics,
    rooms,
    snmp,
    wallboard,
)
from fastagi_server.api.access import Access
from fastagi_server.api.asterisk_view import AsteriskView, Shared, SharedView
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.board import Board
from fastagi_server.api.board_look import BoardLook
from fastagi_server.api.context import ApiServices
from fastagi_server.api.envelope import Envelope
from fastagi_server.api.errors import add_error_handlers
from fastagi_server.api.limits import Limits
from fastagi_server.api.live import LinkView, LiveLook, Switchboard, Watch
from fastagi_server.api.openapi import TITLE, describe
from fastagi_server.api.rendered_calls import RenderedCalls
from fastagi_server.calls.ports import CallControl
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.events.hub import EventHub
from fastagi_server.health import probes
from fastagi_server.health.board import HealthBoard
from fastagi_server.rooms.desk import RoomDesk, open_desk
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing

PREFIX = "/api/v1"
VOIP = (calls, call_commands, rooms, asterisk, events, audit_log, health, wallboard)


def create_app(
    *,
    store: Store,
    measures: Measures,
    bootstrap_key: str | None,
    version: str,
    control: CallControl | None = None,
    room_desk: RoomDesk | None = None,
    asterisk_view: AsteriskView | None = None,
    link: LinkView | None = None,
    switchboard: Switchboard | None = None,
    watch: Watch | None = None,
    access: Access = Access(),  # noqa: B008 - frozen
    exposition: Exposition | None = None,
    tracing: Tracing | None = None,
    event_hub: EventHub | None = None,
    recent: RecentLines | None = None,
    board_masker: Masker | None = None,
) -> FastAPI:
    """The ASGI application of the embedded SGE API.

    It needs no lifespan: the store is open before and closed after. `bootstrap_key` is a key with
    service scope that the store need not know. `control` rings participants; without it a call
    that would have to ring a dial string is refused with 503 `pbx_unreachable`. `asterisk_view` is
    what operators look at; without it `asterisk/*` is refused in the same way. `link`,
    `switchboard` and `watch` are shown in `asterisk/live`. `room_desk` is the one that the PBX's
    events come to; without it there are rooms for users without telephones. `access` says who is
    let in besides API keys, how often, and what is audited. `exposition` is what shows the
    measures, by default this process's alone. `tracing` makes each request a span. `event_hub` is
    the stream of events, by default one that nothing is published in. `recent` has the last errors
    for the wallboard, and `board_masker` keeps callers off it.
    """
    app = _empty_app(version)
    limits = access.limits(measures)
    registry = _registry(store, control, measures, access)
    room_desk = room_desk or open_desk(records=store.rooms, control=None, measures=measures)
    seats = room_desk.registry
    look = LiveLook(calls=registry, rooms=seats, link=link, switchboard=switchboard, watch=watch)
    exposition = exposition or Exposition(measures)
    shared_view = SharedView(asterisk_view) if asterisk_view is not None else None
    health_board = _health(store, measures)
    app.state.services = ApiServices(
        calls=registry,
        rendered_calls=RenderedCalls(),
        rooms=room_desk,
        authenticator=_authenticator(store, bootstrap_key, access, limits),
        limits=limits,
        audit=store.audit,
        measures=measures,
        exposition=exposition,
        health=health_board,
        asterisk=shared_view,
        live=Shared(look.look),
        board=_board(registry, seats, health_board, exposition, shared_view, recent, board_masker),
        events=event_hub or EventHub(measures=measures),
    )
    app.add_middleware(Envelope, measures=measures, audit=access.audit, tracing=tracing)
    _add_resources(app)
    return app


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


def _add_resources(app: FastAPI) -> None:
    for resource in VOIP:
        app.include_router(resource.router, prefix=f"{PREFIX}/voip")
    app.include_router(health.details_router, prefix=f"{PREFIX}/voip")
    app.include_router(metrics.router, prefix=PREFIX)
    app.include_router(snmp.router, prefix=PREFIX)
    docs.add_docs(app)
    wallboard.add_wallboard(app)
    add_error_handlers(app)
    describe(app)


def _board(
    calls: CallRegistry,
    rooms: RoomRegistry,
    health: HealthBoard,
    exposition: Exposition,
    view: SharedView | None,
    recent: RecentLines | None,
    masker: Masker | None,
) -> Board:
    look = BoardLook(
        calls=calls,
        rooms=rooms,
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
