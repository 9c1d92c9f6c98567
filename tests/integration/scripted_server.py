"""An HTTP server that says exactly what a test tells it to, byte by byte."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

Script = Callable[["Peer"], Awaitable[None]]

CALL = b'{"id":"c1","status":"ringing","metadata":{"asterisk_channel_id":"17.4"}}'


def answer(body: bytes = CALL, status: int = 201, *headers: str) -> bytes:
    """A plain JSON answer."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Peer:
    """One connection, seen from the server: `number` counts them from 1."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next request, head and body; `EOFError` when the client has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def closed_by_client(self) -> None:
        """Wait until the client has closed or reset the connection."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass


@dataclass
class ScriptedServer:
    """A server on loopback that runs `script` for each connection."""

    script: Script
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def url(self) -> httpx.URL:
        """The base URL."""
        return httpx.URL(f"http://127.0.0.1:{self.port}/api/v1/voip")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the script; its connection ends with it."""
        self.connections += 1
        peer = Peer(self.connections, reader, writer)
        try:
            await self.script(peer)
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted_server(script: Script) -> AsyncGenerator[ScriptedServer]:
    """The server while it listens."""
    server = ScriptedServer(script)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        server.tasks.add(task)
        task.add_done_callback(server.tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(server.tasks):
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
        await listener.wait_closed()


def always(data: bytes) -> Script:
    """Answer every request of a connection with `data`."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(data)

    return script


def once(data: bytes) -> Script:
    """Answer one request with `data` and close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)

    return script
