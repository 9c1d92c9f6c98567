"""`health`: whether a registration would succeed now."""

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.services import Services


@route("health")
async def health(channel: AgiChannel, services: Services) -> Variables:
    """Set SGE_HEALTH to `ok`, `degraded` or `down`, and SGE_HEALTH_REASON to why.

    SGE_STATUS is what a registration would get now: REGISTERED, QUEUED or FAILED.
    """
    state = await services.health()
    return {
        "SGE_HEALTH": state.word,
        "SGE_HEALTH_REASON": state.reason,
        "SGE_STATUS": state.status,
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": "",
    }
