"""Peer: aioagi (the maintained fork, aioagi-ik) with aiohttp's client.

The original aioagi pins an aiohttp that does not build on Python 3.11. Neither has types.
"""

import asyncio
from typing import Any

import aiohttp
from aioagi.app import AGIApplication  # type: ignore[import-untyped]
from aioagi.runner import AGISite  # type: ignore[import-untyped]
from aiohttp.web import AppRunner

from benchmarks.peers.job import arguments, authorization, registration, variables
from benchmarks.peers.loops import run


async def main(port: int, api: str) -> None:
    """Serve the fixed job on `port`, against the API at `api`."""
    async with aiohttp.ClientSession(headers=authorization()) as session:

        async def register(request: Any) -> None:
            body = registration(request.headers)
            async with session.post(f"{api}/calls", json=body) as response:
                call = await response.json()
            for name, value in variables(call):
                await request.agi.set_variable(name, value)

        application: Any = AGIApplication()
        application.router.add_route("PJSIP", "/register", register)
        runner = AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await AGISite(runner, host="127.0.0.1", port=port, backlog=2048).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    given = arguments()
    run(main(given.port, given.api), on_uvloop=given.uvloop)
