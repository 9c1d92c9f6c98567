"""What an endpoint may use, and who is asking it.

Both hang on the request and not on FastAPI's dependencies, because each dependency costs a
request about as much as the work of a small endpoint.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from fastagi_server.api.authentication import Authenticator
from fastagi_server.calls.identity import Identity
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.telemetry.measures import Measures

_CALLER = "fastagi_server.caller"


@dataclass(frozen=True, slots=True)
class ApiServices:
    """All that endpoints may use; `check_store` raises StoreError when the store is not ready."""

    calls: CallRegistry
    authenticator: Authenticator
    measures: Measures
    check_store: Callable[[], Awaitable[None]]


class AuthenticatedRoute(APIRoute):
    """A route that knows its caller before a byte of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler of this route, after authentication."""
        handle = super().get_route_handler()

        async def authenticate(request: Request) -> Response:
            scope = request.scope
            authenticator = services_of(request).authenticator
            scope[_CALLER] = await authenticator.identify(scope["headers"])
            return await handle(request)

        return authenticate


def services_of(request: Request) -> ApiServices:
    """The services of the application that this request came to."""
    services: ApiServices = request.app.state.services
    return services


def caller_of(request: Request) -> Identity:
    """The authenticated caller of a request on an AuthenticatedRoute."""
    caller: Identity = request.scope[_CALLER]
    return caller
