"""Keep one link to an outside party up: try, wait, try again, for ever, and say how it stands.

Pauses have full jitter (each is drawn from zero to a ceiling that doubles), so that many nodes do
not come back in one moment; there is no last try, because a call server without its PBX has
nothing better to do.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

log = structlog.get_logger()

CONNECTING = "connecting"
UP = "up"
LOST = "lost"
STOPPED = "stopped"

Attempt = Callable[[Callable[[], None]], Awaitable[None]]
"""Connects, calls what it is given once the link is of use, and returns or raises at its end."""


class StandAsideError(Exception):
    """Raised by an attempt that must not be repeated soon.

    The link is in `state`, a word of the attempt's choice, for `seconds`.
    """

    def __init__(self, reason: str, *, state: str, seconds: float) -> None:
        super().__init__(reason)
        self.state = state
        self.seconds = seconds


class LinkStatus:
    """How a link stands: `state` since the instant `since`; `last_error` in words, or empty.

    `on_change` hears of every new state; what it raises is the caller's.
    """

    def __init__(self, name: str, on_change: Callable[[str], None]) -> None:
        self.name = name
        self.state = CONNECTING
        self.since = datetime.now(UTC)
        self.last_error = ""
        self._on_change = on_change

    def become(self, state: str, error: str = "") -> None:
        """Take a state; an error is remembered until another one comes."""
        if error:
            self.last_error = error
        if state == self.state:
            return
        previous, self.state = self.state, state
        self.since = datetime.now(UTC)
        report = log.info if state in {UP, CONNECTING, STOPPED} else log.warning
        report("link_state", link=self.name, state=state, previous=previous, reason=error)
        self._on_change(state)


class Supervisor:
    """Runs one attempt after another; `run` ends only by being cancelled.

    The ceiling of the pauses grows from `shortest_seconds` to `longest_seconds`, and falls back
    once a link has held for `longest_seconds`. An error that is not `expected` is logged with its
    trace and ends the attempt like any other: no mistake may end the last link to the PBX.
    """

    def __init__(
        self,
        status: LinkStatus,
        attempt: Attempt,
        *,
        shortest_seconds: float = 0.2,
        longest_seconds: float = 10.0,
        expected: tuple[type[Exception], ...] = (OSError,),
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._status = status
        self._attempt = attempt
        self._shortest_seconds = shortest_seconds
        self._longest_seconds = longest_seconds
        self._expected = expected
        self._uniform = uniform
        self._sleep = sleep
        self._clock = clock
        self._ceiling = shortest_seconds
        self._up_at: float | None = None

    async def run(self) -> None:
        """Keep the link up."""
        try:
            while True:
                await self._sleep(await self._try())
        finally:
            self._status.become(STOPPED)

    async def _try(self) -> float:
        """Run one attempt to its end; the seconds to wait before the next."""
        self._status.become(CONNECTING)
        self._up_at = None
        try:
            await self._attempt(self._came_up)
        except StandAsideError as error:
            self._status.become(error.state, str(error))
            return self._uniform(error.seconds / 2, error.seconds)
        except self._expected as error:
            self._status.become(LOST, str(error))
        except Exception as error:
            log.exception("link_failed", link=self._status.name)
            self._status.become(LOST, f"{type(error).__name__}: {error}")
        else:
            self._status.become(LOST, "the link ended")
        return self._pause()

    def _came_up(self) -> None:
        self._up_at = self._now()
        self._status.become(UP)

    def _pause(self) -> float:
        if self._up_at is not None and self._now() - self._up_at >= self._longest_seconds:
            self._ceiling = self._shortest_seconds
        seconds = self._uniform(0.0, self._ceiling)
        self._ceiling = min(self._ceiling * 2, self._longest_seconds)
        return seconds

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()
