"""The service is restarted behind its sockets, again and again, while calls arrive."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import FakeSge
from lab.manager import ServiceManager, managed

CALLS_A_SECOND = 50
RESTARTS = 4
LONGEST_WAIT_SECONDS = 60.0
"""Of a call: a restart, on a machine that has other things to do."""


class Traffic:
    """Calls that arrive one after the other, however long the ones before take."""

    def __init__(self, manager: ServiceManager) -> None:
        self.calls: list[FakeAsterisk] = []
        self._manager = manager
        self._enough = asyncio.Event()

    async def arrive(self) -> None:
        """Until `end`, and until the last call has its answer."""
        async with asyncio.TaskGroup() as tasks:
            while not self._enough.is_set():
                number = len(self.calls)
                asterisk = FakeAsterisk(
                    "register", unique_id=f"17.{number}", deadline=LONGEST_WAIT_SECONDS
                )
                self.calls.append(asterisk)
                tasks.create_task(asterisk.run("127.0.0.1", self._manager.port))
                await asyncio.sleep(1 / CALLS_A_SECOND)

    async def more(self, number: int) -> None:
        """Wait until so many more calls have been answered."""
        wanted = self._answered + number
        while self._answered < wanted:  # noqa: ASYNC110 - every call counts, whoever serves it
            await asyncio.sleep(0.01)

    def end(self) -> None:
        """Let no more calls arrive."""
        self._enough.set()

    @property
    def _answered(self) -> int:
        return sum("SGE_STATUS" in call.variables for call in self.calls)


async def restart_under(traffic: Traffic, manager: ServiceManager) -> None:
    """Some restarts with calls before, between, during and after them."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(traffic.arrive())
        await traffic.more(CALLS_A_SECOND)
        for _ in range(RESTARTS):
            assert await manager.stop() == 0
            await manager.start()
            await traffic.more(CALLS_A_SECOND // 2)
        traffic.end()


def answers_of(traffic: Traffic) -> set[tuple[str | None, str]]:
    """What the dialplan saw of all calls."""
    return {(call.status, call.variables["SGE_STATUS"]) for call in traffic.calls}


@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "loop"), [("1", "uvloop"), ("1", "asyncio"), ("2", "uvloop"), ("2", "asyncio")]
)
async def test_every_call_is_registered_once(tmp_path: Path, workers: str, loop: str) -> None:
    """No call is declined, cut or queued by a restart, and the API is told of each exactly once."""
    settings = {
        "FASTAGI_WORKERS": workers,
        "FASTAGI_LOOP": loop,
        "SGE_DEADLINE_SECONDS": "60",  # a busy machine must not make a call wait in the outbox
        "FASTAGI_DRAIN_SECONDS": "60",
    }
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url, **settings) as manager:
        await manager.start()
        traffic = Traffic(manager)
        await restart_under(traffic, manager)
        assert await manager.stop() == 0
    assert answers_of(traffic) == {("SUCCESS", "REGISTERED")}
    wanted = sorted(call.channel.unique_id for call in traffic.calls)
    asked = [json.loads(request.body) for request in sge.requests if request.method == "POST"]
    assert sorted(body["metadata"]["asterisk_call_id"] for body in asked) == wanted
    assert sorted(c["metadata"]["asterisk_call_id"] for c in sge.calls.values()) == wanted


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_the_embedded_api_refuses_no_connection(tmp_path: Path) -> None:
    """Programs that ask the embedded API meanwhile are all answered, and it knows every call."""
    settings = {"SGE_API_KEY": "key", "SGE_DEADLINE_SECONDS": "60", "FASTAGI_DRAIN_SECONDS": "60"}
    codes: set[int] = set()
    async with managed(tmp_path, **settings) as manager:
        await manager.start()
        traffic = Traffic(manager)
        address = f"http://127.0.0.1:{manager.http_port}/api/v1/voip/calls"

        async def ask() -> int:
            # A connection each: one that is kept alive may be closed while the question is sent.
            async with httpx.AsyncClient(timeout=LONGEST_WAIT_SECONDS) as client:
                return (await client.get(address, headers={"X-API-Key": "key"})).status_code

        async def ask_on() -> None:
            while True:
                codes.add(await ask())

        asking = asyncio.create_task(ask_on())
        await restart_under(traffic, manager)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with httpx.AsyncClient(timeout=LONGEST_WAIT_SECONDS) as client:
            for call in traffic.calls:
                answer = await client.get(
                    f"{address}/{call.variables['SGE_CALL_ID']}", headers={"X-API-Key": "key"}
                )
                metadata = answer.json()["metadata"]
                assert metadata["asterisk_call_id"] == call.channel.unique_id
    assert answers_of(traffic) == {("SUCCESS", "REGISTERED")}
    assert len({call.variables["SGE_CALL_ID"] for call in traffic.calls}) == len(traffic.calls)
    assert codes == {200}
