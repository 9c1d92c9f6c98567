"""The calls of the SGE API, as the registration topic asks for them.

Nothing here knows which transport carries the requests: a socket, an application in the same
process (`httpx.ASGITransport`) or a test's double.
"""

import random
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import quote

import httpx
import structlog

from fastagi_server.origin.transport import OriginTransport
from fastagi_server.registration import codes
from fastagi_server.registration.models import Ending, RegisteredCall, Registration
from fastagi_server.registration.ports import RefusedError
from fastagi_server.sge import payloads
from fastagi_server.sge.address import normalise_base_url
from fastagi_server.sge.breaker import Breaker, State
from fastagi_server.sge.credentials import Credentials
from fastagi_server.sge.requester import Question, Requester
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.tracing import Tracing

log = structlog.get_logger()


class SgeClient:
    """Implements `registration.ports.CallsApi`, which says what the methods mean and raise.

    `base_url` is a normalised one (`sge.address`). `requester` says how questions are put, and
    what `trace` and `tracing` are.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        *,
        credentials: Credentials,
        transport: httpx.AsyncBaseTransport,
        breaker: Breaker,
        measures: Measures,
        user_agent: str = "fastagi-server",
        max_response_bytes: int = 1_048_576,
        trace: bool = False,
        tracing: Tracing | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._calls = base_url.raw_path + b"/calls"
        self._transport = transport
        self._breaker = breaker
        self._requester = Requester(
            transport,
            base_url=base_url,
            credentials=credentials,
            breaker=breaker,
            measures=measures,
            user_agent=user_agent,
            max_response_bytes=max_response_bytes,
            trace=trace,
            tracing=tracing,
            uniform=uniform,
        )

    def set_trace(self, *, on: bool) -> None:
        """Log every conversation from now on, or none; `trace` says which at the start."""
        self._requester.trace = on

    async def register(self, registration: Registration, *, deadline: float) -> RegisteredCall:
        """See `CallsApi`; answered by 201, or by 200 when the key is known."""
        body = payloads.call_creation(registration)
        question = Question("register", "POST", self._calls, body, registration.key)
        return await self._requester.ask(question, payloads.read_registered_call, deadline)

    async def accept(self, call_id: str, answered_at: datetime | None, *, deadline: float) -> None:
        """See `CallsApi`; 409 when the call has ended."""
        body = payloads.call_acceptance(answered_at)
        await self._tell("accept", call_id, body, deadline)

    async def end(self, call_id: str, ending: Ending, *, deadline: float) -> None:
        """See `CallsApi`; a call that has ended already ends once more without effect."""
        await self._tell("end", call_id, payloads.call_ending(ending), deadline)

    async def status(self, call_id: str, *, deadline: float) -> str:
        """See `CallsApi`."""
        question = Question("status", "GET", self._call(call_id), one_call=True)
        return await self._requester.ask(question, payloads.read_status, deadline)

    async def warm(self, *, deadline: float) -> None:
        """Open a connection before it is needed; not getting one is logged and no error yet."""
        if not isinstance(self._transport, OriginTransport):
            return
        if self._breaker.state is State.CLOSED:
            try:
                await self._transport.warm(deadline=deadline)
            except httpx.TransportError as error:
                log.info("sge_not_connected", reason=str(error))

    async def _tell(self, action: str, call_id: str, body: bytes, deadline: float) -> None:
        """POST an action whose answer, the Call or a line of text, holds nothing we need."""
        target = self._call(call_id, f"/{action}")
        question = Question(action, "POST", target, body, one_call=True)
        await self._requester.ask(question, payloads.read_acknowledgement, deadline)

    def _call(self, call_id: str, action: str = "") -> bytes:
        if not payloads.is_call_id(call_id):
            raise RefusedError(codes.CALL_UNKNOWN, "not the id of a call")
        return self._calls + f"/{quote(call_id, safe='')}{action}".encode("ascii")


@asynccontextmanager
async def open_client(
    base_url: str,
    *,
    credentials: Credentials,
    measures: Measures,
    transport: httpx.AsyncBaseTransport | None = None,
    ssl_context: ssl.SSLContext | None = None,
    user_agent: str = "fastagi-server",
    connection_limit: int = 100,
    keep_alive_seconds: float = 4.0,
    max_response_bytes: int = 1_048_576,
    trace: bool = False,
    tracing: Tracing | None = None,
) -> AsyncGenerator[SgeClient]:
    """A client for the API at `base_url`, with a breaker and, unless given, a transport of its own.

    `ssl_context` is for https, httpx's default when None. `trace` logs every conversation,
    `tracing` makes each a span. Raises `AddressError` for a URL that is none. Closes the transport
    at the end.
    """
    url = normalise_base_url(base_url)
    transport = transport or OriginTransport(
        url,
        measures=measures,
        ssl_context=ssl_context,
        limit=connection_limit,
        keep_alive_seconds=keep_alive_seconds,
        max_response_bytes=max_response_bytes,
    )
    async with transport:
        yield SgeClient(
            url,
            credentials=credentials,
            transport=transport,
            breaker=Breaker(on_change=breaker_reporter(measures)),
            measures=measures,
            user_agent=user_agent,
            max_response_bytes=max_response_bytes,
            trace=trace,
            tracing=tracing,
        )


def breaker_reporter(measures: Measures) -> Callable[[State], None]:
    """Tells operators when the API is left alone, and when it is back: once each, not per probe."""
    alone = False

    def report(state: State) -> None:
        nonlocal alone
        measures.sge_breaker_open.set(0.0 if state is State.CLOSED else 1.0)
        if state is State.OPEN and not alone:
            alone = True
            log.warning("sge_breaker_open")
        elif state is State.CLOSED:
            alone = False
            log.info("sge_breaker_closed")

    measures.sge_breaker_open.set(0.0)
    return report
