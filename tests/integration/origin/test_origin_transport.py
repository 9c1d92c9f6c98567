"""The transport over real sockets: connections kept, dropped and never mixed up."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from origin_stage import body_of, get, transport_to

from fastagi_server.origin.connection import ResponseTooLargeError, StaleConnectionError
from fastagi_server.origin.transport import OriginTransport
from tests.integration.scripted_server import (
    CALL,
    Peer,
    always,
    answer,
    once,
    scripted_server,
)


async def test_response_is_an_ordinary_one() -> None:
    """Status, headers and body arrive, through `httpx.AsyncClient` too."""
    async with (
        scripted_server(always(answer())) as server,
        transport_to(server) as transport,
        httpx.AsyncClient(transport=transport) as client,
    ):
        response = await client.post(f"{server.url}/calls", json={"a": 1})
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.json()["id"] == "c1"


async def test_request_is_sent_whole() -> None:
    """Method, path, query, headers and body reach the server as httpx has them."""
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.request())
        await peer.say(answer())

    async with scripted_server(script) as server, transport_to(server) as transport:

        async def body() -> AsyncGenerator[bytes]:
            yield b"abc"
            yield b"def"

        request = httpx.Request(
            "POST",
            f"{server.url}/calls?x=%20",
            content=body(),
            headers={"Content-Length": "6", "User-Agent": "test"},
        )
        await transport.handle_async_request(request)
    assert requests == [
        b"POST /api/v1/voip/calls?x=%20 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(server.port).encode() + b"\r\n"
        b"Content-Length: 6\r\nUser-Agent: test\r\n\r\nabcdef"
    ]


async def test_connection_is_kept_alive() -> None:
    """Requests one after the other share a connection."""
    async with scripted_server(always(answer())) as server, transport_to(server) as transport:
        for _ in range(5):
            assert await body_of(await get(transport, server)) == CALL
    assert server.connections == 1


async def test_requests_at_once_have_connections_of_their_own() -> None:
    """Nothing is pipelined; afterwards the connections serve again."""
    everyone_is_here = asyncio.Barrier(4)

    async def script(peer: Peer) -> None:
        await peer.request()
        await everyone_is_here.wait()
        await peer.say(answer())
        await always(answer())(peer)

    async with scripted_server(script) as server, transport_to(server) as transport:
        await asyncio.gather(*(get(transport, server) for _ in range(4)))
        for _ in range(4):
            await get(transport, server)
    assert server.connections == 4


async def test_old_idle_connection_is_not_used_again() -> None:
    """A connection that the server may be about to close is closed by us."""
    async with (
        scripted_server(always(answer())) as server,
        transport_to(server, keep_alive_seconds=0.0) as transport,
    ):
        for _ in range(3):
            await get(transport, server)
    assert server.connections == 3


async def test_connection_grows_too_old_while_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age is looked at when it is taken, whatever has happened since it was put back."""
    now = 0.0
    monkeypatch.setattr(OriginTransport, "_now", staticmethod(lambda: now))
    async with (
        scripted_server(always(answer())) as server,
        transport_to(server, keep_alive_seconds=4.0, limit=1) as transport,
    ):
        await get(transport, server)
        now = 3.9
        await get(transport, server)
        now = 7.9
        await get(transport, server)
    assert server.connections == 2


async def test_closing_server_is_believed() -> None:
    """After `Connection: close` the next request has a new connection."""
    async with (
        scripted_server(once(answer(CALL, 201, "Connection: close"))) as server,
        transport_to(server) as transport,
    ):
        for _ in range(3):
            assert (await get(transport, server)).status_code == 201
    assert server.connections == 3


async def test_close_without_an_answer_on_a_kept_connection_is_stale() -> None:
    """The one failure that tells the client to ask again at once."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()

    async with scripted_server(script) as server, transport_to(server) as transport:
        await get(transport, server)
        with pytest.raises(StaleConnectionError):
            await get(transport, server)
        assert (await get(transport, server)).status_code == 201


async def test_close_without_an_answer_on_a_new_connection_is_an_error() -> None:
    """A server that closes at once did perhaps see the request."""

    async def script(peer: Peer) -> None:
        await peer.request()

    async with scripted_server(script) as server, transport_to(server) as transport:
        with pytest.raises(httpx.ReadError):
            await get(transport, server)


async def test_answer_before_the_end_of_the_request_is_taken() -> None:
    """A server that refuses a large body early is heard."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(answer(b"{}", 413, "Connection: close"))
        await peer.closed_by_client()

    async with scripted_server(script) as server, transport_to(server) as transport:
        request = httpx.Request("POST", server.url, content=b"x" * 100_000)
        assert (await transport.handle_async_request(request)).status_code == 413


async def test_interim_responses_are_skipped() -> None:
    """100 and 103 are not the answer."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with (
        scripted_server(always(interim + answer())) as server,
        transport_to(server) as transport,
    ):
        assert (await get(transport, server)).status_code == 201


async def test_bytes_nobody_asked_for_end_the_connection() -> None:
    """A server that talks out of turn cannot have its words taken for the next answer."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        if peer.number == 1:
            await peer.say(answer(b'{"id":"forged"}'))
            await peer.closed_by_client()
            gone.set()

    async with scripted_server(script) as server, transport_to(server) as transport:
        assert await body_of(await get(transport, server)) == CALL
        await gone.wait()
        assert await body_of(await get(transport, server)) == CALL
    assert server.connections == 2


async def test_other_origins_are_not_served() -> None:
    """A request meant for another host does not go to ours, with our credential in it."""
    async with scripted_server(always(answer())) as server, transport_to(server) as transport:
        with pytest.raises(httpx.UnsupportedProtocol):
            await transport.handle_async_request(httpx.Request("GET", "http://elsewhere.test/"))
    assert server.connections == 0


@pytest.mark.parametrize("value", ["a\r\nX-Forged: 1", "a\nb", "a\rb", "a\0b"])
async def test_header_cannot_hold_another_one(value: str) -> None:
    """What httpx does not check in header values, the transport does."""
    async with scripted_server(always(answer())) as server, transport_to(server) as transport:
        request = httpx.Request("GET", server.url, headers={"X-Name": value})
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
    assert server.connections == 0


@pytest.mark.parametrize(
    "data",
    [
        answer(b"x" * 10_001),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1000\r\n%s\r\n" % (b"x" * 4096) * 4,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: many\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
    ],
)
async def test_too_much_is_not_read(data: bytes) -> None:
    """Bodies, headers and interim responses without measure end at the limit."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)
        await peer.closed_by_client()

    async with scripted_server(script) as server, transport_to(server) as transport:
        with pytest.raises(ResponseTooLargeError):
            await get(transport, server)
