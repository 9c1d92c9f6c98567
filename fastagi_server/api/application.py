"""Puts the API together."""

from fastapi import FastAPI

from fastagi_server.api import calls, health, metrics
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.context import ApiServices
from fastagi_server.api.envelope import Envelope
from fastagi_server.api.errors import add_error_handlers
from fastagi_server.api.openapi import TITLE, describe
from fastagi_server.calls.ports import CallControl
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

PREFIX = "/api/v1"


def create_app(
    *,
    store: Store,
    measures: Measures,
    bootstrap_key: str | None,
    version: str,
    control: CallControl | None = None,
) -> FastAPI:
    """The ASGI application of the embedded SGE API.

    It needs no lifespan: the store is open before and closed after. `bootstrap_key` is a key with
    service scope that the store need not know. `control` rings participants; without it a call
    that would have to ring a dial string is refused with 503 `pbx_unreachable`.
    """
    # The PBX is no browser and needs no redirects, and telemetry is ours.
    app = FastAPI(title=TITLE, version=version, redirect_slashes=False)
    app.state.services = ApiServices(
        calls=CallRegistry(records=store.calls, control=control, measures=measures),
        authenticator=Authenticator(keys=store.api_keys, bootstrap_key=bootstrap_key),
        measures=measures,
        check_store=store.database.ping,
    )
    app.include_router(calls.router, prefix=f"{PREFIX}/voip")
    app.include_router(health.router, prefix=f"{PREFIX}/voip")
    app.include_router(metrics.router, prefix=PREFIX)
    app.add_middleware(Envelope, measures=measures)
    add_error_handlers(app)
    describe(app)
    return app
