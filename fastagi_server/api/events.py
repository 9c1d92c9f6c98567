"""The event stream for operators, as server-sent events."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.types import Receive, Scope, Send

from fastagi_server.api.context import TRANSPORT, OperatorRoute, services_of
from fastagi_server.api.errors import ApiError
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals
from fastagi_server.events import frames
from fastagi_server.events.filters import MAX_PATTERNS, PATTERN, TypeFilter
from fastagi_server.events.hub import Reader, TooManyReadersError
from fastagi_server.telemetry.measures import Measures

MEDIA_TYPE = "text/event-stream"

HEARTBEAT_SECONDS = 15.0
TICK_SECONDS = 1.0
"""How often a stream that nothing happens on looks whether its client is still there."""

STALL_SECONDS = 30.0
"""How long a client may take nothing before it is cut."""

MAX_SECONDS = 3600
"""How long a stream lasts; a client that comes again must prove anew who it is."""

OVERTIME_SECONDS = 5.0
"""How long after its time a stream may still send what has happened meanwhile."""

MAX_CURSOR = 64
CHUNK = 100
"""Events that are sent at once, some 50 kB."""

_EXAMPLE = """retry: 2000
id: 3fa9c0d2e1b4-16

id: 3fa9c0d2e1b4-17
data: {"id":"3fa9c0d2e1b4-17","type":"call.ended","at":"2026-11-23T09:14:03.250000Z",\
"call":"5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11","room":null,"channel":"1767268800.17",\
"data":{"actor":"asterisk","caller_id":"alice","participants":["PJSIP/1001"],\
"call_type":"audio","hangup_cause":16,"answered_ms":61200}}

: still there
id: 3fa9c0d2e1b4-21

"""

_log = structlog.stdlib.get_logger("api")

router = APIRouter(prefix="/events", tags=["events"], route_class=OperatorRoute)

Pattern = Annotated[str, Query(pattern=PATTERN, max_length=64)]


@router.get(
    "",
    name="stream_events",
    summary="Stream events as they happen",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"example": _EXAMPLE}}},
        **refusals(401, 403, 422, 503),
    },
    openapi_extra=OPERATOR_SECURITY,
)
async def stream_events(
    request: Request,
    type: Annotated[  # noqa: A002 - the documented word
        list[Pattern] | None,
        Query(max_length=MAX_PATTERNS, description="Types to send: call.ended, call.*, or *"),
    ] = None,
    after: Annotated[
        str | None, Query(max_length=MAX_CURSOR, description="`id` to go on behind")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=MAX_CURSOR, description="The same, as browsers send it; counts first"),
    ] = None,
    seconds: Annotated[
        int,
        Query(ge=0, le=MAX_SECONDS, description="How long to stream; 0 sends what is there"),
    ] = MAX_SECONDS,
) -> Response:
    """Stream what happens, as server-sent events.

    Each event is one JSON object with `id`, `type`, `at`, `call`, `room`, `channel` and `data`.
    Without a cursor the stream begins now. Behind one it begins with what has happened since, as
    long as that is kept; if not, or when a client is too slow, a `stream.gap` says so.
    """
    services = services_of(request)
    try:
        reader = services.events.open_reader(TypeFilter(type or ()), last_event_id or after)
    except TooManyReadersError as error:
        raise ApiError(
            503, "There are too many readers of the event stream", headers={"Retry-After": "5"}
        ) from error
    return EventStream(reader, services.measures, seconds=seconds)


class EventStream(Response):
    """Sends what a reader reads until the time is over, the hub closes or the client leaves.

    What the client does not take waits in the connection's own buffer of 64 kB, and then in the
    hub's ring; a client that takes nothing for `stall_seconds` is cut.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        reader: Reader,
        measures: Measures,
        *,
        seconds: float,
        stall_seconds: float = STALL_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._reader = reader
        self._measures = measures
        self._seconds = seconds
        self._stall_seconds = stall_seconds
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - the transport tells when the client leaves
        send: Send,
    ) -> None:
        """Stream."""
        transport: asyncio.Transport | None = scope.get(TRANSPORT)

        async def write(body: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more})

        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await self._pump(write, transport)
            await write(b"", more=False)
        except TimeoutError:
            self._measures.drops.add("event_stream")
            _log.warning("event_stream_cut", reason="the client takes nothing")
            if transport is not None:
                transport.abort()
            # What was connected is told so by an end that nobody gets.
            with suppress(TimeoutError):
                await write(b"", more=False)
        finally:
            self._reader.close()

    async def _pump(
        self, write: Callable[[bytes], Awaitable[None]], transport: asyncio.Transport | None
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        spoken = loop.time()
        await write(frames.opening(self._reader.cursor))
        while transport is None or not transport.is_closing():
            events = self._reader.take(CHUNK)
            now = loop.time()
            if events:
                await write(frames.frames(events))
                spoken = now
            if self._reader.is_behind and now < end + OVERTIME_SECONDS:
                await asyncio.sleep(0)
                continue
            if self._reader.is_over or now >= end:
                return
            if now - spoken >= self._heartbeat_seconds:
                await write(frames.heartbeat(self._reader.cursor))
                spoken = now
            await self._reader.wait(min(TICK_SECONDS, end - now))
