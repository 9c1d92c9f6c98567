"""One run: callers, weather and kills, then calm, then the comparison."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from fastagi_server.outbox.ledger import Letter, Statistics
from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.telemetry.measures import Measures

from .api import Api
from .callers import Callers, FakeCallers
from .embedded_api import EmbeddedApi
from .judge import Fault, find_faults
from .remote_api import RemoteApi
from .report import Report
from .server import Server

Mode = Literal["remote", "workers", "embedded"]
"""A remote API, the same with several processes that die together, and an API that dies too."""

MODE_SETTINGS: Final[Mapping[Mode, Mapping[str, str]]] = {
    "remote": {},
    "workers": {"FASTAGI_WORKERS": "2"},
    "embedded": {},
}

EARLY_KILLS: Final = 0.15
"""Share of the kills that hit a server before it listens."""

LONGEST_START_SECONDS: Final = 1.0
MOST_SESSIONS: Final = 40
"""A server is killed after up to so many sessions, which is a matter of load and not of speed."""

LONGEST_LIFE_SECONDS: Final = 2.0
LONGEST_MOMENT_SECONDS: Final = 0.02
DRAIN_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.1


class Arena:
    """A server, its API and its callers; the same `seed` gives the same plan.

    What happens is not the same, as processes and the network keep their own time.
    """

    def __init__(self, server: Server, api: Api, callers: Callers, *, seed: int) -> None:
        self._server = server
        self._api = api
        self._callers = callers
        self._seed = seed
        self._chance = random.Random(seed)

    async def run(self, kills: int) -> Report:
        """Kill the server so many times under load, let the outbox drain, and compare.

        Raises ServerError when the server does not come up after a kill, and TimeoutError when it
        keeps a caller for ever.
        """
        began = time.monotonic()
        try:
            await self._storm(kills)
            left = await self._drain()
        except Exception as error:
            error.add_note(f"in the chaos run of seed {self._seed}")
            raise
        finally:
            await self._server.stop()
        stories, records = self._callers.stories, self._api.records()
        return Report(
            seed=self._seed,
            kills=kills,
            seconds=time.monotonic() - began,
            stories=stories,
            records=records,
            faults=[*find_faults(stories, records), *left],
            api=self._api,
            log=self._server.log_lines(),
        )

    async def _storm(self, kills: int) -> None:
        over = asyncio.Event()
        weather = asyncio.create_task(self._api.weather(random.Random(f"weather {self._seed}")))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._callers.call_until(over.is_set))
                for _ in range(kills):
                    await self._live_and_die()
                await self._server.start()
                await self._server.wait_until_listening()
                await self._callers.wait_for_sessions(MOST_SESSIONS, LONGEST_LIFE_SECONDS)
                over.set()
        finally:
            weather.cancel()
            await asyncio.gather(weather, return_exceptions=True)

    async def _live_and_die(self) -> None:
        await self._server.start()
        if self._chance.random() < EARLY_KILLS:
            await asyncio.sleep(self._chance.uniform(0, LONGEST_START_SECONDS))
        else:
            await self._server.wait_until_listening()
            sessions = self._chance.randint(0, MOST_SESSIONS)
            await self._callers.wait_for_sessions(sessions, LONGEST_LIFE_SECONDS)
            await asyncio.sleep(self._chance.uniform(0, LONGEST_MOMENT_SECONDS))
        await self._server.kill()

    async def _drain(self) -> list[Fault]:
        """Wait until nothing waits in the outbox; what is left there in the end are faults."""
        async with open_outbox(self._server.outbox, measures=Measures()) as outbox:
            ends_at = time.monotonic() + DRAIN_SECONDS
            figures: Statistics = await outbox.statistics()
            while figures.pending and time.monotonic() < ends_at:
                await asyncio.sleep(POLL_SECONDS)
                figures = await outbox.statistics()
            pending = await outbox.pending_letters()
            dead = await outbox.dead_letters()
        return [*_left("undelivered", pending), *_left("a dead letter", dead)]


async def run_arena(mode: Mode, folder: Path, *, kills: int, seed: int) -> Report:
    """One run with fake callers in `folder`, which must be empty."""
    async with open_api(mode, folder) as api:
        server = Server(folder, {**api.settings, **MODE_SETTINGS[mode]})
        callers = FakeCallers(server.host, server.port, random.Random(f"calls {seed}"))
        return await Arena(server, api, callers, seed=seed).run(kills)


@asynccontextmanager
async def open_api(mode: Mode, folder: Path) -> AsyncGenerator[Api]:
    """The API of a run whose server lives in `folder`."""
    if mode == "embedded":
        yield EmbeddedApi(folder)
        return
    async with RemoteApi() as api:
        yield api


def _left(what: str, letters: Iterable[Letter]) -> list[Fault]:
    return [
        Fault(
            letter.key.removeprefix("agi-pbx1-"),
            f"{what}: {letter.kind}, {letter.attempts} attempts, {letter.code}",
        )
        for letter in letters
    ]
