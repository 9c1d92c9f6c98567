"""What the rest of the program tells users over their sockets."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.events.models import Event
from fastagi_server.http import HttpServer
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.tokens import TokenVerifier
from fastagi_server.presenting import Presenting, make_presenting
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.models import SignalKind, SignalMessage
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.integration.sockets.conftest import Open, address_of, frame_of, next_frame, token_of
from tests.unit.identities.token_samples import FixedKeys, trusted

DIRECTORY = ExtensionTable({"1001": "bob"})
NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def presenting(measures: Measures) -> Presenting:
    """Who is there."""
    return make_presenting(DIRECTORY, measures)


@pytest.fixture
def app(store: Store, measures: Measures, presenting: Presenting) -> FastAPI:
    """The application as the service puts it together, without an Asterisk."""
    exchange = Exchange(
        calls=store.calls,
        directory=DIRECTORY,
        measures=measures,
        push=presenting.push,
        attendance=presenting.desk.book,
    )
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(
            tokens=TokenVerifier(FixedKeys(trusted("HS256"))),
            requests_per_minute=0,
            directory=DIRECTORY,
        ),
        browsers=BrowserParts(exchange=exchange, presence_desk=presenting.desk),
    )


def user(server: HttpServer, name: str) -> httpx.AsyncClient:
    """A user's client of the HTTP interface."""
    return httpx.AsyncClient(
        base_url="http://{}:{}/api/v1/voip".format(*server.address),
        headers={"Authorization": f"Bearer {token_of(name)}"},
    )


async def test_signaling_is_pushed_as_it_is_read(server: HttpServer, opened: Open) -> None:
    """A message of the mailbox comes on the addressee's sockets with the fields that GET has."""
    async with opened("bob") as page, user(server, "alice") as alice, user(server, "bob") as bob:
        order = {"participants": ["bob"], "call_type": "video"}
        call = (await alice.post("/calls", json=order)).json()
        message = {"to_user": "bob", "message_type": "hangup", "payload": {"reason": "ended"}}
        await alice.post(f"/calls/{call['id']}/signaling", json=message)
        frame = await frame_of(page, "Signaling")
        (read,) = (await bob.get(f"/calls/{call['id']}/signaling")).json()
    assert frame == {"type": "Signaling", **read}
    assert (frame["from_user"], frame["payload"]) == ("alice", {"reason": "ended"})


async def test_a_long_poll_is_presence(server: HttpServer, opened: Open) -> None:
    """Who waits for messages is seen online without a socket."""
    async with opened("alice") as page, user(server, "alice") as alice, user(server, "bob") as bob:
        await page.send('{"type":"Subscribe","channel":"presence:bob"}')
        await next_frame(page)
        order = {"participants": ["bob"], "call_type": "video"}
        call = (await alice.post("/calls", json=order)).json()
        await bob.get(f"/calls/{call['id']}/signaling?wait=0.1")
        assert (await frame_of(page, "PresenceStatus"))["status"] == "online"


async def test_calls_are_pushed(
    server: HttpServer, opened: Open, presenting: Presenting, store: Store
) -> None:
    """What happens to a call comes on its parties' sockets, as GET has the call."""
    feed = presenting.feed(store, None)
    async with opened("bob") as page, user(server, "alice") as alice:
        order = {"participants": ["bob"], "call_type": "audio"}
        call = (await alice.post("/calls", json=order)).json()
        data = {"actor": "alice", "caller_id": "alice", "participants": ["bob"]}
        feed.hear(Event("call.created", NOON, call=call["id"], data=data))
        await feed.settle()
        assert await frame_of(page, "Call") == {"type": "Call", "call": call}


async def test_what_is_no_json_to_others_is_left_out(
    presenting: Presenting, measures: Measures, server: HttpServer
) -> None:
    """Half a character, which Python takes for JSON, is not sent; it is counted."""
    async with connect(address_of(server, token_of("bob"))) as page:
        await next_frame(page)
        for payload in ("\ud800", "whole"):
            presenting.push.push(
                "bob",
                SignalMessage("m1", "c1", "alice", "bob", SignalKind.MUTE, payload, 1, NOON),
            )
        assert (await frame_of(page, "Signaling"))["payload"] == "whole"
    assert measures.drops.values == {("socket_frame",): 1.0}
