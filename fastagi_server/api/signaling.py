"""Signaling over HTTP: what the parties of a call send each other, and Asterisk."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import TRANSPORT, AuthenticatedRoute, caller_of, services_of
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.api.signaling_bodies import SignalingBody, SignalingRequest, signaling_body
from fastagi_server.signaling.exchange import MAX_WAIT_SECONDS
from fastagi_server.signaling.models import SignalMessage

TICK_SECONDS = 1.0
"""How often a request that waits looks whether its client is still there."""

MAX_CURSOR = 2**53 - 1
"""What every JSON reader takes for a whole number."""

router = APIRouter(
    prefix="/calls/{call_id}/signaling", tags=["signaling"], route_class=AuthenticatedRoute
)


@router.post(
    "",
    name="send_signaling",
    summary="Send a signaling message",
    response_model=SignalingBody,
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=SECURITY,
)
async def send_signaling(request: Request, call_id: str, body: SignalingRequest) -> Response:
    """Send a message to another party of the call, or to Asterisk.

    A message to a user is put into his mailbox as it is. An `offer` to `asterisk` makes a leg of
    the call, or changes the one that the sender has; whatever comes of it comes as messages from
    `asterisk`: `ringing`, `progress`, `answer`, `hangup`. A `hangup` to `asterisk` ends the
    sender's leg, one to a user ends nothing but what the two make of it: `/end` ends the call.
    """
    message = await services_of(request).signaling.send(
        call_id, caller_of(request), body.to_user, body.message_type, body.payload
    )
    return json_answer(signaling_body(message))


@router.get(
    "",
    name="get_signaling",
    summary="Get the signaling messages for oneself",
    response_model=list[SignalingBody],
    responses=refusals(401, 403, 404, 422, 503),
    openapi_extra=SECURITY,
)
async def get_signaling(
    request: Request,
    call_id: str,
    after: Annotated[
        int, Query(ge=0, le=MAX_CURSOR, description="`sequence_number` to go on behind")
    ] = 0,
    wait: Annotated[
        float,
        Query(
            ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for a message if there is none"
        ),
    ] = 0,
) -> Response:
    """Get the messages of this call for the caller, oldest first.

    The last 100 of a call are kept, until ten minutes after its end; reading does not consume them.
    A user may wait four times at once.
    """
    exchange, caller = services_of(request).signaling, caller_of(request)
    if wait:
        reading = exchange.read(call_id, caller, after=after, wait_seconds=wait)
        messages = await _while_connected(request, reading)
    else:
        messages = await exchange.read(call_id, caller, after=after)
    answer = json_answer([signaling_body(message) for message in messages])
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _while_connected(
    request: Request, reading: Coroutine[Any, Any, Sequence[SignalMessage]]
) -> Sequence[SignalMessage]:
    """What was read; nothing is waited for on behalf of a client that has gone."""
    transport: asyncio.Transport | None = request.scope.get(TRANSPORT)
    task = asyncio.create_task(reading, name="signaling-read")
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=TICK_SECONDS)
            if done:
                return task.result()
            if transport is not None and transport.is_closing():
                return ()
    finally:
        task.cancel()
