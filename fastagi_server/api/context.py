"""What an endpoint may use, and who is asking it.

Both hang on the request and not on FastAPI's dependencies, because each dependency costs a
request about as much as the work of a small endpoint.
"""

from collections.abc import Callable, Coroutine, Sized
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from fastagi_server.api.asterisk_view import Shared, SharedView
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.board import Board
from fastagi_server.api.errors import ApiError
from fastagi_server.api.json_request import JsonRequest
from fastagi_server.api.limits import Limits
from fastagi_server.api.rendered_calls import RenderedCalls
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.events.hub import EventHub
from fastagi_server.health.board import HealthBoard
from fastagi_server.identities.audit import AuditRecords
from fastagi_server.identities.identity import Identity
from fastagi_server.presence.desk import PresenceDesk
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.ice import IceBook
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.measures import Measures

CALLER = "fastagi_server.caller"
SUBJECT = "fastagi_server.subject"
CERTIFICATE = "fastagi_server.certificate"
TRANSPORT = "fastagi_server.transport"
"""Keys of a request's scope: the identity it was found to come from, the call or room that it
made, its connection's client certificate as `ssl.SSLObject.getpeercert` gives it, and its
connection's transport. In process there are neither of the last two."""


@dataclass(frozen=True, slots=True)
class ApiServices:
    """All that endpoints may use.

    `health` watches the store, and what else `service` adds. `asterisk` is None where no PBX is
    configured. `sockets` are the open event sockets, of which there is to know only their number.
    """

    calls: CallRegistry
    rendered_calls: RenderedCalls
    rooms: RoomDesk
    authenticator: Authenticator
    limits: Limits
    audit: AuditRecords
    measures: Measures
    exposition: Exposition
    health: HealthBoard
    asterisk: SharedView | None
    live: Shared
    board: Board
    events: EventHub
    signaling: Exchange
    ice: IceBook
    presence: PresenceDesk
    sockets: Sized


class AuthenticatedRoute(APIRoute):
    """A route that knows its caller before a byte of the body is read."""

    for_operators = False
    for_trusted = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler of this route, after authentication and the rate limit."""
        handle = super().get_route_handler()
        for_operators, for_trusted = self.for_operators, self.for_trusted

        async def authenticate(request: Request) -> Response:
            scope = request.scope
            if "\0" in scope["path"]:
                raise ApiError(404)  # no name has one, and PostgreSQL would not hear of it
            services = services_of(request)
            client = scope.get("client")
            caller = await services.authenticator.identify(
                scope["headers"],
                address=client[0] if client else "",
                certificate=scope.get(CERTIFICATE),
                with_password=for_operators or for_trusted,
            )
            scope[CALLER] = caller
            services.limits.count_request(caller)
            if for_operators and not caller.is_operator:
                raise ApiError(403, "This needs a credential with the scope operator")
            if for_trusted and not caller.is_trusted:
                raise ApiError(403, "This needs a credential with the scope operator or service")
            return await handle(JsonRequest(scope, request.receive))

        return authenticate


class OperatorRoute(AuthenticatedRoute):
    """A route for operators only, who may also send name and password (HTTP Basic)."""

    for_operators = True


class TrustedRoute(AuthenticatedRoute):
    """A route for whoever may see every call; operators may also send name and password."""

    for_trusted = True


def services_of(request: Request) -> ApiServices:
    """The services of the application that this request came to."""
    services: ApiServices = request.app.state.services
    return services


def caller_of(request: Request) -> Identity:
    """The authenticated caller of a request on an AuthenticatedRoute."""
    caller: Identity = request.scope[CALLER]
    return caller


def note_subject(request: Request, subject: str) -> None:
    """Tell the audit which call or room a request made; one in the path is known already."""
    request.scope[SUBJECT] = subject
