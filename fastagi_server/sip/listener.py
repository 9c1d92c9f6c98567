"""Where Asterisk connects to us: the connections that it opens, from its address and no other."""

import asyncio
from collections.abc import Callable

from fastagi_server.sip.connection import Connection
from fastagi_server.sip.messages import Message
from fastagi_server.telemetry.measures import Measures

MAX_CONNECTIONS = 32
"""At once. Asterisk needs one, and another while that one is going."""


class SipListener:
    """Accepts connections from `peers`, which are addresses, while it is open."""

    def __init__(
        self,
        on_message: Callable[[Message, Connection], None],
        *,
        peers: frozenset[str],
        measures: Measures,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._on_message = on_message
        self._peers = set(peers)
        self._measures = measures
        self._max_connections = max_connections
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises `OSError` when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port)

    def allow(self, peer: str) -> None:
        """Accept connections from one more address."""
        self._peers.add(peer)

    def close(self) -> None:
        """Accept no more, and close what is open when all is sent."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.close("we stopped")

    def _connection(self) -> Connection:
        return Connection(
            self._on_message,
            self._measures,
            admit=self._admit,
            on_closed=self._connections.discard,
        )

    def _admit(self, connection: Connection) -> bool:
        if connection.peer[0] not in self._peers:
            return False
        if len(self._connections) >= self._max_connections:
            return False
        self._connections.add(connection)
        return True
