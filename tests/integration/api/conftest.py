"""The API on a store in a temporary file, with an Asterisk to look at, used in process."""

import pytest
from fastapi import FastAPI
from pbx_view import PbxView
from willing_gateway import WillingGateway
from willing_pbx import WillingBridges, WillingPbx

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts, PbxParts
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.rooms.desk import open_desk
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures


@pytest.fixture
def view() -> PbxView:
    """The Asterisk that operators look at."""
    return PbxView()


@pytest.fixture
def pbx() -> WillingPbx:
    """The Asterisk that rings."""
    return WillingPbx()


@pytest.fixture
def app(store: Store, measures: Measures, view: PbxView, pbx: WillingPbx) -> FastAPI:
    """The application, with `bootstrap` as its bootstrap key and no limits of rate."""
    bridges = WillingBridges(pbx.asked)
    exchange = Exchange(calls=store.calls, directory=ExtensionTable({}), measures=measures)
    exchange.gateway = WillingGateway(exchange)
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        pbx=PbxParts(
            control=pbx,
            room_desk=open_desk(records=store.rooms, control=bridges, measures=measures),
            view=view,
        ),
        browsers=BrowserParts(exchange=exchange),
        access=Access(requests_per_minute=0, failures_per_minute=0),
    )
