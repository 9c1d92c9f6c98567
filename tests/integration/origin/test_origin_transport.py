"""The transport over real sockets: connections kept, limited, dropped and never mixed up."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fastagi_server.origin.connection import ResponseTooLargeError, StaleConnectionError
from fastagi_server.origin.transport import OriginTransport
from fastagi_server.telemetry.measures import Measures
from tests.integration.scripted_server import (
    CALL,
    Peer,
    ScriptedServer,
    always,
    answer,
    once,
    scripted_server,
)


@asynccontextmanager
async def transport_to(
    server: ScriptedServer,
    *,
    measures: Measures | None = None,
    limit: int = 10,
    max_waiting: int = 10,
    keep_alive_seconds: float = 60.0,
    max_response_bytes: int = 10_000,
) -> AsyncGenerator[OriginTransport]:
    """A transport for the server's origin."""
    async with OriginTransport(
        server.url,
        measures=measures or Measures(),
        limit=limit,
        max_waiting=max_waiting,
        keep_alive_seconds=keep_alive_seconds,
        max_response_bytes=max_response_bytes,
    ) as transport:
        yield transport


async def get(
    transport: OriginTransport, server: ScriptedServer, seconds: float = 5.0
) -> httpx.Response:
    """One request, as httpx makes it."""
    deadline = asyncio.get_running_loop().time() + seconds
    request = httpx.Request("GET", f"{server.url}/calls", extensions={"deadline": deadline})
    return await transport.handle_async_request(request)


async def body_of(response: httpx.Response) -> bytes:
    """The body."""
    return await response.aread()


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


async def test_deadline_ends_the_request_and_the_connection() -> None:
    """A late answer finds nobody, least of all the next request."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()
        await peer.say(answer()[:20])
        await peer.closed_by_client()
        gone.set()

    async with scripted_server(script) as server, transport_to(server) as transport:
        await get(transport, server)
        with pytest.raises(httpx.ReadTimeout):
            await get(transport, server, 0.02)
        await gone.wait()
        assert await body_of(await get(transport, server)) == CALL


async def test_timeouts_of_httpx_are_kept() -> None:
    """Used through `httpx.AsyncClient`, its read timeout counts."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()
        await peer.closed_by_client()

    async with (
        scripted_server(script) as server,
        transport_to(server) as transport,
        httpx.AsyncClient(transport=transport) as client,
    ):
        await client.get(server.url)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.02)


async def test_cancelled_request_closes_its_connection() -> None:
    """A caller who hangs up leaves no half-read connection behind."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            asked.set()
            await peer.closed_by_client()
            gone.set()
            return
        await peer.say(answer())

    async with scripted_server(script) as server, transport_to(server) as transport:
        task = asyncio.create_task(get(transport, server))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()
        assert (await get(transport, server)).status_code == 201


async def test_connections_are_limited_and_handed_on() -> None:
    """More requests than connections wait their turn, in order, and all are served."""
    async with (
        scripted_server(always(answer())) as server,
        transport_to(server, limit=2, max_waiting=100) as transport,
    ):
        responses = await asyncio.gather(*(get(transport, server) for _ in range(50)))
    assert {response.status_code for response in responses} == {201}
    assert server.connections == 2


async def test_waiting_requests_outlive_closing_connections() -> None:
    """When every answer closes its connection, those who wait open new ones."""
    async with (
        scripted_server(once(answer(CALL, 201, "Connection: close"))) as server,
        transport_to(server, limit=2, max_waiting=100) as transport,
    ):
        responses = await asyncio.gather(*(get(transport, server) for _ in range(20)))
    assert {response.status_code for response in responses} == {201}
    assert server.connections == 20


async def test_too_many_waiting_requests_are_refused_at_once() -> None:
    """The queue has an end, and whoever is turned away is counted."""
    measures, served = Measures(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())
        await always(answer())(peer)

    async with (
        scripted_server(script) as server,
        transport_to(server, measures=measures, limit=1, max_waiting=1) as transport,
    ):
        first = asyncio.create_task(get(transport, server))
        second = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await get(transport, server)
        served.set()
        assert (await first).status_code == (await second).status_code == 201
    assert measures.drops.values == {("sge_request_waiting",): 1.0}


async def test_waiting_ends_at_the_deadline() -> None:
    """Waiting for a connection is part of the time of a request, and harms nobody else."""
    served = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())
        await always(answer())(peer)

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await get(transport, server, 0.02)
        cancelled = asyncio.create_task(get(transport, server))
        third = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        cancelled.cancel()
        served.set()
        assert (await first).status_code == (await third).status_code == 201
    assert server.connections == 1


@pytest.mark.parametrize("cancel_turns", range(8))
async def test_slots_survive_cancellation_at_any_moment(cancel_turns: int) -> None:
    """Whenever the one who waits gives up, the connection is there for the next."""
    async with scripted_server(always(answer())) as server, transport_to(server, limit=1) as wire:
        first = asyncio.create_task(get(wire, server))
        second = asyncio.create_task(get(wire, server))
        for _ in range(cancel_turns):
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (await get(wire, server)).status_code == 201
        assert (await get(wire, server)).status_code == 201


@pytest.mark.parametrize("closes", [False, True])
async def test_what_is_granted_in_the_last_moment_goes_on(
    monkeypatch: pytest.MonkeyPatch, *, closes: bool
) -> None:
    """A connection, or the right to open one, given to a request just cancelled is not lost."""
    data = answer(CALL, 201, "Connection: close") if closes else answer()
    served = asyncio.Event()
    tasks: list[asyncio.Task[httpx.Response]] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(data)
        if not closes:
            await always(data)(peer)

    def grant_and_cancel(waiter: asyncio.Future[object], granted: object) -> bool:
        waiter.set_result(granted)
        if not tasks[1].cancelling():
            tasks[1].cancel()
        return True

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        monkeypatch.setattr("fastagi_server.origin.transport._grant", grant_and_cancel)
        tasks += [asyncio.create_task(get(transport, server)) for _ in range(3)]
        await asyncio.sleep(0)
        served.set()
        first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(second, asyncio.CancelledError)
    assert isinstance(first, httpx.Response)
    assert isinstance(third, httpx.Response)
    assert server.connections == (2 if closes else 1)


async def test_refused_connection_is_a_connect_error() -> None:
    """Nobody listens: said at once, and the slot is free again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with OriginTransport(
        httpx.URL(f"http://127.0.0.1:{port}"), measures=Measures(), limit=1
    ) as transport:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await transport.handle_async_request(
                    httpx.Request("GET", f"http://127.0.0.1:{port}/")
                )


async def test_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead address first is reached by its second."""
    async with scripted_server(always(answer())) as server:

        async def getaddrinfo(*_: object, **__: object) -> list[object]:
            family = socket.AF_INET
            return [
                (family, socket.SOCK_STREAM, 6, "", ("127.0.0.99", server.port)),
                (family, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
            ]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        url = httpx.URL(f"http://api.test:{server.port}/calls")
        async with OriginTransport(url, measures=Measures()) as transport:
            response = await transport.handle_async_request(httpx.Request("GET", url))
    assert response.status_code == 201


async def test_ipv6_origin_is_reached() -> None:
    """An address in brackets works."""
    try:
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    port = listener.sockets[0].getsockname()[1]
    url = httpx.URL(f"http://[::1]:{port}/")
    async with OriginTransport(url, measures=Measures()) as transport:
        with pytest.raises(httpx.ReadError):
            await transport.handle_async_request(httpx.Request("GET", url))
    listener.close()
    await listener.wait_closed()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    key, crt = tmp_path / "key.pem", tmp_path / "crt.pem"
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x"
    subprocess.run(
        [
            openssl,
            *arguments.split(),
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            str(key),
            "-out",
            str(crt),
        ],
        check=True,
        capture_output=True,
    )
    return crt, key


@pytest.mark.parametrize(("host", "known"), [("localhost", True), ("127.0.0.1", False)])
async def test_tls_is_spoken_and_checked(
    certificate: tuple[Path, Path], host: str, *, known: bool
) -> None:
    """The name in the certificate must be the host's, else nothing is sent."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(*certificate)
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(CALL, 201, "Connection: close"))
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
    url = httpx.URL(f"https://{host}:{listener.sockets[0].getsockname()[1]}/calls")
    client_side = ssl.create_default_context(cafile=str(certificate[0]))
    async with OriginTransport(url, measures=Measures(), ssl_context=client_side) as transport:
        request = httpx.Request("GET", url)
        if known:
            assert (await transport.handle_async_request(request)).status_code == 201
        else:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await transport.handle_async_request(request)
    assert len(requests) == int(known)
    listener.close()
    await listener.wait_closed()


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


async def test_warming_opens_one_connection() -> None:
    """A connection opened in advance serves the first request."""
    async with scripted_server(always(answer())) as server, transport_to(server) as transport:
        deadline = asyncio.get_running_loop().time() + 5.0
        await transport.warm(deadline=deadline)
        await transport.warm(deadline=deadline)
        await get(transport, server)
    assert server.connections == 1


async def test_warming_a_busy_pool_does_nothing() -> None:
    """With every connection in use there is nothing to warm."""
    served = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        await transport.warm(deadline=asyncio.get_running_loop().time() + 5.0)
        served.set()
        assert (await first).status_code == 201


async def test_closing_fails_what_is_under_way() -> None:
    """When the program ends, requests and those who wait for a connection end with it."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.closed_by_client()

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        second = asyncio.create_task(get(transport, server))
        await asked.wait()
        await transport.aclose()
        first_end, second_end = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(first_end, httpx.ReadError)
        assert isinstance(second_end, httpx.ConnectError)
        with pytest.raises(httpx.ConnectError):
            await get(transport, server)
