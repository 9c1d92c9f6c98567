"""Peer: panoramisk's FastAGI server with aiohttp's client, both as they come."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from benchmarks.peers.job import arguments, authorization
from benchmarks.peers.loops import run
from benchmarks.peers.panoramisk_job import serve


async def main(port: int, api: str) -> None:
    """Serve the fixed job on `port`, against the API at `api`."""
    async with aiohttp.ClientSession(headers=authorization()) as session:

        async def post(body: dict[str, Any]) -> Mapping[str, Any]:
            async with session.post(f"{api}/calls", json=body) as response:
                answer: Mapping[str, Any] = await response.json()
                return answer

        await serve(port, post)


if __name__ == "__main__":
    given = arguments()
    run(main(given.port, given.api), on_uvloop=given.uvloop)
