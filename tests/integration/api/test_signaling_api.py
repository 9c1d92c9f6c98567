"""Signaling over HTTP, from the first request to the last message."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from willing_gateway import WillingGateway

from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts
from fastagi_server.calls.models import Call
from fastagi_server.http import HttpServer
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Scope
from fastagi_server.signaling.errors import WrongStateError
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.models import SignalMessage
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.integration.api_clients import client_of

SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
    "a=fingerprint:sha-256 "
    "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:"
    "DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n"
)
OFFER = {"type": "offer", "sdp": SDP}


@pytest.fixture
def exchange(store: Store, measures: Measures) -> Exchange:
    """An exchange that knows bob behind 1002, without a gateway."""
    directory = ExtensionTable({"1002": "bob"})
    return Exchange(calls=store.calls, directory=directory, measures=measures)


@pytest.fixture
def app(store: Store, measures: Measures, exchange: Exchange) -> FastAPI:
    """The application, for calls between users."""
    return create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        browsers=BrowserParts(exchange=exchange),
    )


@pytest.fixture
async def bob(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user bob."""
    key = await store.api_keys.add("bob", frozenset({Scope.CALLS}))
    async with client_of(app, {"X-API-Key": key}) as client:
        yield client


@pytest.fixture
async def path(alice: httpx.AsyncClient) -> str:
    """Where the messages of a call of alice with bob are."""
    answer = await alice.post("/calls", json={"participants": ["bob"], "call_type": "video"})
    assert answer.status_code == 201
    return f"/calls/{answer.json()['id']}/signaling"


def a_message(kind: str, to_user: str, payload: Any) -> dict[str, Any]:
    """The body of a request that sends."""
    return {"to_user": to_user, "message_type": kind, "payload": payload}


async def test_from_browser_to_browser(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, path: str
) -> None:
    """A message is answered as it is stored, and its addressee reads the same."""
    sent = await alice.post(path, json=a_message("offer", "bob", OFFER))
    assert sent.status_code == 200
    read = await bob.get(path)
    assert read.status_code == 200
    assert read.headers["cache-control"] == "no-store"
    assert read.json() == [sent.json()]
    message = sent.json()
    assert message["timestamp"] == message["created_at"]
    assert message["sequence_number"] > 1_700_000_000_000_000
    expected = {
        "id": message["id"],
        "call_id": path.split("/")[2],
        "from_user": "alice",
        "to_user": "bob",
        "message_type": "offer",
        "payload": OFFER,
        "timestamp": message["timestamp"],
        "created_at": message["timestamp"],
        "sequence_number": message["sequence_number"],
    }
    assert message == expected
    assert (await alice.get(path)).json() == []


async def test_cursor(alice: httpx.AsyncClient, bob: httpx.AsyncClient, path: str) -> None:
    """A reader goes on behind what he has read."""
    first = await alice.post(path, json=a_message("mute", "bob", {}))
    await alice.post(path, json=a_message("unmute", "bob", {}))
    after = first.json()["sequence_number"]
    read = await bob.get(path, params={"after": after})
    assert [message["message_type"] for message in read.json()] == ["unmute"]


async def test_long_poll(alice: httpx.AsyncClient, bob: httpx.AsyncClient, path: str) -> None:
    """A reader who waits has the message as soon as it is sent."""
    reading = asyncio.create_task(bob.get(path, params={"wait": 30}))
    sent = await alice.post(path, json=a_message("offer", "bob", OFFER))
    assert (await reading).json() == [sent.json()]


async def test_poll_without_a_message(bob: httpx.AsyncClient, path: str) -> None:
    """A wait that brings nothing is answered with an empty list."""
    assert (await bob.get(path, params={"wait": 0.01})).json() == []


async def test_telephone_of_a_user(
    service: httpx.AsyncClient, alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    """The callee of SIP/1002 signals too, though he is no participant by name."""
    channel = {"asterisk_call_id": "pbx-17.4"}
    order = {"participants": ["SIP/1002"], "call_type": "audio", "metadata": channel}
    call = (await service.post("/calls", json=order)).json()
    path = f"/calls/{call['id']}/signaling"
    assert (await bob.get(path)).status_code == 200
    assert (await alice.get(path)).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "code", "title"),
    [
        (a_message("dance", "bob", {}), 422, "invalid_signaling_type", "Invalid signaling type"),
        (a_message("ringing", "bob", {}), 422, "invalid_signaling_type", "Invalid signaling type"),
        (a_message("offer", "bob", {}), 422, "invalid_sdp", "Signaling failed"),
        (a_message("offer", "bob", "v=0"), 422, "invalid_payload", "Signaling failed"),
        (
            a_message("ice_candidate", "bob", {"candidate": "garbage"}),
            422,
            "invalid_candidate",
            "Signaling failed",
        ),
        (a_message("hangup", "eve", {}), 422, "invalid_addressee", "Signaling failed"),
        (a_message("hangup", "alice", {}), 422, "invalid_addressee", "Signaling failed"),
        (a_message("hangup", "bob", "x" * 5000), 422, "invalid_payload", "Signaling failed"),
        (a_message("offer", "asterisk", OFFER), 503, "gateway_unavailable", "Signaling failed"),
        ({"to_user": "bob", "message_type": "mute"}, 422, "invalid_request", "Signaling failed"),
        (a_message("offer", "bob", "x" * 65_536), 413, "content_too_large", "Signaling failed"),
    ],
)
async def test_refusals(
    alice: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str, title: str
) -> None:
    """What cannot be sent is refused under the documented titles, with a code that stays."""
    answer = await alice.post(path, json=body)
    refusal = answer.json()
    assert (answer.status_code, refusal["code"], refusal["error"]) == (status, code, title)
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_ten_megabytes_of_sdp(alice: httpx.AsyncClient, path: str) -> None:
    """An SDP of 10 MB is refused, and the next message of the same client is taken."""
    huge = {"type": "offer", "sdp": SDP + "a=x\r\n" * 2_000_000}
    assert (await alice.post(path, json=a_message("offer", "bob", huge))).status_code == 413
    assert (await alice.post(path, json=a_message("offer", "bob", OFFER))).status_code == 200


async def test_strangers(eve: httpx.AsyncClient, operator: httpx.AsyncClient, path: str) -> None:
    """Nobody else writes or reads, operators not either, and no call has other ids."""
    for client in (eve, operator):
        assert (await client.post(path, json=a_message("mute", "bob", {}))).status_code == 403
        assert (await client.get(path)).json()["code"] == "forbidden"
    nowhere = "/calls/00000000-0000-4000-8000-000000000000/signaling"
    answer = await eve.get(nowhere)
    assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")


async def test_ended_call(alice: httpx.AsyncClient, bob: httpx.AsyncClient, path: str) -> None:
    """Into a call that has ended nothing is sent; what was sent is still there."""
    await alice.post(path, json=a_message("offer", "bob", OFFER))
    await alice.post(path.replace("signaling", "end"))
    answer = await alice.post(path, json=a_message("hangup", "bob", {}))
    assert (answer.status_code, answer.json()["code"]) == (409, "call_ended")
    kinds = [message["message_type"] for message in (await bob.get(path)).json()]
    assert kinds == ["offer", "hangup"]


async def test_waits_are_limited(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, path: str, exchange: Exchange
) -> None:
    """A user waits four times at once; when the service stops all of them are answered."""
    waits = [asyncio.create_task(bob.get(path, params={"wait": 30})) for _ in range(5)]
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    (refused,) = (task.result() for task in done)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_waits")
    assert "retry-after" in refused.headers
    assert (await alice.get(path, params={"wait": 0.01})).status_code == 200
    exchange.close()
    assert [task.result().json() for task in (await asyncio.wait(waiting))[0]] == [[]] * 4


async def test_with_asterisk(alice: httpx.AsyncClient, path: str, exchange: Exchange) -> None:
    """An offer to Asterisk is answered by messages from Asterisk, in order."""
    exchange.gateway = WillingGateway(exchange)
    assert (await alice.post(path, json=a_message("offer", "asterisk", OFFER))).status_code == 200
    messages = (await alice.get(path)).json()
    assert [(each["from_user"], each["message_type"]) for each in messages] == [
        ("asterisk", "ringing"),
        ("asterisk", "answer"),
    ]


class RefusingGateway:
    """Has no leg of anybody."""

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Gateway."""
        raise WrongStateError("There is no leg of yours in this call")


async def test_refused_by_the_gateway(
    alice: httpx.AsyncClient, path: str, exchange: Exchange
) -> None:
    """What the gateway says is wrong is said to the sender."""
    exchange.gateway = RefusingGateway()
    refused = await alice.post(path, json=a_message("mute", "asterisk", {}))
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert refused.json()["message"] == "There is no leg of yours in this call"


class WaitingUsers:
    """Says when somebody comes to wait, and when he has left."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    def polling(self, user: str) -> "WaitingUsers":
        """See signaling.ports.Attendance."""
        assert user == "bob"
        return self

    def __enter__(self) -> None:
        self.came.set()

    def __exit__(self, *_details: object) -> None:
        self.left.set()


async def test_client_that_leaves(
    store: Store, measures: Measures, app: FastAPI, path: str
) -> None:
    """Who closes his connection waits no more, long before the wait would have ended."""
    key = await store.api_keys.add("bob", frozenset({Scope.CALLS}))
    waiting = WaitingUsers()
    app.state.services = replace(
        app.state.services,
        signaling=Exchange(
            calls=store.calls, directory=ExtensionTable({}), measures=measures, attendance=waiting
        ),
    )
    request = f"GET /api/v1/voip{path}?wait=30 HTTP/1.1\r\nHost: sge\r\nX-API-Key: {key}\r\n\r\n"
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(request.encode())
        await waiting.came.wait()
        writer.close()
        await waiting.left.wait()
        server.stop()
        await running
