"""The embedded API on a store in a temporary file, used in process."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures

BASE = "http://sge/api/v1/voip"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'calls.db'}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(url) as store:
        yield store


@pytest.fixture
def measures() -> Measures:
    """The measures of the application."""
    return Measures()


@pytest.fixture
def app(store: Store, measures: Measures) -> FastAPI:
    """The application, with `bootstrap` as its bootstrap key."""
    return create_app(store=store, measures=measures, bootstrap_key="bootstrap", version="1.2.3")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the telephone system."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE, headers={"X-API-Key": "bootstrap"}
    ) as client:
        yield client


@pytest.fixture
async def alice(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user alice."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=BASE,
        headers={"Authorization": f"Bearer {key}"},
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
