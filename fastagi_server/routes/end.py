"""`end`: the call is over."""

from collections.abc import Mapping
from datetime import UTC, datetime

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.registration.models import Ending
from fastagi_server.routes.answers import outcome_variables
from fastagi_server.routes.register import registration_of
from fastagi_server.services import Services

_READ = (
    "SGE_CALL_ID",
    "DIALSTATUS",
    "HANGUPCAUSE",
    "RINGTIME_MS",
    "DIALEDTIME_MS",
    "ANSWEREDTIME_MS",
    "SGE_REGISTERED_AT_MS",
    "STRFTIME(,,%s%3q)",
    "CHANNEL(linkedid)",
)
"""What Dial and the channel leave behind; all can be read from a dead channel."""

MAX_DIGITS = 18
"""Digits of a number that is believed; milliseconds since 1970 have thirteen."""


@route("end")
async def end(
    channel: AgiChannel,
    services: Services,
    *,
    call: str = "",
    uniqueid: str = "",
    system: str = "",
    dialled: str = "",
    participant: str = "",
) -> Variables:
    """Tell SGE that a call is over, and how it went.

    Made for a hang-up handler or the `h` extension: cause, dial status, ringing and talking time
    are read from the channel. A call that SGE does not know yet is registered and ended, for which
    `dialled` and `participant` mean what they mean to `register`. Sets SGE_STATUS, SGE_ERROR and
    SGE_ERROR_CODE.
    """
    facts = await channel.get_variables(*_READ)
    registration = registration_of(
        channel.request,
        services,
        participant=participant,
        linked_id=facts["CHANNEL(linkedid)"],
        system=system,
        dialled=dialled or channel.request.known("agi_dnid"),
        unique_id=uniqueid,
    )
    ending = Ending(
        registration,
        call_id=call or facts["SGE_CALL_ID"] or None,
        hangup_cause=_number(facts["HANGUPCAUSE"]),
        dial_status=facts["DIALSTATUS"],
        ring_ms=ringing_ms(facts),
        answered_ms=_number(facts["ANSWEREDTIME_MS"]),
        ended_at=datetime.now(UTC),
    )
    return outcome_variables(await services.registrar.end(ending))


def ringing_ms(facts: Mapping[str, str]) -> int | None:
    """How long the phone rang; None for one that did not, and where nothing tells.

    RINGTIME_MS is only the time until it began to ring. Dial leaves DIALEDTIME_MS behind when the
    call was answered; for one that was not, the dialplan notes when the registration was done.
    """
    began = _number(facts["RINGTIME_MS"])
    until_hang_up = _number(facts["DIALEDTIME_MS"])
    registered_at, now = _number(facts["SGE_REGISTERED_AT_MS"]), _number(facts["STRFTIME(,,%s%3q)"])
    if until_hang_up is None and registered_at is not None and now is not None:
        until_hang_up = now - registered_at
    if began is None or until_hang_up is None:
        return None
    return max(0, until_hang_up - began - (_number(facts["ANSWEREDTIME_MS"]) or 0))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
