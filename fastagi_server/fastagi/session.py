"""One AGI session over one TCP connection.

The session is the one reader of its socket from connect to close, so that a hang-up is seen while
the route waits for something else. It runs the route as a task it owns, cancels it when the caller
hangs up, the budget is used up, the peer breaks the protocol or the server stops, and ends every
session the same way: the variables in one batch, half-close, read to the end of file, close.

A session has one deadline at a time, which moves with the stage it is in.
"""

import asyncio
import hashlib
import hmac
import secrets
import socket
from enum import Enum
from typing import TYPE_CHECKING, cast

import structlog

from fastagi_server.agi.commands import get_full_variable, set_variable
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiError, AgiGuardError, AgiHangupError, AgiRemoteError
from fastagi_server.agi.events import (
    Event,
    HangupReceived,
    PeerBroke,
    ReplyReceived,
    RequestReceived,
    State,
    StreamEnded,
    SyncReceived,
)
from fastagi_server.agi.request import AgiRequest
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.dialogue import Dialogue
from fastagi_server.fastagi.endings import CONTINUE, FAILURE, Ending, OnError, completed, failed
from fastagi_server.fastagi.failures import code_of, log_protocol_error
from fastagi_server.fastagi.router import Route
from fastagi_server.telemetry import subject
from fastagi_server.telemetry.spans import Span

if TYPE_CHECKING:
    from fastagi_server.fastagi.server import FastAgiServer

_log = structlog.stdlib.get_logger("fastagi")

TCP_CORK: int | None = getattr(socket, "TCP_CORK", None)
"""Linux only. The last lines and the end of file then leave in one packet: to send a packet is the
largest part of what a session costs, and nobody can use the lines before the end of file."""

MAX_LOGGED_PATH = 100
"""Characters of an unknown path that the log shows."""

_NO_ROUTE_RAN = frozenset({"unknown_route", "challenge_failed", "draining", "protocol_error"})
"""Outcomes that no route's policy speaks for: they always end with AGISTATUS=FAILURE."""


_NOBODY = subject.Subject()
"""Whom a session is about that ended before Asterisk said so."""


class Stop(Enum):
    """Why a running route is cancelled; the values are codes of `endings.TEXTS`."""

    HANGUP = "hangup"
    BUDGET = "budget_exceeded"
    DRAIN = "draining"
    PROTOCOL = "protocol_error"


class AgiSession(asyncio.Protocol):
    """The life of one connection; see the module."""

    __slots__ = (
        "_begun",
        "_ending",
        "_loop",
        "_route",
        "_server",
        "_started",
        "_stop",
        "_subject",
        "_task",
        "_transport",
        "connection",
        "deadline",
        "dialogue",
    )

    dialogue: Dialogue
    _transport: asyncio.Transport
    deadline: float

    def __init__(self, server: "FastAgiServer") -> None:
        self._server = server
        self._loop = server.loop
        self.connection = AgiConnection()
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._route: Route | None = None
        self._stop: Stop | None = None
        self._ending: Ending | None = None
        self._subject: subject.Subject | None = None

    # -- the transport's side --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection or refuse it in words, at once."""
        self._transport = cast("asyncio.Transport", transport)
        self._started = self._loop.time()
        self._set_deadline(self._server.deadlines.environment)
        self._server.opened(self)
        reason = self._server.refusal(self._transport)
        if reason:
            self._refuse(reason)

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to the state machine and act on what they mean."""
        for event in self.connection.receive_data(data):
            self._on_event(event)

    def eof_received(self) -> bool:
        """Asterisk is done. The transport is kept until the route is, too."""
        for event in self.connection.receive_eof():
            self._on_event(event)
        if self._ending is not None:
            self._transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection is gone, by us or by the peer."""
        self._set_deadline(None)
        for event in self.connection.receive_eof():
            self._on_event(event)
        self._forget()

    def _on_event(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event.request)
            case StreamEnded():
                self._on_stream_ended()
            case ReplyReceived():
                self.dialogue.receive(event.reply)
            case HangupReceived():
                self.stop(Stop.HANGUP)
            case SyncReceived():
                self.dialogue.receive(None)
            case PeerBroke():
                self._on_peer_broke(event.error)

    # -- the stages --

    def _begin(self, request: AgiRequest) -> None:
        self._subject = subject.Subject(request.unique_id, request.personal)
        if self._server.tracing is not None:
            self._subject.span = Span("AGI session", "server")
        self.dialogue = Dialogue(
            self.connection,
            self._transport,
            self._loop,
            self._server.watch,
            self._server.deadlines.settle,
        )
        self._route = self._server.router.find(request.path)
        budget = self._route.budget_seconds if self._route else None
        self._set_deadline(budget)
        self._task = self._loop.create_task(self._serve(request))

    async def _serve(self, request: AgiRequest) -> None:
        self._begun = True
        subject.current.set(self._subject)
        try:
            ending = await self._run_route(request)
        except asyncio.CancelledError as error:
            if self._stop is None and self._task is not None and self._task.cancelling():
                raise  # the loop is shutting down: not ours to swallow
            ending = self._broken_off(error, request)
        except Exception as error:  # noqa: BLE001 - a route's bug must not cost the caller his ending
            ending = self._broken_off(error, request)
        self._finish(ending)
        self._forget()

    async def _run_route(self, request: AgiRequest) -> Ending:
        route, channel = self._route, AgiChannel(self.dialogue, request)
        if route is None:
            _log.warning("unknown_route", path=request.path[:MAX_LOGGED_PATH])
            return failed("unknown_route")
        if self._server.admission.secret and not await self._is_authentic(channel):
            return failed("challenge_failed")
        parameters = route.bind(request)
        return completed(await route.handler(channel, self._server.services, **parameters))

    def _broken_off(self, error: BaseException, request: AgiRequest) -> Ending:
        """The ending of a route that raised: what stopped it counts more than what it raised."""
        if isinstance(error, AgiRemoteError):
            self._server.measures.agi_protocol_errors.add(error.kind)
        if self._stop is not None and isinstance(error, (asyncio.CancelledError, AgiError)):
            return failed(self._stop.value)
        code = code_of(error, path=self._path, unique_id=request.unique_id)
        return failed(self._stop.value if self._stop else code)

    async def _is_authentic(self, channel: AgiChannel) -> bool:
        nonce = secrets.token_hex(16)
        expected = hashlib.sha1(  # noqa: S324 - SHA1 and MD5 are what Asterisk can compute
            f"{self._server.admission.secret}:{nonce}".encode()
        ).hexdigest()
        answer = await channel.execute(get_full_variable(f"${{SHA1(${{SGE_AGI_SECRET}}:{nonce})}}"))
        return hmac.compare_digest(answer.encode("utf-8", "surrogateescape"), expected.encode())

    def _finish(self, ending: Ending) -> None:
        """Write the last batch and half-close; the rest happens as the peer's bytes come."""
        self._ending = ending
        if self.connection.state is State.CLOSED or self._transport.is_closing():
            self._transport.close()
            return
        try:
            data = self._last_batch(ending)
        except AgiGuardError as error:
            _log.error("variable_refused", route=self._path, reason=str(error))
            self._ending = failed("unwritable_variable")
            data = self._last_batch(self._ending)
        self._half_close(data)

    def _policy(self, ending: Ending) -> OnError:
        if ending.outcome in _NO_ROUTE_RAN:
            return FAILURE
        if self._route is None or not ending.failed:
            return CONTINUE
        return self._server.router.policy(self._route)

    def _last_batch(self, ending: Ending) -> bytes:
        policy = self._policy(ending)
        failure = (ending.code or ending.outcome) if policy.action == "failure" else ""
        targets = () if self.connection.dead else policy.commands()
        commands = [set_variable(name, value) for name, value in ending.assignments]
        return self.connection.finish([*commands, *targets], failure)

    def _half_close(self, data: bytes) -> None:
        self._set_deadline(self._server.deadlines.linger)
        if TCP_CORK is not None and data:
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
        self._transport.write(data)
        self._transport.write_eof()
        self._server.keep_quiet(self._transport)

    def _refuse(self, reason: str) -> None:
        """Answer `failure` before a route ran; what Asterisk still sends is read and dropped."""
        self._ending = Ending(reason)
        if self._server.refused(self, reason):
            self._half_close(self.connection.finish((), reason))
        else:
            self.abort()

    # -- what goes wrong --

    def stop(self, reason: Stop) -> None:
        """Cancel the route, unless it has ended or is being stopped already."""
        if self._stop is not None or self._ending is not None:
            return
        self._stop = reason
        if self._task is None:
            self._refuse(reason.value)
            return
        self._set_deadline(self._server.deadlines.dead_zone)
        if self._begun:
            self._task.cancel()
        else:
            # HANGUP came with the last bytes of the environment. A task that is cancelled before
            # its first step never runs at all, and its session would never end.
            self._loop.call_soon(self._task.cancel)

    def abort(self) -> None:
        """Drop the connection now; the last resort of a deadline and of shutdown."""
        self._server.measures.drops.add("agi_session")
        if self._task is not None and self._ending is None:
            _log.error("route_ignores_cancellation", route=self._path)
            self._task.cancel()
        self._transport.abort()

    def _on_stream_ended(self) -> None:
        if self._task is None:
            self._ending = self._ending or Ending("disconnected")
            return
        self.dialogue.fail(AgiHangupError("Asterisk closed the connection"))
        self.stop(Stop.HANGUP)

    def _on_peer_broke(self, error: AgiRemoteError) -> None:
        self._server.measures.agi_protocol_errors.add(error.kind)
        log_protocol_error(error, path=self._path)
        if self._task is not None:
            self.stop(Stop.PROTOCOL)
        elif self.connection.state is not State.CLOSED:
            self._refuse("protocol_error")
        else:
            self._ending = Ending("protocol_error")

    def expire(self) -> None:
        """The deadline of the present stage has passed."""
        if self._task is None and self._ending is None:
            self._refuse("environment_timeout")
        elif self._ending is None and self._stop is None:
            self.stop(Stop.BUDGET)
        elif self._ending is not None and not self._transport.get_write_buffer_size():
            self._transport.close()
        else:
            self.abort()

    def _set_deadline(self, seconds: float | None) -> None:
        """Move the session's deadline; None means that only the call itself ends it."""
        if seconds is None:
            self._server.watch.forget(self)
        else:
            self._server.watch.watch(self, self._loop.time() + seconds)

    # -- the end --

    @property
    def _path(self) -> str:
        return self._route.path if self._route else "none"

    def _forget(self) -> None:
        """Count and log the session once both its connection and its route are done."""
        running = self._task is not None and self._ending is None
        if running or not self._transport.is_closing() or not self._server.closed(self):
            return
        ending = self._ending or Ending("disconnected")
        seconds = self._loop.time() - self._started
        path = self._path
        self._server.measures.agi_sessions.add(path, ending.outcome)
        self._server.measures.agi_session_seconds.observe(seconds, path)
        about = self._subject or _NOBODY
        log = self._server.log
        log.info(
            "agi_session",
            route=path,
            outcome=ending.outcome,
            status=ending.variables.get("SGE_STATUS", ""),
            code=ending.code,
            unique_id=about.unique_id,
            linked_id=about.linked_id,
            call=about.call,
            ms=round(seconds * 1000, 1),
        )
        if self._server.tracing is not None and about.span is not None:
            error = ending.outcome if ending.failed else ""
            about.span.name = f"AGI {path}"
            self._server.tracing.end(about.span, error=error, attributes=subject.ids_in(about))
