"""The embedded API on a store in a temporary file, used in process."""

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures


@pytest.fixture
def app(store: Store, measures: Measures) -> FastAPI:
    """The application, with `bootstrap` as its bootstrap key."""
    return create_app(store=store, measures=measures, bootstrap_key="bootstrap", version="1.2.3")


@pytest.fixture
def client(service: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of the telephone system."""
    return service
