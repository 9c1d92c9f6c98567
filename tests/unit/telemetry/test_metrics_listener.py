"""The measures over HTTP without an HTTP server."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from fastagi_server.telemetry import listener
from fastagi_server.telemetry.listener import listen
from fastagi_server.telemetry.measures import Measures

Address = tuple[str, int]


async def document() -> bytes:
    """What is served."""
    return b"sge_voip_agi_sessions_open 3\n"


@pytest.fixture
def measures() -> Measures:
    """What counts the drops."""
    return Measures()


@pytest.fixture
async def address(measures: Measures) -> AsyncGenerator[Address]:
    """A listener on a free port."""
    async with listen("127.0.0.1", 0, document, measures) as found:
        yield found


async def raw(address: Address, request: bytes) -> bytes:
    """All that comes back for these bytes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/metrics/prometheus", "/metrics?x=1"])
async def test_document_is_served(address: Address, path: str) -> None:
    """A GET of either path has the document, its type and its length."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get("http://{}:{}{}".format(*address, path))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text == "sge_voip_agi_sessions_open 3\n"


async def test_head_has_no_body(address: Address) -> None:
    """A HEAD has the length only."""
    answer = await raw(address, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 29\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed"),
        (b"\x16\x03\x01", b"405 Method Not Allowed"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000, b"431 Request Header Fields Too Large"),
    ],
)
async def test_anything_else_is_refused(
    address: Address, request_line: bytes, status: bytes
) -> None:
    """Other paths, methods, protocols and long heads are refused in HTTP's words."""
    answer = await raw(address, request_line + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_client_that_says_nothing(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a request is closed at its deadline."""
    monkeypatch.setattr(listener, "DEADLINE_SECONDS", 0.05)
    assert await raw(address, b"GET /metr") == b""


async def test_client_that_leaves(address: Address) -> None:
    """Half a head and then the end is no fault of anybody."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /metr")
    writer.close()
    assert b"200 OK" in await raw(address, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_crowd_is_refused(
    address: Address, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections beyond the limit are closed and counted, and those before are served."""
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /metrics HTTP/1.1\r\n")
    while not measures.drops.values:
        await raw(address, b"")
    writer.write(b"\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    assert measures.drops.values[("metrics_connection",)] >= 1


async def test_stop_ends_connections(measures: Measures) -> None:
    """A connection that waits does not hold up the end."""
    async with listen("127.0.0.1", 0, document, measures) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /metr")
        await raw(address, b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()


async def test_address_that_is_taken(address: Address, measures: Measures) -> None:
    """A second listener on the address is an error at once."""
    with pytest.raises(OSError, match="address already in use"):
        async with listen(*address, document, measures):
            raise AssertionError
