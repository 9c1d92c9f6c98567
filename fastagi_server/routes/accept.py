"""`accept`: the called party has answered."""

from datetime import UTC, datetime

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.registration.models import Acceptance, registration_key
from fastagi_server.routes.answers import outcome_variables
from fastagi_server.services import Services


@route("accept")
async def accept(
    channel: AgiChannel, services: Services, *, call: str, uniqueid: str, system: str = ""
) -> Variables:
    """Tell SGE that a call was answered.

    `call` is the SGE_CALL_ID and `uniqueid` the unique id of the channel that was registered: the
    route runs on the called channel. Sets SGE_STATUS, SGE_ERROR and SGE_ERROR_CODE there.
    """
    key = registration_key(system or services.system_name, uniqueid)
    acceptance = Acceptance(key, call, datetime.now(UTC))
    return outcome_variables(await services.registrar.accept(acceptance))
