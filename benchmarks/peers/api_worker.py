"""The embedded API and an empty FastAPI application in one process.

    api_worker.py PORT DATABASE_FILE KEY CALLS

Requests to /empty go to the empty application, all others to the API, whose store holds CALLS
live calls.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI

from fastagi_server import __version__
from fastagi_server.api.application import create_app
from fastagi_server.calls.models import CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures

Scopes = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

EMPTY = "/empty"


def empty_app() -> FastAPI:
    """FastAPI as it comes, with one route that does nothing."""
    app = FastAPI()

    @app.get(EMPTY)
    async def empty() -> dict[str, str]:
        return {}

    return app


async def fill(store: Store, calls: int) -> None:
    """Create live calls, each of another channel."""
    registry = CallRegistry(records=store.calls, control=None, measures=Measures())
    by = Identity("service", frozenset({Scope.SERVICE}))
    for number in range(calls):
        metadata = {"asterisk_call_id": f"bench-1767268800.{number}", "caller_id": "1002"}
        await registry.create(CallOrder(("SIP/1001",), CallType.AUDIO, metadata), by, None)


async def main(port: int, database: str, key: str, calls: int) -> None:
    """Serve until a signal."""
    async with open_store(f"sqlite:///{database}") as store:
        await fill(store, calls)
        api = create_app(store=store, measures=Measures(), bootstrap_key=key, version=__version__)
        empty = empty_app()

        async def either(scope: Scopes, receive: Receive, send: Send) -> None:
            await (empty if scope["path"] == EMPTY else api)(scope, receive, send)

        config = uvicorn.Config(
            either,
            port=port,
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
