"""What tests of the embedded API have in common: its store, and clients of an `app`.

The folders that use the clients say in a fixture `app` what they are clients of.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures
from tests.integration.api_clients import client_of


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        yield store


@pytest.fixture
def measures() -> Measures:
    """The measures of the application."""
    return Measures()


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def service(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the telephone system."""
    async with client_of(app, {"X-API-Key": "bootstrap"}) as client:
        yield client


@pytest.fixture
async def operator(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who runs the telephone system."""
    key = await store.api_keys.add("wallboard", frozenset({Scope.OPERATOR}))
    async with client_of(app, {"X-API-Key": key}) as client:
        yield client


@pytest.fixture
async def alice(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user alice, who sends her key as a bearer."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    async with client_of(app, {"Authorization": f"Bearer {key}"}) as client:
        yield client


@pytest.fixture
async def eve(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody else."""
    key = await store.api_keys.add("eve", frozenset({Scope.CALLS}))
    async with client_of(app, {"X-API-Key": key}) as client:
        yield client
