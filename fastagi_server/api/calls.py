"""Calls over HTTP."""

from fastapi import APIRouter, Request, Response

from fastagi_server.api.answers import JSON_TYPE, json_answer
from fastagi_server.api.bodies import (
    AcceptRequest,
    CallBody,
    CallEventBody,
    CallRequest,
    EndRequest,
    call_body,
    event_body,
)
from fastagi_server.api.context import AuthenticatedRoute, caller_of, note_subject, services_of
from fastagi_server.api.idempotency import PARAMETER, idempotency_key_of
from fastagi_server.api.listed_calls import ListedCalls
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.calls.listing import Cursor
from fastagi_server.calls.models import EndFacts

NEXT_CURSOR = "X-Next-Cursor"

router = APIRouter(prefix="/calls", tags=["calls"], route_class=AuthenticatedRoute)

# Routes are tried in this order: what is asked most stands first.


@router.get(
    "/{call_id}",
    name="get_call",
    summary="Get a call",
    response_model=CallBody,
    responses=refusals(401, 403, 404, 503),
    openapi_extra=SECURITY,
)
async def get_call(request: Request, call_id: str) -> Response:
    """Get one call, active or ended."""
    return json_answer(call_body(await services_of(request).calls.get(call_id, caller_of(request))))


@router.post(
    "",
    name="create_call",
    summary="Create a call, or adopt a live channel",
    status_code=201,
    response_model=CallBody,
    responses={
        200: {"model": CallBody, "description": "The call exists since an earlier request"},
        **refusals(400, 401, 403, 408, 413, 415, 422, 429, 502, 503, 504),
    },
    openapi_extra={**SECURITY, "parameters": [PARAMETER]},
)
async def create_call(request: Request, body: CallRequest) -> Response:
    """Create a call between the caller and the participants.

    With `metadata.asterisk_call_id` the call is the channel of that unique id, which the PBX has
    already: `metadata.asterisk_channel_id` is the same id, and every request for that channel
    gives the same call. Only keys of the telephone system may do that.
    """
    registry, key = services_of(request).calls, idempotency_key_of(request)
    call, is_new = await registry.create(body.order(), caller_of(request), key)
    note_subject(request, call.id)
    return json_answer(call_body(call), 201 if is_new else 200)


@router.get(
    "",
    name="list_calls",
    summary="List calls, newest first",
    response_model=list[CallBody],
    responses=refusals(401, 403, 422, 503),
    openapi_extra={**SECURITY, "parameters": ListedCalls.parameters()},
)
async def list_calls(request: Request) -> Response:
    """List calls: the active ones, unless more is asked for.

    A user finds those that he is a party of, a trusted key all. A full page has the place of the
    next one in the header `X-Next-Cursor`.
    """
    listed = ListedCalls.from_query(request.scope["query_string"])
    services, caller = services_of(request), caller_of(request)
    registry = services.calls
    if listed.is_plain:
        calls = await registry.active(caller, listed.limit)
    else:
        calls = await registry.page(listed.query(), caller, listed.after(), listed.limit)
    answer = Response(services.rendered_calls.array(calls), media_type=JSON_TYPE)
    if len(calls) == listed.limit:
        answer.headers[NEXT_CURSOR] = str(Cursor.behind(calls[-1]))
    return answer


@router.get(
    "/{call_id}/events",
    name="get_call_events",
    summary="Get the log of a call",
    response_model=list[CallEventBody],
    responses=refusals(401, 403, 404, 503),
    openapi_extra=SECURITY,
)
async def get_call_events(request: Request, call_id: str) -> Response:
    """Get what happened to the call, oldest first."""
    events = await services_of(request).calls.events(call_id, caller_of(request))
    return json_answer([event_body(event) for event in events])


@router.post(
    "/{call_id}/accept",
    name="accept_call",
    summary="Answer a call",
    response_model=CallBody,
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=SECURITY,
)
async def accept_call(
    request: Request, call_id: str, body: AcceptRequest | None = None
) -> Response:
    """Answer the call. One that was answered already stays as it is.

    A caller whom the PBX keeps ringing is answered and the phones stop ringing; with `answered_at`
    it is the PBX that says so.
    """
    answered_at = None if body is None else body.answered_at
    call = await services_of(request).calls.accept(call_id, caller_of(request), answered_at)
    return json_answer(call_body(call))


@router.post(
    "/{call_id}/end",
    name="end_call",
    summary="End a call",
    response_model=CallBody,
    responses=refusals(400, 401, 403, 404, 408, 413, 415, 422, 502, 503, 504),
    openapi_extra=SECURITY,
)
async def end_call(request: Request, call_id: str, body: EndRequest | None = None) -> Response:
    """End the call: hang up all its channels. An ended call stays as it is.

    With facts in the body it is the PBX that says so, and they are recorded.
    """
    facts = EndFacts() if body is None else body.facts()
    call = await services_of(request).calls.end(call_id, caller_of(request), facts)
    return json_answer(call_body(call))
