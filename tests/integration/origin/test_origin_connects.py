"""How the transport connects, over real sockets: addresses, TLS, and to no other origin."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from fastagi_server.origin.transport import OriginTransport
from fastagi_server.telemetry.measures import Measures
from tests.integration.scripted_server import (
    CALL,
    always,
    answer,
    scripted_server,
)


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
