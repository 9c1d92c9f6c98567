"""What the parties do with a call under way. Every answer is the call as it is then."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.answers import json_answer
from fastagi_server.api.bodies import CallBody, DialString, PartyName, call_body
from fastagi_server.api.context import AuthenticatedRoute, caller_of, services_of
from fastagi_server.api.openapi import SECURITY, refusals
from fastagi_server.calls import commands
from fastagi_server.calls.commands import Command, Direction

router = APIRouter(prefix="/calls/{call_id}", tags=["calls"], route_class=AuthenticatedRoute)

_ACT: dict[str, Any] = {
    "response_model": CallBody,
    "responses": refusals(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    "openapi_extra": SECURITY,
}
"""What all of these have in common."""

Leg = Annotated[
    PartyName | None,
    Field(
        description="One of the call's participants; without it the caller's own phone, and where"
        " he has none, the phone that was rung first"
    ),
]


class LegRequest(BaseModel):
    """Whose phone is meant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"participant": "SIP/1001"}]})

    participant: Leg = None


class MuteRequest(LegRequest):
    """Whose phone is meant, and which way of its audio."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"participant": "SIP/1001", "direction": "in"}]}
    )

    direction: Annotated[
        Direction, Field(description="`in`: the phone is not heard; `out`: it hears nothing")
    ] = "in"


class DtmfRequest(LegRequest):
    """Keys to press towards the other phones."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digits": "123#"}]})

    digits: Annotated[
        str, Field(pattern=rf"^[0-9A-Da-d*#]{{1,{commands.MAX_DIGITS}}}$", description="Keys")
    ]


class PlayRequest(BaseModel):
    """A sound of Asterisk to play, to everybody or to one phone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sound": "hello-world"}]})

    sound: Annotated[
        str,
        Field(
            pattern=commands.SOUND_PATTERN,
            max_length=commands.MAX_SOUND_LENGTH,
            description="Name of a sound file below Asterisk's folder, without extension",
        ),
    ]
    participant: Leg = None


class TransferRequest(LegRequest):
    """Who takes the place of the phone that leaves."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "SIP/1003"}]})

    to: Annotated[DialString, Field(description="Dial string")]


@router.post("/hold", name="hold_call", summary="Put a call on hold", **_ACT)
async def hold_call(request: Request, call_id: str, body: LegRequest | None = None) -> Response:
    """Let the others hear music and not each other, until the call is taken off hold."""
    participant = None if body is None else body.participant
    return await _perform(request, call_id, commands.Hold(participant))


@router.post("/unhold", name="unhold_call", summary="Take a call off hold", **_ACT)
async def unhold_call(request: Request, call_id: str) -> Response:
    """Take back everybody whom a request put on hold; a phone that holds goes on holding."""
    return await _perform(request, call_id, commands.Unhold())


@router.post("/mute", name="mute_call", summary="Mute a phone", **_ACT)
async def mute_call(request: Request, call_id: str, body: MuteRequest | None = None) -> Response:
    """Let a phone not be heard, not hear, or both."""
    wanted = body or MuteRequest()
    return await _perform(request, call_id, commands.Mute(wanted.participant, wanted.direction))


@router.post("/unmute", name="unmute_call", summary="Unmute a phone", **_ACT)
async def unmute_call(request: Request, call_id: str, body: MuteRequest | None = None) -> Response:
    """End what mute began."""
    wanted = body or MuteRequest()
    return await _perform(request, call_id, commands.Unmute(wanted.participant, wanted.direction))


@router.post("/dtmf", name="send_dtmf", summary="Press keys", **_ACT)
async def send_dtmf(request: Request, call_id: str, body: DtmfRequest) -> Response:
    """Press keys on behalf of a phone: all other phones of the call get them."""
    return await _perform(request, call_id, commands.SendDtmf(body.digits, body.participant))


@router.post("/play", name="play_to_call", summary="Play a sound", **_ACT)
async def play_to_call(request: Request, call_id: str, body: PlayRequest) -> Response:
    """Play one of Asterisk's sounds; the answer does not wait for its end."""
    return await _perform(request, call_id, commands.Play(body.sound, body.participant))


@router.post("/transfer", name="transfer_call", summary="Transfer a call", **_ACT)
async def transfer_call(request: Request, call_id: str, body: TransferRequest) -> Response:
    """Leave the call at once and have another phone rung in one's place (blind transfer)."""
    return await _perform(request, call_id, commands.Transfer(body.to, body.participant))


async def _perform(request: Request, call_id: str, command: Command) -> Response:
    registry = services_of(request).calls
    return json_answer(call_body(await registry.command(call_id, caller_of(request), command)))
