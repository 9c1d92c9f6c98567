"""What a route may use: a frozen bundle made by `service`, the same for every session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastagi_server.registration.registrar import Registrar


@dataclass(frozen=True, slots=True)
class Health:
    """How the service is: `status` is what a registration would get now.

    `word` is `ok`, `degraded` or `down`, and `reason` says why it is not better.
    """

    status: str
    word: str = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """The bundle.

    `system_name` names the PBX when the dialplan does not; `technology` is that of the dial string
    which stands for a dialled extension, such as `SIP` in `SIP/1001`.
    """

    registrar: Registrar
    system_name: str
    technology: str
    health: Callable[[], Awaitable[Health]]
