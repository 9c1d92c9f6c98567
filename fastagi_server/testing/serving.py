"""Routes served on loopback, so that a test of a route needs no server code.

    asterisk = FakeAsterisk("hours/check")
    await run_route(asterisk, check, services)
    assert asterisk.variables == {"SGE_OPEN": "1", ...}

The real FastAGI server runs them: what the test sees is what the dialplan would see.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from fastagi_server.fastagi.admission import Admission
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Route, Router
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import FakeAsterisk

Routes = Router | Route | Sequence[Route]
"""A router, or what makes one: the first of several routes serves the empty path too."""


@asynccontextmanager
async def serve_routes(
    routes: Routes,
    services: object = None,
    *,
    host: str = "127.0.0.1",
    measures: Measures | None = None,
    admission: Admission | None = None,
    deadlines: Deadlines | None = None,
) -> AsyncGenerator[FastAgiServer]:
    """A server of `routes` on a free port of `host`, closed at the end.

    `services` is what each route gets as its second argument; `FastAgiServer` explains the rest.
    Its `addresses[0]` is where to connect.
    """
    server = FastAgiServer(
        _router(routes),
        services,
        measures=measures or Measures(),
        admission=admission,
        deadlines=deadlines,
    )
    try:
        await server.listen(host, 0)
        yield server
    finally:
        await server.close()


async def run_route(asterisk: FakeAsterisk, routes: Routes, services: object = None) -> None:
    """Let `asterisk` run its AGI() against a server of `routes`, to the end of the session."""
    async with serve_routes(routes, services) as server:
        await asterisk.run(*server.addresses[0])


def _router(routes: Routes) -> Router:
    if isinstance(routes, Router):
        return routes
    several = (routes,) if isinstance(routes, Route) else tuple(routes)
    return Router(several, default=several[0].path)
