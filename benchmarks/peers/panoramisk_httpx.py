"""Peer: panoramisk's FastAGI server with httpx and its default transport."""

from collections.abc import Mapping
from typing import Any

import httpx

from benchmarks.peers.job import arguments, authorization
from benchmarks.peers.loops import run
from benchmarks.peers.panoramisk_job import serve


async def main(port: int, api: str) -> None:
    """Serve the fixed job on `port`, against the API at `api`."""
    async with httpx.AsyncClient(headers=authorization(), timeout=30.0) as client:

        async def post(body: dict[str, Any]) -> Mapping[str, Any]:
            response = await client.post(f"{api}/calls", json=body)
            answer: Mapping[str, Any] = response.json()
            return answer

        await serve(port, post)


if __name__ == "__main__":
    given = arguments()
    run(main(given.port, given.api), on_uvloop=given.uvloop)
