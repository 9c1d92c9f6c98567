"""`status`: how a call stands."""

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.registration.models import Status
from fastagi_server.registration.registrar import (
    STATUS_QUEUED,
    STATUS_UNAVAILABLE,
    STATUS_UNKNOWN,
)
from fastagi_server.services import Services

_OUTCOMES = {
    STATUS_QUEUED: (Status.QUEUED, "", ""),
    STATUS_UNKNOWN: (Status.REFUSED, "Unknown call", "call_unknown"),
    STATUS_UNAVAILABLE: (Status.FAILED, "API call failed", "api_unavailable"),
}


@route("status")
async def status(channel: AgiChannel, services: Services, *, call: str) -> Variables:
    """Set SGE_CALL_STATUS to SGE's word for the state of a call.

    It is `initiating`, `ringing`, `connected`, `on_hold` or `ended`; `queued` while the call waits
    in the outbox, `unknown` when SGE knows no such call, `unavailable` when SGE cannot be asked.
    Sets SGE_STATUS, SGE_ERROR and SGE_ERROR_CODE to match.
    """
    word = await services.registrar.status(call)
    outcome, error, code = _OUTCOMES.get(word, (Status.REGISTERED, "", ""))
    return {
        "SGE_CALL_STATUS": word,
        "SGE_STATUS": outcome.value,
        "SGE_ERROR": error,
        "SGE_ERROR_CODE": code,
    }
