"""`asterisk/*` of the API, looking at a real Asterisk."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fastagi_server.api.application import create_app
from fastagi_server.api.asterisk_bodies import (
    AsteriskBridge,
    AsteriskChannel,
    AsteriskEndpoint,
    AsteriskInfo,
)
from fastagi_server.api.parts import PbxParts
from fastagi_server.ari.client import open_ari
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures
from lab.asterisk import Asterisk
from lab.control import Control

pytestmark = pytest.mark.asterisk


@asynccontextmanager
async def looking_at(control: Control, folder: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """An operator's client of an API that looks at the Asterisk of this ARI."""
    measures = Measures()
    url = f"http://127.0.0.1:{control.port}/ari"
    async with (
        open_store(f"sqlite:///{folder / 'calls.db'}") as store,
        open_ari(url, username=control.user, password=control.password, measures=measures) as view,
    ):
        app = create_app(
            store=store,
            measures=measures,
            bootstrap_key=None,
            version="1.2.3",
            pbx=PbxParts(view=view),
        )
        key = await store.api_keys.add("wallboard", frozenset({Scope.OPERATOR}))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://sge/api/v1/voip/asterisk",
            headers={"X-API-Key": key},
        ) as client:
            yield client


@pytest.fixture
async def operator(asterisk: Asterisk, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An operator who looks at the lab's Asterisk."""
    async with looking_at(asterisk.control, tmp_path) as client:
        yield client


@pytest.fixture
def channel(asterisk: Asterisk) -> Iterator[str]:
    """The id of a channel that waits in the dialplan."""
    yield asterisk.control.originate(
        "Local/wait@lab", context="lab", extension="wait", channel_id="looked-at-1"
    )
    asterisk.control.hang_up("looked-at-1")


async def test_health_and_info(operator: httpx.AsyncClient, asterisk: Asterisk) -> None:
    """A real Asterisk is healthy, and what it says of itself is relayed as it is."""
    health = await operator.get("/health")
    assert (health.status_code, health.text) == (200, "Asterisk is healthy")
    info = await operator.get("/info")
    assert info.json() == asterisk.control.request("GET", "asterisk/info")
    assert AsteriskInfo.model_validate_json(info.content).system is not None


async def test_channels(operator: httpx.AsyncClient, asterisk: Asterisk, channel: str) -> None:
    """A live channel is seen in the list and by its id, as Asterisk shows it."""
    listed = (await operator.get("/channels")).json()
    shown = (await operator.get(f"/channels/{channel}")).json()
    assert shown == asterisk.control.request("GET", f"channels/{channel}")
    assert [each["id"] for each in listed if each["id"] == channel] == [channel]
    for each in listed:
        AsteriskChannel.model_validate(each)


async def test_bridges(operator: httpx.AsyncClient, asterisk: Asterisk) -> None:
    """A bridge is seen as Asterisk shows it."""
    asterisk.control.request("POST", "bridges/looked-at", {"type": "mixing", "name": "seen"})
    try:
        listed = (await operator.get("/bridges")).json()
        assert listed == asterisk.control.request("GET", "bridges")
        assert AsteriskBridge.model_validate(listed[0]).id == "looked-at"
    finally:
        asterisk.control.request("DELETE", "bridges/looked-at")


async def test_endpoints(operator: httpx.AsyncClient, asterisk: Asterisk) -> None:
    """The telephones of the samples are seen in the list and by name."""
    listed = [
        AsteriskEndpoint.model_validate(each) for each in (await operator.get("/endpoints")).json()
    ]
    assert {"1001", "1002", "1003"} <= {each.resource for each in listed}
    one = await operator.get("/endpoints/PJSIP/1001")
    assert one.json() == asterisk.control.request("GET", "endpoints/PJSIP/1001")


@pytest.mark.parametrize(
    "path",
    ["/channels/no-such", "/endpoints/PJSIP/no-such", "/endpoints/NOTECH/1001"],
)
async def test_unknown(operator: httpx.AsyncClient, path: str) -> None:
    """What a real Asterisk does not have is 404."""
    answer = await operator.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_wrong_password(asterisk: Asterisk, tmp_path: Path) -> None:
    """An Asterisk that does not let us in is unhealthy, and refuses the rest."""
    control = Control(asterisk.control.port, "wrong")
    async with looking_at(control, tmp_path) as client:
        health = await client.get("/health")
        info = await client.get("/info")
    assert (health.status_code, health.json()["error"]) == (503, "Asterisk unhealthy")
    assert (info.status_code, info.json()["code"]) == (502, "pbx_refused")
    assert info.headers["retry-after"] == "5"


async def test_nobody_there(tmp_path: Path) -> None:
    """Where nothing listens the PBX is unreachable."""
    async with looking_at(Control(1, "x"), tmp_path) as client:
        answers = [await client.get(path) for path in ("/health", "/info", "/channels/1")]
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.json()["code"] for answer in answers} == {"pbx_unreachable"}
