"""What one user may have told to all the others."""

import json

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.http import HttpServer
from fastagi_server.identities.tokens import TokenVerifier
from fastagi_server.presence.budget import BroadcastBudget
from fastagi_server.presence.desk import open_presence
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.integration.sockets.conftest import Open, next_frame, token_of
from tests.unit.identities.token_samples import FixedKeys, trusted

PING = '{"type":"Ping"}'


@pytest.fixture
def app(store: Store, measures: Measures) -> FastAPI:
    """No second change is told, and what a user says may reach four listeners in all."""
    budget = BroadcastBudget(
        measures=measures, told_per_second=1.0, burst_seconds=4.0, clock=lambda: 0.0
    )
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(tokens=TokenVerifier(FixedKeys(trusted("HS256"))), requests_per_minute=0),
        browsers=BrowserParts(
            presence_desk=open_presence(measures=measures, change_seconds=3600.0, budget=budget)
        ),
    )


async def listen(client: ClientConnection, channel: str) -> None:
    """Subscribe to a channel."""
    await client.send(json.dumps({"type": "Subscribe", "channel": channel}))
    assert (await next_frame(client))["title"] == "Subscribed"


async def test_changes_are_told_at_a_pace_and_seen_at_once(
    server: HttpServer, opened: Open
) -> None:
    """Twenty changes are not told to all, but whoever asks is answered with the last of them."""
    base = "http://{}:{}/api/v1/voip/presence".format(*server.address)
    bearer = {"Authorization": f"Bearer {token_of('bob')}"}
    async with opened("alice") as alice, httpx.AsyncClient(headers=bearer) as client:
        await listen(alice, "presence:all")
        async with opened("bob") as bob:
            frame = await next_frame(alice)
            assert (frame["user_id"], frame["status"]) == ("bob", "online")
            for number in range(20):
                change = {"user_id": "bob", "status": "away", "status_message": f"turn {number}"}
                await bob.send(json.dumps({"type": "PresenceUpdate", **change}))
            await bob.send('{"type":"PresenceProbe","user_id":"bob"}')
            assert (await next_frame(bob))["status_message"] == "turn 19"
            assert (await client.get(base)).json()["status_message"] == "turn 19"
            await alice.send(PING)
            assert await next_frame(alice) == {"type": "Pong"}


async def test_what_one_user_says_to_many_is_limited(opened: Open, measures: Measures) -> None:
    """Beyond his budget a user is told so, and stays; what others say is told as before."""
    words = {"to": "sales", "message": "Hi", "message_type": "groupchat"}
    async with opened("alice") as alice, opened("bob") as bob:
        for client in (alice, bob):
            await listen(client, "group:sales")
        for _ in range(3):
            await alice.send(
                json.dumps({"type": "ChatMessage", "message": {"from": "alice", **words}})
            )
        kinds = [(await next_frame(alice))["type"] for _ in range(3)]
        assert kinds == ["ChatMessage", "ChatMessage", "Error"]
        await bob.send(json.dumps({"type": "ChatMessage", "message": {"from": "bob", **words}}))
        senders = [(await next_frame(bob))["message"]["from"] for _ in range(3)]
        assert senders == ["alice", "alice", "bob"]
        assert (await next_frame(alice))["message"]["from"] == "bob"
    assert measures.drops.values == {("presence_broadcast",): 1.0}
