"""Puts the API together."""

from fastapi import FastAPI

from fastagi_server.api import (
    asterisk,
    audit_log,
    call_commands,
    calls,
    docs,
    health,
    metrics,
    rooms,
)
from fastagi_server.api.access import Access
from fastagi_server.api.asterisk_view import AsteriskView, Shared, SharedView
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.context import ApiServices
from fastagi_server.api.envelope import Envelope
from fastagi_server.api.errors import add_error_handlers
from fastagi_server.api.limits import Limits
from fastagi_server.api.live import LinkView, LiveLook, Switchboard
from fastagi_server.api.openapi import TITLE, describe
from fastagi_server.calls.ports import CallControl
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.rooms.desk import RoomDesk, open_desk
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

PREFIX = "/api/v1"
VOIP = (calls, call_commands, rooms, asterisk, audit_log, health)


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
    access: Access = Access(),  # noqa: B008 - frozen
) -> FastAPI:
    """The ASGI application of the embedded SGE API.

    It needs no lifespan: the store is open before and closed after. `bootstrap_key` is a key with
    service scope that the store need not know. `control` rings participants; without it a call
    that would have to ring a dial string is refused with 503 `pbx_unreachable`. `asterisk_view` is
    what operators look at; without it `asterisk/*` is refused in the same way. `link` and
    `switchboard` are shown in `asterisk/live`. `room_desk` is the one that the PBX's events come
    to; without it there are rooms for users without telephones.
    `access` says who is let in besides API keys, how often, and what is audited.
    """
    app = _empty_app(version)
    limits = access.limits(measures)
    registry = CallRegistry(
        records=store.calls,
        control=control,
        measures=measures,
        directory=access.directory,
        max_calls=access.max_calls,
    )
    room_desk = room_desk or open_desk(records=store.rooms, control=None, measures=measures)
    look = LiveLook(calls=registry, rooms=room_desk.registry, link=link, switchboard=switchboard)
    app.state.services = ApiServices(
        calls=registry,
        rooms=room_desk,
        authenticator=_authenticator(store, bootstrap_key, access, limits),
        limits=limits,
        audit=store.audit,
        measures=measures,
        check_store=store.database.ping,
        asterisk=SharedView(asterisk_view) if asterisk_view is not None else None,
        live=Shared(look.look),
    )
    for resource in VOIP:
        app.include_router(resource.router, prefix=f"{PREFIX}/voip")
    app.include_router(metrics.router, prefix=PREFIX)
    docs.add_docs(app)
    app.add_middleware(Envelope, measures=measures, audit=access.audit)
    add_error_handlers(app)
    describe(app)
    return app


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
