"""The STUN and TURN servers that browsers are told of, over HTTP."""

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.signaling.ice import IceBook
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.integration.api_clients import client_of


@pytest.fixture
def app(store: Store, measures: Measures) -> FastAPI:
    """An installation with a STUN and a TURN server."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key=None,
        version="1.2.3",
        browsers=BrowserParts(
            ice=IceBook(
                stun_urls=["stun:stun.example:3478"],
                turn_urls=["turn:turn.example:3478"],
                secret="swordfish",
                seconds=600,
            )
        ),
    )


async def test_ready_for_a_browser(alice: httpx.AsyncClient) -> None:
    """The answer goes into RTCPeerConnection as it is, and into no cache."""
    answer = await alice.get("/ice-servers")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    stun, turn = body["ice_servers"]
    assert stun == {"urls": ["stun:stun.example:3478"]}
    assert sorted(turn) == ["credential", "urls", "username"]
    assert turn["username"].endswith(":alice")
    assert len(turn["credential"]) == 28
    assert body["ttl_seconds"] == 600
    assert body["expires_at"].endswith("Z")


async def test_needs_a_credential(anybody: httpx.AsyncClient) -> None:
    """A relay costs money: nobody gets one without saying who he is."""
    assert (await anybody.get("/ice-servers")).status_code == 401


async def test_needs_the_right_to_call(app: FastAPI, store: Store) -> None:
    """A credential that may not call has no use for a relay."""
    key = await store.api_keys.add("reader", frozenset())
    async with client_of(app, {"X-API-Key": key}) as client:
        answer = await client.get("/ice-servers")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_without_servers(store: Store, measures: Measures) -> None:
    """An installation without servers says so with an empty list."""
    app = create_app(store=store, measures=measures, bootstrap_key="bootstrap", version="1.2.3")
    async with client_of(app, {"X-API-Key": "bootstrap"}) as client:
        assert (await client.get("/ice-servers")).json()["ice_servers"] == []
