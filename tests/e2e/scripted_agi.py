"""A FastAGI server that does as a test tells it, well or badly."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

DEADLINE_SECONDS = 10


class Session:
    """One connection of Asterisk: its request, and commands one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.environment: dict[str, str] = {}
        self.lines: list[str] = []
        self.read: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer

    @property
    def route(self) -> str:
        """The path of the URL, without its query."""
        return self.environment.get("agi_network_script", "").partition("?")[0]

    @property
    def parameters(self) -> dict[str, str]:
        """The query of the URL, decoded."""
        query = self.environment.get("agi_network_script", "").partition("?")[2]
        return dict(parse_qsl(query, keep_blank_values=True))

    async def receive_line(self) -> str:
        """Return the next line from Asterisk without its end, empty once it has closed."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = (await self._reader.readline()).decode().rstrip("\n")
        self.lines.append(line)
        return line

    async def receive_environment(self) -> None:
        """Read the request; the first of a repeated name counts."""
        while line := await self.receive_line():
            name, _, value = line.partition(": ")
            self.environment.setdefault(name, value)

    async def command(self, line: str) -> str:
        """Send one command and return its reply, passing over notices of a hang-up."""
        await self.send(line)
        while (reply := await self.receive_line()) == "HANGUP":
            pass
        return reply

    async def send(self, line: str) -> None:
        """Send one line, whole."""
        self._writer.write(f"{line}\n".encode())
        await self._writer.drain()

    async def receive_end(self) -> None:
        """Read on until Asterisk closes."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self._reader.readline():
                pass


Behaviour = Callable[[Session], Awaitable[None]]


def setting(**variables: str) -> Behaviour:
    """Set channel variables and leave, as a server does that works."""

    async def behave(session: Session) -> None:
        for name, value in variables.items():
            await session.command(f'SET VARIABLE {name} "{value}"')

    return behave


def reading(*names: str) -> Behaviour:
    """Read channel variables into `session.read` and leave."""

    async def behave(session: Session) -> None:
        for name in names:
            reply = await session.command(f"GET FULL VARIABLE ${{{name}}}")
            session.read[name] = reply.partition("(")[2].removesuffix(")")

    return behave


async def dying(_session: Session) -> None:
    """Close without a word, as a server does that is killed."""


async def declining(session: Session) -> None:
    """Answer `failure`, as a server does that is overloaded."""
    await session.send("failure")


async def hanging(session: Session) -> None:
    """Do nothing until Asterisk closes, as a server does that is stuck."""
    await session.receive_end()


class ScriptedAgi:
    """A server whose routes behave as `behaviours` says; the last of a list stays.

    A route that is not listed behaves as `dying`. Every session is kept in `sessions`.
    """

    def __init__(self, **behaviours: Behaviour | list[Behaviour]) -> None:
        self.sessions: list[Session] = []
        self.port = 0
        self._behaviours: dict[str, list[Behaviour]] = {
            route: behaviour if isinstance(behaviour, list) else [behaviour]
            for route, behaviour in behaviours.items()
        }
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def requests(self, route: str) -> list[Session]:
        """Return the sessions that asked for a route so far."""
        return [session for session in self.sessions if session.route == route]

    async def request(self, route: str, number: int = 1) -> Session:
        """Return the `number`-th session for a route once it is over, waiting for it."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            async with self._arrived:
                await self._arrived.wait_for(lambda: len(self.requests(route)) >= number)
            session = self.requests(route)[number - 1]
            await session.ended.wait()
        return session

    async def arrival(self, route: str) -> Session:
        """Return the first session for a route as soon as its request is read."""
        async with asyncio.timeout(DEADLINE_SECONDS), self._arrived:
            await self._arrived.wait_for(lambda: bool(self.requests(route)))
        return self.requests(route)[0]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        session = Session(reader, writer)
        try:
            await session.receive_environment()
            behave = self._next_behaviour(session.route)
            async with self._arrived:
                self.sessions.append(session)
                self._arrived.notify_all()
            await behave(session)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            session.ended.set()

    def _next_behaviour(self, route: str) -> Behaviour:
        behaviours = self._behaviours.get(route, [dying])
        return behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
