"""An SGE API in memory: idempotent by key, and failing when told to."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from fastagi_server.registration import codes
from fastagi_server.registration.models import Ending, RegisteredCall, Registration
from fastagi_server.registration.ports import CallsApiError, RefusedError


@dataclass
class FakeCallsApi:
    """Implements `CallsApi`.

    `failures` are raised by the next requests, one each (None: work); `hold`, when set, makes
    every request wait for it. `said` is what reached the API, in order.
    """

    failures: deque[CallsApiError | Exception | None] = field(default_factory=deque)
    hold: asyncio.Event | None = None
    said: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    deadlines: list[float] = field(default_factory=list)
    concurrent: int = 0
    most_concurrent: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds, looked at whenever a request begins or ends."""
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def register(self, registration: Registration, *, deadline: float) -> RegisteredCall:
        """Give each key one call."""
        await self._work(f"register {registration.unique_id}", deadline)
        call_id = self.calls.setdefault(registration.key, f"call-{registration.unique_id}")
        return RegisteredCall(call_id, registration.unique_id)

    async def accept(self, call_id: str, answered_at: datetime | None, *, deadline: float) -> None:
        """Note it."""
        del answered_at
        await self._work(f"accept {call_id}", deadline)

    async def end(self, call_id: str, ending: Ending, *, deadline: float) -> None:
        """Note it."""
        del ending
        await self._work(f"end {call_id}", deadline)

    async def status(self, call_id: str, *, deadline: float) -> str:
        """Say `ringing` for every call that was registered."""
        await self._work(f"status {call_id}", deadline)
        if call_id not in self.calls.values():
            raise RefusedError(codes.CALL_UNKNOWN)
        return "ringing"

    async def _work(self, what: str, deadline: float) -> None:
        self.deadlines.append(deadline)
        self.concurrent += 1
        self.most_concurrent = max(self.most_concurrent, self.concurrent)
        self.changed.set()
        try:
            if self.hold is not None:
                await self.hold.wait()
            failure = self.failures.popleft() if self.failures else None
            if failure is not None:
                raise failure
        finally:
            self.concurrent -= 1
            self.changed.set()
        self.said.append(what)
