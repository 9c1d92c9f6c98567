"""A FastAGI server of raw sockets: sends exactly the bytes that a test wants, with no logic."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from fastagi_server.testing.fake_asterisk import FakeAsterisk

PEER_SECONDS = 5.0


class Peer:
    """The server's end of one session, after the environment was read into `environment`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.environment = b""

    async def read_environment(self) -> None:
        """Read up to the empty line."""
        self.environment = await self.reader.readuntil(b"\n\n")

    def send(self, data: bytes) -> None:
        """Send bytes as they are, in one segment."""
        self.writer.write(data)

    async def line(self) -> str:
        """Read one line; empty at the end of the stream."""
        return (await self.reader.readline()).decode("utf-8", "surrogateescape").rstrip("\n")

    async def ask(self, command: str) -> str:
        """Send one command line and read one line."""
        self.send(command.encode("utf-8", "surrogateescape") + b"\n")
        return await self.line()

    async def ask_lines(self, command: str, count: int) -> list[str]:
        """Send one command line and read so many lines."""
        self.send(command.encode() + b"\n")
        return [await self.line() for _ in range(count)]

    async def finish(self) -> str:
        """Half-close, and read all that still comes."""
        self.writer.write_eof()
        return (await self.reader.read()).decode()


Script = Callable[[Peer], Awaitable[None]]


async def serve(asterisk: FakeAsterisk, script: Script, *, environment: bool = True) -> None:
    """Let `asterisk` run one session against a server that does `script`."""
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        try:
            async with asyncio.timeout(PEER_SECONDS):
                if environment:
                    await peer.read_environment()
                await script(peer)
            outcome.set_result(None)
        except Exception as error:  # noqa: BLE001 - handed to the test
            outcome.set_exception(error)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        host, port = cast("tuple[str, int]", server.sockets[0].getsockname())
        await asterisk.run(host, port)
        await outcome
    finally:
        server.close()
        await server.wait_closed()
        if outcome.done() and not outcome.cancelled():
            outcome.exception()
