"""Signaling through the running service: who is told of the end of a call, and of the service."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import open_store
from tests.integration.service_process import ServiceProcess, process

WAIT = {"wait": 30}


@dataclass(frozen=True)
class Stage:
    """The service, and two users of it."""

    service: ServiceProcess
    alice: httpx.AsyncClient
    bob: httpx.AsyncClient

    async def call(self) -> str:
        """The path of a new call of alice with bob."""
        order = {"participants": ["bob"], "call_type": "video"}
        return f"/calls/{(await self.alice.post('/calls', json=order)).json()['id']}"


@asynccontextmanager
async def staged(folder: Path) -> AsyncGenerator[Stage]:
    """A running service with keys for alice and bob."""
    (folder / "state").mkdir()
    async with open_store(f"sqlite:///{folder / 'state' / 'sge.sqlite3'}") as store:
        calls = frozenset({Scope.CALLS})
        keys = [await store.api_keys.add(name, calls) for name in ("alice", "bob")]
    async with process(folder, SGE_API_KEY="k" * 32) as service:
        address = json.loads(await service.line("api_listening"))["address"]
        url = f"http://{address}/api/v1/voip"
        alice, bob = (
            httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=40) for key in keys
        )
        async with alice, bob:
            yield Stage(service, alice, bob)


async def test_end_of_the_call(tmp_path: Path) -> None:
    """When one of two browsers ends the call, the other one is told, who waits for messages."""
    async with staged(tmp_path) as stage:
        path = await stage.call()
        muted = {"to_user": "bob", "message_type": "mute", "payload": None}
        sent = (await stage.alice.post(f"{path}/signaling", json=muted)).json()
        after = WAIT | {"after": sent["sequence_number"]}
        waiting = asyncio.create_task(stage.bob.get(f"{path}/signaling", params=after))
        await stage.alice.post(f"{path}/end")
        (told,) = (await waiting).json()
        assert (told["message_type"], told["from_user"]) == ("hangup", "asterisk")
        assert told["payload"] == {"reason": "ended", "status": None, "cause": None}


async def test_end_of_the_service(tmp_path: Path) -> None:
    """When the service stops, who waits for messages is answered, and does not hold it up."""
    async with staged(tmp_path) as stage:
        path = await stage.call()
        asking = (stage.bob.get(f"{path}/signaling", params=WAIT) for _ in range(5))
        done, waiting = await asyncio.wait(
            set(map(asyncio.create_task, asking)), return_when=asyncio.FIRST_COMPLETED
        )
        # Once one of five is refused, the other four are waiting.
        assert [task.result().status_code for task in done] == [429]
        stage.service.signal(signal.SIGTERM)
        assert await stage.service.end() == 0
        answered, _ = await asyncio.wait(waiting)
        assert [task.result().json() for task in answered] == [[]] * 4
