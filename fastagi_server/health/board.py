"""Looks at every dependency now and then, and when asked, and remembers what it found.

board = HealthBoard()
board.add(Probe("store", look))
tasks.create_task(board.run())
board.summary().word
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from fastagi_server.health.states import Condition, Dependency, State, Summary

LOOK_SECONDS = 2.0
"""How long a look may take; what does not answer by then is down."""

EVERY_SECONDS = 5.0
"""Between two rounds of looks that nobody asked for."""

_log = structlog.stdlib.get_logger("health")


@dataclass(frozen=True, slots=True)
class Probe:
    """How to look at the dependency `name`. What `look` raises means that it is down."""

    name: str
    look: Callable[[], Awaitable[Condition]]
    is_needed: bool = True


class HealthBoard:
    """The dependencies of one process. `now` gives the time in UTC."""

    def __init__(
        self,
        probes: Iterable[Probe] = (),
        *,
        look_seconds: float = LOOK_SECONDS,
        every_seconds: float = EVERY_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._probes = list(probes)
        self._look_seconds = look_seconds
        self._every_seconds = every_seconds
        self._now = now
        self._found: dict[str, Dependency] = {}
        self._round: asyncio.Task[None] | None = None

    def add(self, *probes: Probe) -> None:
        """Look at these, too, after those that were added before."""
        self._probes.extend(probes)

    def summary(self) -> Summary:
        """What the last looks found, without looking; a dependency not yet looked at is left out.

        At most 7 s old while `run` runs.
        """
        found = self._found
        return Summary(tuple(found[p.name] for p in self._probes if p.name in found))

    async def check(self) -> Summary:
        """Look at everything now, at most 2 s; those who ask meanwhile share the answer."""
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._look_at_all(), name="health-look")
        await asyncio.shield(self._round)
        return self.summary()

    async def run(self) -> None:
        """Look every five seconds until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(self._every_seconds)

    async def _look_at_all(self) -> None:
        probes = tuple(self._probes)
        conditions = await asyncio.gather(*map(self._look, probes))
        for probe, condition in zip(probes, conditions, strict=True):
            self._found[probe.name] = self._dependency(probe, condition)

    async def _look(self, probe: Probe) -> Condition:
        try:
            async with asyncio.timeout(self._look_seconds):
                return await probe.look()
        except TimeoutError:
            return Condition(State.DOWN, f"{probe.name} does not answer")
        except Exception as error:  # noqa: BLE001 - one faulty look must not hide the others
            _log.exception("health_look_failed", dependency=probe.name)
            return Condition(State.DOWN, f"{probe.name} fails", type(error).__name__)

    def _dependency(self, probe: Probe, condition: Condition) -> Dependency:
        before = self._found.get(probe.name)
        since = condition.since
        if since is None:
            same = before is not None and before.state is condition.state
            since = before.since if before is not None and same else self._now()
        self._tell(probe.name, before, condition)
        return Dependency(
            name=probe.name,
            is_needed=probe.is_needed,
            state=condition.state,
            since=since,
            reason=condition.reason,
            last_error=condition.error or (before.last_error if before is not None else ""),
        )

    def _tell(self, name: str, before: Dependency | None, condition: Condition) -> None:
        previous = before.state if before is not None else State.UP
        if condition.state is previous:
            return
        # What is not there yet at the first look has not gone, and who keeps it warns by himself.
        is_news = before is not None and condition.state is not State.UP
        report = _log.warning if is_news else _log.info
        report(
            "health_changed",
            dependency=name,
            state=str(condition.state),
            previous=str(previous),
            reason=condition.error,
        )
