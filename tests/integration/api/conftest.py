"""The API on a store in a temporary file, with an Asterisk to look at, used in process."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pbx_view import PbxView
from willing_pbx import WillingBridges, WillingPbx

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.identities.identity import Scope
from fastagi_server.rooms.desk import open_desk
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures

BASE = "http://sge/api/v1/voip"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        yield store


@pytest.fixture
def view() -> PbxView:
    """The Asterisk that operators look at."""
    return PbxView()


@pytest.fixture
def pbx() -> WillingPbx:
    """The Asterisk that rings."""
    return WillingPbx()


@pytest.fixture
def app(store: Store, view: PbxView, pbx: WillingPbx) -> FastAPI:
    """The application, with `bootstrap` as its bootstrap key and no limits of rate."""
    measures = Measures()
    bridges = WillingBridges(pbx.asked)
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        control=pbx,
        room_desk=open_desk(records=store.rooms, control=bridges, measures=measures),
        asterisk_view=view,
        access=Access(requests_per_minute=0, failures_per_minute=0),
    )


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
async def service(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the telephone system."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE, headers={"X-API-Key": "bootstrap"}
    ) as client:
        yield client


@pytest.fixture
async def operator(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who runs the telephone system."""
    key = await store.api_keys.add("wallboard", frozenset({Scope.OPERATOR}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE, headers={"X-API-Key": key}
    ) as client:
        yield client


@pytest.fixture
async def alice(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user alice."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE, headers={"X-API-Key": key}
    ) as client:
        yield client


@pytest.fixture
async def eve(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody else."""
    key = await store.api_keys.add("eve", frozenset({Scope.CALLS}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE, headers={"X-API-Key": key}
    ) as client:
        yield client
