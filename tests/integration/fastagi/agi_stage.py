"""The FastAGI server on loopback, calls to it, and what they leave in the log and the measures."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from structlog.testing import capture_logs
from structlog.typing import EventDict

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Route, Variables, route
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import FakeAsterisk, Line
from fastagi_server.testing.serving import Routes, serve_routes

PATIENCE_SECONDS = 10.0

QUICK = Deadlines(environment=0.1, dead_zone=0.2, settle=0.2, linger=0.2)
"""For tests of what happens past a deadline."""

ENVIRONMENT = b"""agi_network: yes
agi_network_script: %s
agi_uniqueid: 17.4
agi_version: 22.10.1

"""


def plain(path: str = "plain") -> Route:
    """A route that returns at once."""

    @route(path)
    async def handler(_channel: AgiChannel, _services: object) -> Variables:
        return {"PLAIN": "yes"}

    return handler


def of(work: Callable[[AgiChannel], Awaitable[Variables | None]], **options: Any) -> Route:
    """A route at `r` that does `work` with the channel."""

    @route("r", **options)
    async def handler(channel: AgiChannel, _services: object) -> Variables | None:
        return await work(channel)

    return handler


def noticing(event: asyncio.Event, text: str) -> Callable[[Line], None]:
    """An observer for `FakeAsterisk` that sets `event` at a line that begins with `text`."""

    def observe(line: Line) -> None:
        if line.text.startswith(text):
            event.set()

    return observe


@dataclass
class Aftermath:
    """What a server left behind: log lines as they came, and the measures."""

    logs: list[EventDict] = field(default_factory=list[EventDict])
    measures: Measures = field(default_factory=Measures)

    def lines(self, event: str) -> list[EventDict]:
        """The log lines of an event."""
        return [line for line in self.logs if line["event"] == event]

    @property
    def session(self) -> EventDict:
        """The one line at the end of the one session."""
        (line,) = self.lines("agi_session")
        return line

    @property
    def warnings(self) -> list[EventDict]:
        """Lines above info."""
        return [line for line in self.logs if line["log_level"] not in {"info", "debug"}]


@asynccontextmanager
async def staged(
    routes: Routes, services: object = None, **options: Any
) -> AsyncGenerator[tuple[FastAgiServer, Aftermath]]:
    """A server and its aftermath, which is complete once the context is left."""
    aftermath = Aftermath()
    with capture_logs() as logs:
        aftermath.logs = logs
        async with serve_routes(routes, services, measures=aftermath.measures, **options) as server:
            yield server, aftermath


async def play(
    asterisk: FakeAsterisk, routes: Routes, services: object = None, **options: Any
) -> Aftermath:
    """Let `asterisk` run its session; complete aftermath."""
    async with staged(routes, services, **options) as (server, aftermath):
        await asterisk.run(*server.addresses[0])
    assert asterisk.violations == []
    return aftermath


class Peer:
    """A raw connection to the server, which sends exactly what a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)

    async def line(self) -> str:
        """The next line the server sends, "" at its end of stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self.reader.readline()).decode()

    async def rest(self) -> bytes:
        """All that comes to the end of the stream; a reset ends it too."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def connected(server: FastAgiServer) -> AsyncGenerator[Peer]:
    """A raw connection, closed at the end."""
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def arrival(server: FastAgiServer, count: int = 1) -> None:
    """Wait until the server has accepted so many connections."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.open_sessions < count:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0)


async def departure(server: FastAgiServer) -> None:
    """Wait until the server has seen the end of every connection, which frees their places."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.open_sessions:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0)
