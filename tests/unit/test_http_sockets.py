"""The end of a WebSocket whose client has gone already."""

import asyncio
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from fastagi_server.http_sockets import SocketLimits, SocketProtocol

HANDSHAKE = (
    b"GET /ws/auth HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class GoneTransport(asyncio.Transport):
    """The connection of a client that has reset it, before the loop has noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.halves_closed = 0

    def write(self, data: Any) -> None:
        """Keep what is written."""
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        """A plain connection can be closed by halves."""
        return True

    def write_eof(self) -> None:
        """The kernel knows no such connection any more."""
        self.halves_closed += 1
        raise OSError(107, "Transport endpoint is not connected")

    def close(self) -> None:
        """The connection is to end."""

    def abort(self) -> None:
        """The connection is given up."""

    def is_closing(self) -> bool:
        """The loop has not noticed."""
        return False


@pytest.fixture
async def protocol() -> SocketProtocol:
    """A connection of an application that lets everybody in, and waits."""

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    config = Config(application, lifespan="off", log_config=None)
    return SocketProtocol(config, ServerState(), {}, limits=SocketLimits(), on_drop=lambda _: None)


async def test_a_client_that_is_gone_does_not_stop_the_shutdown(protocol: SocketProtocol) -> None:
    """A connection that cannot be closed by halves is left to its timer, and nothing is raised."""
    transport = GoneTransport()
    protocol.connection_made(transport)
    protocol.data_received(HANDSHAKE)
    async with asyncio.timeout(10):
        while not protocol.handshake_complete:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    protocol.shutdown()
    assert transport.halves_closed == 1
    assert b"the service stops" in transport.written
    timer = protocol.close_timer
    assert timer is not None
    assert not timer.cancelled()
    protocol.connection_lost(ConnectionResetError())
    await asyncio.gather(*protocol.tasks)


async def test_a_head_that_is_too_long_of_a_client_that_is_gone(protocol: SocketProtocol) -> None:
    """Nor does the refusal of such a head raise when its client does not wait for it."""
    transport = GoneTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET /ws/auth?token=" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n")
    assert transport.halves_closed == 1
    assert transport.written.startswith(b"HTTP/1.1 ")
    protocol.connection_lost(ConnectionResetError())
