"""The embedded API with every proof of identity taken, used in process."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.audit import AuditTrail
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Scope
from fastagi_server.identities.passwords import make_line
from fastagi_server.identities.tokens import TokenVerifier
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.operators import Operators
from tests.integration.api_clients import client_of
from tests.unit.identities.token_samples import FixedKeys, trusted

LINE = make_line("olga", "correct horse")


@pytest.fixture
def accounts(tmp_path: Path) -> Operators:
    """One operator: olga, with the password `correct horse`."""
    path = tmp_path / "operators"
    path.write_text(LINE)
    return Operators(path)


@pytest.fixture
async def trail(store: Store, measures: Measures) -> AsyncIterator[AuditTrail]:
    """The audit, which begins to store once it is entered."""
    async with AuditTrail(store.audit, measures=measures) as trail:
        yield trail


@pytest.fixture
def app(store: Store, measures: Measures, accounts: Operators, trail: AuditTrail) -> FastAPI:
    """The application; a user may ask five times a minute and have two calls."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(
            tokens=TokenVerifier(FixedKeys(trusted("HS256"), trusted("EdDSA")), audience="voip"),
            accounts=accounts,
            requests_per_minute=5,
            failures_per_minute=4,
            directory=ExtensionTable({"1002": "bob"}),
            max_calls=2,
            audit=trail,
        ),
    )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client at 192.0.2.7 that sends no credentials by itself."""
    async with client_of(app, address=("192.0.2.7", 4711)) as client:
        yield client


@pytest.fixture
async def operator_key(store: Store) -> str:
    """A key with the scope operator."""
    return await store.api_keys.add("noc", frozenset({Scope.OPERATOR}))
