"""The event stream on a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.events.hub import EventHub
from fastagi_server.http import HttpServer
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures


@pytest.fixture
def hub(measures: Measures) -> EventHub:
    """The stream."""
    return EventHub(measures=measures, max_readers=2, boot="b0")


@pytest.fixture
def app(store: Store, measures: Measures, hub: EventHub) -> FastAPI:
    """The application with that stream."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(requests_per_minute=0),
        event_hub=hub,
    )


@pytest.fixture
async def key(store: Store) -> str:
    """An operator's key."""
    return await store.api_keys.add("operator", frozenset({Scope.OPERATOR}))


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[HttpServer]:
    """The application on a port of loopback."""
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        try:
            yield server
        finally:
            server.stop()
            await running
