"""How the client library keeps in touch: socket, polls, tokens, a service that comes and goes."""

import asyncio
import json

import pytest
from client_stage import Stage, silent
from playwright.async_api import Route

from fastagi_server.signaling.models import SignalKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_SOCKET = """{ media: { WebSocket: class {
    constructor() { setTimeout(() => this.onclose?.({ code: 1006 })); }
    close() {}
} } }"""

CUT = """() => {
    window.sockets = [];
    const Real = WebSocket;
    window.WebSocket = class extends Real {
        constructor(...details) {
            if (window.isCut) throw new Error("the network is away");
            super(...details);
            sockets.push(this);
        }
    };
}"""


async def test_calls_go_on_without_the_socket(stage: Stage) -> None:
    """Where there is never a socket, answers are asked for, and calls work all the same."""
    alice = await stage.sign_in(options=NO_SOCKET)
    assert await alice.run("() => client.connection") == "polling"
    await alice.call()
    await alice.until("connected")
    await alice.run("() => call.hangup()")
    await alice.until("ended", "ended", "us")
    assert await alice.refusal("client.rooms.join('any')") == "service_away"


async def test_the_socket_comes_back(stage: Stage) -> None:
    """After an interruption nothing is lost, nothing comes twice, and the order is kept."""
    stage.gateway.behaviour = silent
    alice = await stage.page_of("alice")
    await alice.run(CUT)
    await alice.run("token => near.start({ token })", alice.key)
    call_id = await alice.call()
    await stage.gateway.until("offer")
    stage.gateway.tell(call_id, SignalKind.MUTE)
    await alice.until("peermuted", True)
    await alice.run("() => { window.isCut = true; sockets.at(-1).onclose({ code: 1006 }); }")
    await alice.until_true("client.connection === 'polling'")
    stage.gateway.tell(call_id, SignalKind.UNMUTE)
    await alice.until("peermuted", False)
    await alice.run("() => { window.isCut = false; }")
    await alice.until_true("client.connection === 'connected'")
    stage.gateway.tell(call_id, SignalKind.RINGING)
    await alice.until("ringing")
    assert await alice.told() == [["peermuted", True], ["peermuted", False], ["ringing"]]
    states = await alice.run("() => near.states")
    assert states[:3] == ["connecting", "connected", "polling"]
    assert states[-1] == "connected"


async def test_a_token_that_is_refused(stage: Stage) -> None:
    """A token that cannot be renewed is said to be wrong; with another one it goes on."""
    alice = await stage.page_of("alice")
    refused = "token => near.start({ token }).catch(({ code, status }) => [code, status])"
    assert await alice.run(refused, "nobody's") == ["unauthorized", 401]
    await alice.run("async token => { client.setToken(token); await client.connect(); }", alice.key)
    assert await alice.run("() => client.connection") == "connected"


async def test_a_token_is_renewed(stage: Stage) -> None:
    """A function that gives tokens is asked again, once for all, when one is refused."""
    alice = await stage.page_of("alice")
    await alice.run(
        """async token => {
            window.asked = [];
            await near.start({ token: async ({ refresh }) => {
                asked.push(refresh);
                return refresh ? token : "expired";
            } });
            await Promise.all([client.presence.get(), client.presence.list()]);
        }""",
        alice.key,
    )
    assert await alice.run("() => asked") == [False, True]
    assert await alice.run("() => client.connection") == "connected"


@pytest.mark.parametrize(("code", "state"), [(4401, "connected"), (4403, "unauthorized")])
async def test_a_socket_is_closed_for_its_token(stage: Stage, code: int, state: str) -> None:
    """A token that expires is renewed without a call noticing; one without rights is not tried."""
    alice = await stage.page_of("alice")
    await alice.run(CUT)
    spare = await stage.key("alice")
    await alice.run(
        "tokens => near.start({ token: () => tokens.shift() ?? 'none' })", [alice.key, spare]
    )
    await alice.call()
    await alice.until("connected")
    await alice.run("code => sockets.at(-1).onclose({ code })", code)
    await alice.until_true(f"client.connection === '{state}' && near.states.length > 2")
    assert await alice.run("() => call.state") == "connected"
    if state == "unauthorized":
        assert [address for address in alice.watched.requests if "wait=" in address] == []
    assert await alice.run("() => sockets.length") == (2 if state == "connected" else 1)


async def test_a_handshake_that_says_nothing(stage: Stage) -> None:
    """Where a socket only fails, the token is tried otherwise before the user is asked for one."""
    alice = await stage.sign_in(options=NO_SOCKET)
    assert await alice.run("() => client.connection") == "polling"
    await alice.page.route(
        "**/api/v1/voip/presence",
        lambda route: route.fulfill(status=401, json={"code": "unauthorized", "message": "No"}),
    )
    await alice.until_true("client.connection === 'unauthorized'")
    await alice.page.unroute("**/api/v1/voip/presence")
    await alice.run("token => client.setToken(token)", alice.key)
    await alice.until_true("client.connection === 'polling'")


async def test_a_request_is_made_again(stage: Stage) -> None:
    """A service that restarts is asked again, with the same key, so that there is one call."""
    alice = await stage.sign_in()
    keys: list[str | None] = []

    async def fail_twice(route: Route) -> None:
        if route.request.method == "GET":  # the library looks for calls that ring
            await route.continue_()
            return
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            await route.abort()
        elif len(keys) == 2:
            await route.fulfill(status=503, body="<html>", content_type="text/html")
        else:
            await route.continue_()

    await alice.page.route("**/api/v1/voip/calls", fail_twice)
    await alice.call()
    await alice.until("connected")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


async def test_a_service_that_is_away(stage: Stage) -> None:
    """Where nobody answers, connecting says so."""
    alice = await stage.page_of("alice")
    await alice.page.route("**/api/v1/voip/**", lambda route: route.abort())
    refused = "token => near.start({ token }).catch(({ code }) => code)"
    assert await alice.run(refused, alice.key) == "service_away"


async def test_ice_servers_are_asked_for_once(stage: Stage) -> None:
    """The servers are kept until they expire, and given to the connection as they are."""
    alice = await stage.page_of("alice")
    servers = [{"urls": ["turn:127.0.0.1:9"], "username": "1:alice", "credential": "secret"}]
    asked = await alice.answer_with(
        "ice-servers", {"ice_servers": servers, "ttl_seconds": 3600, "expires_at": None}
    )
    options = "{ token, iceTransportPolicy: 'all' }"
    await alice.run(f"token => near.start({options})", alice.key)
    await alice.call()
    await alice.until("connected")
    used = await alice.run("() => near.peer.getConfiguration().iceServers")
    assert [{**server, "urls": list(server["urls"])} for server in used] == servers
    assert len(asked) == 1


async def test_frames_that_are_none(stage: Stage) -> None:
    """What the library does not know is left alone, and the next frame counts."""
    alice = await stage.page_of("alice")
    await alice.run(CUT)
    await alice.run("token => near.start({ token })", alice.key)
    frames = ["{", "null", "7", '{"type": 7}', '{"type": "__proto__"}', '{"type": "News"}']
    await alice.run(
        "frames => frames.forEach((data) => sockets.at(-1).onmessage({ data }))", frames
    )
    word = {"type": "Notification", "title": "Lunch", "message": "Is ready", "level": "info"}
    await alice.run("() => client.on('notification', (word) => { window.word = word; })")
    await alice.run("data => sockets.at(-1).onmessage({ data })", json.dumps(word))
    assert await alice.run("() => word") == {
        "title": "Lunch",
        "message": "Is ready",
        "level": "info",
    }
    assert alice.watched.complaints == []


async def test_a_listener_that_throws(stage: Stage) -> None:
    """A page's mistake in a listener is the page's, and the call and others go on."""
    alice = await stage.sign_in()
    await alice.run(
        """async () => {
            const one = await client.call("1001");
            one.on("ringing", () => { throw new Error("the page's own"); });
            near.watch(one);
        }"""
    )
    await alice.until("connected")
    async with asyncio.timeout(10):
        while not alice.watched.complaints:
            await alice.run("() => new Promise((resolve) => setTimeout(resolve, 20))")
    assert alice.watched.complaints == ["the page's own"]


async def test_close(stage: Stage) -> None:
    """Closing the client ends its calls and its socket."""
    alice = await stage.sign_in()
    await alice.call()
    await alice.until("connected")
    await alice.run("() => client.close()")
    await alice.until("ended", "ended", "us")
    assert stage.gateway.kinds == ["offer", "hangup"]
    assert await alice.run("() => near.states") == ["connecting", "connected", "closed"]
