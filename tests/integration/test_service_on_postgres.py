"""The real service with its records in a real PostgreSQL server that comes and goes."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service_process import PATIENCE_SECONDS, free_port, process

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from lab.postgres import Postgres, why_not

KEY = {"X-API-Key": "k"}
ORDER = {"participants": ["bob"], "call_type": "audio"}


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; without one skip, saying why, and on CI fail."""
    reason = why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with Postgres.start() as running:
        yield running


async def is_ready(api: httpx.AsyncClient) -> bool:
    """Whether the service says that it can do its work."""
    try:
        return (await api.get("/health/ready")).status_code == 200
    except httpx.TransportError:  # the worker with the API is not up yet
        return False


async def ready(api: httpx.AsyncClient) -> None:
    """Wait until the service can do its work."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await is_ready(api):
                return
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_service_outlives_its_database(tmp_path: Path, postgres: Postgres) -> None:
    """Two processes make the tables, calls are kept in them, and an outage is told and survived."""
    port = free_port()
    settings = {
        "FASTAGI_DATABASE_URL": postgres.url(postgres.create_database()),
        "FASTAGI_WORKERS": "2",
        "SGE_API_KEY": "k",
        "PORT": str(port),
    }
    base = f"http://127.0.0.1:{port}/api/v1/voip"
    async with (
        process(tmp_path, **settings) as service,
        httpx.AsyncClient(base_url=base, headers=KEY, trust_env=False) as api,
    ):
        await service.line('"listening"')
        await ready(api)
        asterisk = FakeAsterisk("register", unique_id="17.4", deadline=PATIENCE_SECONDS)
        await asterisk.run("127.0.0.1", service.port)
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
        call = f"/calls/{asterisk.variables['SGE_CALL_ID']}"
        recorded = (await api.get(call)).json()
        assert recorded["metadata"]["asterisk_channel_id"] == "17.4"

        postgres.halt()
        for answer in (await api.get(call), await api.post("/calls", json=ORDER)):
            assert answer.status_code == 503
            assert answer.json()["code"] == "store_unavailable"
            assert int(answer.headers["Retry-After"]) > 0
        assert (await api.get("/health/ready")).status_code == 503
        assert (await api.get("/health/live")).status_code == 200
        waiting = FakeAsterisk("register", unique_id="17.5", deadline=PATIENCE_SECONDS)
        await waiting.run("127.0.0.1", service.port)
        assert waiting.variables["SGE_STATUS"] == "QUEUED"

        postgres.resume()
        await ready(api)
        assert (await api.get(call)).json() == recorded
        assert (await api.post("/calls", json=ORDER)).status_code == 201
    assert "lab-secret" not in service.text
