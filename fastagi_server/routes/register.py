"""`register`: the documented script's job, and the default route."""

import asyncio

from fastagi_server.agi.request import AgiRequest
from fastagi_server.calls.models import CallType
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.registration import codes
from fastagi_server.registration.models import Registration
from fastagi_server.routes.answers import outcome_variables
from fastagi_server.services import Services


@route("register")
async def register(
    channel: AgiChannel,
    services: Services,
    *,
    participant: str = "",
    type: CallType = CallType.AUDIO,  # noqa: A002 - the word the dialplan writes
    linkedid: str = "",
    system: str = "",
    dialled: str = "",
    context: str = "",
) -> Variables:
    """Register this channel's call with SGE.

    Sets SGE_STATUS, SGE_CALL_ID, SGE_CHANNEL_ID, SGE_ERROR and SGE_ERROR_CODE. `participant` is the
    dial string to register (SIP/ and the dialled number without one), `linkedid` the channel's
    linked id, which AGI does not tell by itself. Saying it twice makes one call.
    """
    request = channel.request
    registration = registration_of(
        request,
        services,
        participant=participant,
        call_type=type.value,
        linked_id=linkedid,
        system=system,
        dialled=dialled or request.extension,
        context=context or request["agi_context"],
    )
    try:
        outcome = await services.registrar.register(registration)
    except asyncio.CancelledError:
        # The caller hung up, or the time is up: nobody knows whether SGE heard us, so it is said
        # again later. The dialplan's hang-up handler can then end the call by its provisional id.
        outcome = await services.registrar.queue(registration, codes.INTERRUPTED)
    return {
        **outcome_variables(outcome),
        "SGE_CALL_ID": outcome.call_id,
        "SGE_CHANNEL_ID": outcome.channel_id,
    }


def registration_of(
    request: AgiRequest,
    services: Services,
    *,
    participant: str = "",
    call_type: str = CallType.AUDIO.value,
    linked_id: str = "",
    system: str = "",
    dialled: str = "",
    context: str = "",
    unique_id: str = "",
) -> Registration:
    """What Asterisk tells about the call, in the words of a registration."""
    return Registration(
        system=system or services.system_name,
        unique_id=unique_id or request.unique_id,
        channel=request.channel,
        linked_id=linked_id,
        context=context,
        extension=dialled,
        caller_number=request.known("agi_callerid"),
        caller_name=request.known("agi_calleridname"),
        participants=(participant or f"{services.technology}/{dialled}",),
        call_type=call_type,
    )
