"""Event sockets: who is let in, and what is said on them."""

import asyncio
import json
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from fastagi_server.api.sockets import Sockets
from fastagi_server.http import HttpServer
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.integration.sockets.conftest import (
    Open,
    address_of,
    end_of,
    frame_of,
    next_frame,
    token_of,
)


async def refusal_of(address: str, **headers: str) -> httpx.Response:
    """How a handshake is refused."""
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(address, additional_headers=headers):
            pass
    response = refusal.value.response
    return httpx.Response(
        response.status_code,
        headers=list(response.headers.raw_items()),
        content=bytes(response.body),
    )


# -- who is let in ---------------------------------------------------------------------------------


async def test_a_token_in_the_address(server: HttpServer) -> None:
    """The documented way: a token in the address, and a first frame that says who one is."""
    async with connect(address_of(server, token_of("alice"))) as client:
        frame = await next_frame(client)
    assert (frame["type"], frame["title"], frame["level"]) == ("Notification", "Connected", "info")
    assert frame["message"].startswith("You are alice, connection ")


async def test_a_key_in_the_address(server: HttpServer, store: Store) -> None:
    """API keys are good in the address as well."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    async with connect(address_of(server, key)) as client:
        assert "alice" in (await next_frame(client))["message"]


async def test_headers(server: HttpServer) -> None:
    """A program may send its credential as with any request."""
    for name, value in (("Authorization", f"Bearer {token_of('bob')}"), ("X-API-Key", "bootstrap")):
        async with connect(address_of(server), additional_headers={name: value}) as client:
            assert (await next_frame(client))["title"] == "Connected"


async def test_a_subprotocol(server: HttpServer) -> None:
    """A browser may send the token beside the protocol's name, which alone is chosen."""
    offered = [Subprotocol("sge-voip"), Subprotocol(f"bearer.{token_of('alice')}")]
    async with connect(address_of(server), subprotocols=offered) as client:
        assert client.subprotocol == "sge-voip"
        assert "alice" in (await next_frame(client))["message"]


@pytest.mark.parametrize("token", ["", "wrong", "a.b.c", "%ff", "&" * 30])
async def test_programs_are_refused_by_status(server: HttpServer, token: str) -> None:
    """Without a good credential the handshake is refused with 401, in the API's words."""
    answer = await refusal_of(address_of(server, token))
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthorized"


async def test_an_expired_token_is_refused(server: HttpServer) -> None:
    """A token that has expired, however short a time ago, opens no socket."""
    answer = await refusal_of(address_of(server, token_of("alice", -1.0)))
    assert (answer.status_code, answer.json()["message"]) == (401, "token expired")


async def test_pages_are_refused_by_close_code(server: HttpServer) -> None:
    """A page cannot see the status of a handshake: it is let in and closed with 4401."""
    async with connect(address_of(server, "wrong"), origin=Origin("https://a.example")) as client:
        assert await end_of(client) == (4401, "The API key is unknown or revoked")


async def test_pages_are_refused_in_their_protocol(server: HttpServer) -> None:
    """Also one that sent its token as a subprotocol, and would fail if none were chosen."""
    offered = [Subprotocol("sge-voip"), Subprotocol("bearer.wrong")]
    async with connect(
        address_of(server), origin=Origin("https://a.example"), subprotocols=offered
    ) as client:
        assert client.subprotocol == "sge-voip"
        assert (await end_of(client))[0] == 4401


async def test_any_origin_may_connect(server: HttpServer) -> None:
    """Where a page is from does not matter: it has a token."""
    address = address_of(server, token_of("alice"))
    async with connect(address, origin=Origin("https://elsewhere.example")) as client:
        assert (await next_frame(client))["title"] == "Connected"


async def test_other_paths_are_none(server: HttpServer) -> None:
    """There is one path for event sockets; elsewhere a request is a request."""
    answer = await refusal_of(address_of(server).replace("/ws/auth", "/ws/other"))
    assert answer.status_code == HTTPStatus.NOT_FOUND


async def test_sockets_are_limited(server: HttpServer, opened: Open) -> None:
    """One socket too many is refused with 503, and there is room again when one is closed."""
    async with opened("alice"), opened("bob"):
        async with opened("carol"):
            answer = await refusal_of(address_of(server, token_of("dave")))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        async with opened("dave"):
            pass


async def test_sockets_of_one_user_are_limited(
    server: HttpServer, opened: Open, app: FastAPI
) -> None:
    """One user's share of sockets is limited; for others there is room."""
    app.state.services.presence.book._max_sockets_per_user = 1
    async with opened("alice"):
        answer = await refusal_of(address_of(server, token_of("alice")))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_sockets")
        async with opened("bob"):
            pass


# -- until when ------------------------------------------------------------------------------------


async def test_a_token_that_expires_closes_the_socket(server: HttpServer) -> None:
    """At its token's end a socket is closed with 4401, in words."""
    async with connect(address_of(server, token_of("alice", 1.5))) as client:
        assert (await next_frame(client))["title"] == "Connected"
        assert await end_of(client) == (4401, "token expired")


async def test_a_revoked_key_closes_the_socket(
    server: HttpServer, store: Store, app: FastAPI
) -> None:
    """A key that was revoked keeps no socket open for long."""
    sockets: Sockets = app.state.services.sockets
    sockets._look_again_seconds = 0.05  # pyright: ignore[reportPrivateUsage] - a minute else
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    async with connect(address_of(server, key)) as client:
        await next_frame(client)
        await store.api_keys.revoke("alice")
        assert await end_of(client) == (4401, "The API key is unknown or revoked")


async def test_the_end_of_the_service(server: HttpServer, opened: Open) -> None:
    """A service that stops closes its sockets with 1001."""
    async with opened("alice") as client:
        server.stop()
        assert await end_of(client) == (1001, "the service stops")


# -- what is said ----------------------------------------------------------------------------------


async def test_presence_is_told(opened: Open) -> None:
    """Who listens hears others come, change and go."""
    async with opened("alice") as alice:
        await alice.send('{"type":"Subscribe","channel":"presence:bob"}')
        assert (await next_frame(alice))["title"] == "Subscribed"
        async with opened("bob") as bob:
            assert (await next_frame(alice))["status"] == "online"
            await bob.send(
                '{"type":"PresenceUpdate","user_id":"bob","status":"away","status_message":"Out"}'
            )
            frame = await next_frame(alice)
            assert (frame["status"], frame["status_message"]) == ("away", "Out")
            async with opened("bob"):
                pass
        frame = await next_frame(alice)
        assert (frame["user_id"], frame["status"]) == ("bob", "offline")


async def test_the_tagged_form(opened: Open) -> None:
    """A client of the older form is answered in it, with four states."""
    async with opened("alice") as client:
        await client.send('{"PresenceUpdate":{"user_id":"alice","status":"DoNotDisturb"}}')
        await client.send('{"PresenceProbe":{"user_id":"alice"}}')
        frame = await next_frame(client)
        assert frame["PresenceStatus"]["status"] == "Busy"
        await client.send('"Ping"')
        assert await next_frame(client) == "Pong"
        await client.send('{"type":"Ping"}')
        assert await next_frame(client) == {"type": "Pong"}


async def test_binary_frames_are_read_like_text(opened: Open) -> None:
    """A client that sends its JSON as bytes is understood."""
    async with opened("alice") as client:
        await client.send(b'{"type":"Ping"}')
        assert await next_frame(client) == {"type": "Pong"}


async def test_what_cannot_be_read_is_answered(opened: Open) -> None:
    """A frame that is none gets an Error, and after too many of them the connection ends."""
    async with opened("alice") as client:
        await client.send("not JSON")
        assert await next_frame(client) == {
            "type": "Error",
            "message": "The frame is not well-formed JSON",
        }
        await client.send(b"\xff")
        assert (await next_frame(client))["type"] == "Error"
        for _ in range(8):
            await client.send("{}")
        assert await end_of(client) == (1008, "too many frames that cannot be read")


async def test_rest_and_sockets_share_one_state(server: HttpServer, opened: Open) -> None:
    """What is said over HTTP is told on sockets, and the other way round."""
    base = "http://{}:{}/api/v1/voip/presence".format(*server.address)
    bearer = {"Authorization": f"Bearer {token_of('bob')}"}
    async with opened("alice") as alice, httpx.AsyncClient(headers=bearer) as bob:
        await alice.send('{"type":"Subscribe","channel":"presence:all"}')
        await next_frame(alice)
        await bob.put(base, json={"status": "do_not_disturb", "status_message": "Shh"})
        frame = await next_frame(alice)
        assert (frame["user_id"], frame["status"]) == ("bob", "do_not_disturb")
        await alice.send('{"type":"PresenceUpdate","user_id":"alice","status":"away"}')
        await next_frame(alice)
        listed = (await bob.get(f"{base}/users")).json()
    assert [(each["user_id"], each["status"]) for each in listed] == [
        ("alice", "away"),
        ("bob", "do_not_disturb"),
    ]


async def test_what_others_may_send(server: HttpServer, opened: Open) -> None:
    """Trusted keys notify users, and how many sockets there are is there to see."""
    base = "http://{}:{}/ws".format(*server.address)
    key = {"X-API-Key": "bootstrap"}
    async with opened("alice") as alice, httpx.AsyncClient(base_url=base, headers=key) as service:
        await alice.send('{"type":"Subscribe","channel":"system"}')
        await next_frame(alice)
        sent = await service.post("/notify/alice", json={"title": "Lunch", "level": "success"})
        assert sent.json()["status"] == "notification_sent"
        frame = await next_frame(alice)
        assert (frame["title"], frame["level"]) == ("Lunch", "success")
        missed = await service.post("/notify/bob", json={})
        assert missed.json()["status"] == "user_not_connected"
        nobody = await service.post("/notify/al ice", json={})
        assert nobody.status_code == HTTPStatus.NOT_FOUND
        status = (await service.get("/status")).json()
    assert (status["status"], status["clients_connected"], status["channels_active"]) == (
        "active",
        1,
        1,
    )


async def test_users_may_not_notify(server: HttpServer) -> None:
    """Notifications are for trusted keys."""
    bearer = {"Authorization": f"Bearer {token_of('bob')}"}
    base = "http://{}:{}/ws".format(*server.address)
    async with httpx.AsyncClient(base_url=base, headers=bearer) as bob:
        assert (await bob.post("/notify/alice", json={})).status_code == HTTPStatus.FORBIDDEN


async def test_the_token_is_in_no_line(
    server: HttpServer, opened: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither good tokens nor bad ones are logged, wherever they were sent."""
    async with opened("alice"):
        pass
    await refusal_of(address_of(server, "sesame-" + "x" * 20))
    await refusal_of(address_of(server, "sesame-" + "x" * 9000))
    captured = capfd.readouterr()
    assert "token=" not in captured.out + captured.err
    assert "sesame" not in captured.out + captured.err


async def test_frames_are_counted(opened: Open, measures: Measures) -> None:
    """What comes is counted by kind, and the open sockets are."""
    async with opened("alice") as client:
        await client.send('{"type":"Ping"}')
        await next_frame(client)
        await client.send("{")
        await next_frame(client)
        assert measures.sockets_open.values == {(): 1.0}
        assert measures.socket_frames.values == {("Ping",): 1.0, ("unreadable",): 1.0}


async def test_pushed_frames_reach_every_page(opened: Open, app: FastAPI) -> None:
    """What the program has to say to a user comes on all his sockets."""
    async with opened("alice") as first, opened("alice") as second:
        app.state.services.presence.book.push("alice", "Signaling", {"call_id": "c1"})
        for client in (first, second):
            frame = await frame_of(client, "Signaling")
            assert json.loads(json.dumps(frame)) == {"type": "Signaling", "call_id": "c1"}
        await asyncio.sleep(0)
