"""The FastAGI server: listens, admits, and stops in stages."""

import asyncio
import socket

import structlog

from fastagi_server.deadlines import DeadlineWatch
from fastagi_server.fastagi.admission import Admission
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Router
from fastagi_server.fastagi.session import AgiSession, Stop
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.tracing import Tracing

_log = structlog.stdlib.get_logger("fastagi")

BACKLOG = 65535
"""The kernel cuts it to net.core.somaxconn. A full backlog costs a caller 2 s and then the call."""

QUIET_SECONDS = 0.02
"""How long the replies to a session's last commands are left to gather. Nobody waits for them, and
reading each by itself costs as much as the rest of the session's system calls."""

MAX_REFUSED = 1000
"""Refused connections that may wait for their peer's end at once; more are dropped unanswered."""

CLOSE_SECONDS = 5.0
"""How long `close` waits for cancelled routes before it leaves them to the loop's end."""


ACCEPT_TURNS = 4
"""Of the event loop, after which what it had accepted is a session: a task, a transport, and the
call of the session's first method."""


class FastAgiServer:
    """Serves `router` on any number of addresses.

    `services` is handed to every route and otherwise unknown here.
    """

    def __init__(
        self,
        router: Router,
        services: object,
        *,
        measures: Measures,
        admission: Admission | None = None,
        deadlines: Deadlines | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.router = router
        self.services = services
        self.measures = measures
        self.admission = admission or Admission()
        self.deadlines = deadlines or Deadlines()
        self.tracing = tracing
        self.log = _log.bind()  # without it, each line looks the logger up anew
        self.loop = asyncio.get_running_loop()
        self.watch = DeadlineWatch()
        self._sessions: set[AgiSession] = set()
        self._refused: set[AgiSession] = set()
        self._quiet: list[asyncio.Transport] = []
        self._listeners: list[asyncio.Server] = []
        self._kept: list[socket.socket] = []
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    # -- listening --

    async def listen(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Accept connections on an address; several calls add up.

        `reuse_port` lets other processes listen on the same port, the kernel sharing out the
        connections. Raises `UnprotectedBindError` and `OSError`.
        """
        self.admission.check_bind(host)
        listener = await self.loop.create_server(
            lambda: AgiSession(self), host, port, backlog=BACKLOG, reuse_port=reuse_port or None
        )
        self._add(listener)

    async def listen_on(self, listener: socket.socket) -> None:
        """Accept connections on a socket that somebody else keeps listening, whatever we do.

        With such sockets nobody is declined while the server drains: who connects then waits for
        whoever accepts next. Raises `UnprotectedBindError` and `OSError`.
        """
        self.admission.check_bind(listener.getsockname()[0])
        server = await self.loop.create_server(
            lambda: AgiSession(self), sock=listener, backlog=BACKLOG
        )
        self._kept.append(listener)
        self._add(server)

    def _add(self, listener: asyncio.Server) -> None:
        self._listeners.append(listener)
        _log.info("listening", addresses=[f"{h}:{p}" for h, p in self.addresses])

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every listening socket."""
        return [s.getsockname()[:2] for server in self._listeners for s in server.sockets]

    # -- sessions --

    @property
    def open_sessions(self) -> int:
        """Connections open at this moment, refused ones included."""
        return len(self._sessions)

    def opened(self, session: AgiSession) -> None:
        """Take a new session into account."""
        self._sessions.add(session)
        self._idle.clear()
        self.measures.agi_sessions_open.set(len(self._sessions))

    def closed(self, session: AgiSession) -> bool:
        """Forget a session; whether it was known until now."""
        if session not in self._sessions:
            return False
        self._sessions.discard(session)
        self._refused.discard(session)
        self.measures.agi_sessions_open.set(len(self._sessions))
        if not self._sessions:
            self._idle.set()
        return True

    def refused(self, session: AgiSession, reason: str) -> bool:
        """Take a session out of those that count: strangers shall not use up the places.

        Whether there is room to tell it so, and to wait until it has heard.
        """
        self._refused.add(session)
        self.measures.agi_refused.add(reason)
        return len(self._refused) <= MAX_REFUSED

    def refusal(self, transport: asyncio.Transport) -> str:
        """Why a new connection, counted already, is refused, "" when it is welcome."""
        if self._draining:
            return "draining"
        peer = ""
        if self.admission.allow:  # two system calls, and nobody else asks for it
            name = transport.get_extra_info("peername")  # None for a peer that has left already
            peer = str(name[0]) if name else ""
        return self.admission.refusal(peer, len(self._sessions) - len(self._refused))

    def keep_quiet(self, transport: asyncio.Transport) -> None:
        """Read nothing from a half-closed connection for a moment, then all that has come."""
        transport.pause_reading()
        if not self._quiet:
            self.loop.call_later(QUIET_SECONDS, self._end_quiet)
        self._quiet.append(transport)

    def _end_quiet(self) -> None:
        quiet, self._quiet = self._quiet, []
        for transport in quiet:
            if not transport.is_closing():
                transport.resume_reading()

    # -- stopping --

    async def drain(self, seconds: float) -> bool:
        """Let the open sessions end by themselves; new ones are answered `failure` at once.

        The sockets stay open meanwhile: closing them would reset the connections that wait in the
        backlog, and a reset counts as success in the dialplan. Sockets that are kept elsewhere are
        left at once, with all who wait in them. Whether all ended in time.
        """
        if self._kept:
            await self._leave()
        else:
            self._draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _leave(self) -> None:
        """Accept nothing more, and serve what was accepted.

        asyncio's own server must not be closed before that: it would drop what it has accepted and
        not yet made a transport of.
        """
        for listener in self._kept:
            self.loop.remove_reader(listener)
        self._kept.clear()
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        self._close_listeners()

    async def close(self) -> None:
        """Stop every route that still runs, close the sockets, and wait for the sessions' end."""
        self._draining = True
        for session in list(self._sessions):
            session.stop(Stop.DRAIN)
        if not await self.drain(CLOSE_SECONDS):
            for session in list(self._sessions):
                session.abort()
        self._close_listeners()
        self.watch.close()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
