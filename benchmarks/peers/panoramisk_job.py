"""The fixed job on panoramisk's FastAGI server; how to POST is the caller's choice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

# panoramisk ships no types
from panoramisk.fast_agi import Application  # type: ignore[import-untyped]

from benchmarks.peers.job import registration, variables

Post = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]


async def serve(port: int, post: Post) -> None:
    """Listen on loopback until cancelled.

    The backlog is raised from asyncio's 100, so that bursts of the load measure the
    library and not dropped connections.
    """

    async def register(request: Any) -> None:
        call = await post(registration(request.headers))
        for name, value in variables(call):
            await request.send_command(f'SET VARIABLE {name} "{value}"')

    application: Any = Application(loop=asyncio.get_running_loop())
    application.add_route("register", register)
    server = await asyncio.start_server(application.handler, "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()
