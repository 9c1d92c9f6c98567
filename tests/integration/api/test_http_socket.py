"""The socket that the API is served on."""

import asyncio
import socket

from fastapi import FastAPI

from fastagi_server.http import HttpServer


async def test_answers_are_not_held_back(app: FastAPI) -> None:
    """A connection's last bytes are sent at once, whichever event loop it is served on."""
    async with HttpServer(app, "127.0.0.1", 0) as server:
        listener = server._socket  # pyright: ignore[reportPrivateUsage] - nobody else needs it
        assert listener is not None
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, server.address)
            accepted, _ = await loop.sock_accept(listener)
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
