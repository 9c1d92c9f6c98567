"""Logs and a book in memory, for tests."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fastagi_server.events.models import Event
from fastagi_server.events.ports import DeadLetter, Logged, Positions, RecordsError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class MemoryLogs:
    """One log of calls; `is_away` makes every look fail."""

    lines: list[Logged] = field(default_factory=list[Logged])
    hints: list[asyncio.Event] = field(default_factory=list[asyncio.Event])
    is_away: bool = False

    def add(self, event_type: str, call: str, at: datetime = NOON) -> Logged:
        """Write a line."""
        logged = Logged("call", len(self.lines) + 1, Event(event_type, at, call=call))
        self.lines.append(logged)
        for hint in self.hints:
            hint.set()
        return logged

    async def open_reading(self, start: Positions | None) -> "MemoryReading":
        """See EventLogs."""
        self.check()
        return MemoryReading(self, len(self.lines) if start is None else start["call"])

    def open_hint(self) -> asyncio.Event:
        """See EventLogs."""
        hint = asyncio.Event()
        self.hints.append(hint)
        return hint

    def check(self) -> None:
        """Raise when the records are away."""
        if self.is_away:
            raise RecordsError("away")


@dataclass
class MemoryReading:
    """See LogReading."""

    logs: MemoryLogs
    number: int

    @property
    def positions(self) -> Positions:
        """See LogReading."""
        return {"call": self.number}

    async def read(self, limit: int) -> Sequence[Logged]:
        """See LogReading."""
        self.logs.check()
        batch = self.logs.lines[self.number : self.number + limit]
        self.number += len(batch)
        return batch


@dataclass
class MemoryBook:
    """See WebhookBook."""

    owner: str | None = None
    noted: Positions | None = None
    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    waiting: list[DeadLetter] = field(default_factory=list[DeadLetter])
    refusals: int = 0
    buried: asyncio.Event = field(default_factory=asyncio.Event)
    saved: asyncio.Event = field(default_factory=asyncio.Event)

    async def lead(self, target: str, owner: str, now: datetime, until: datetime) -> bool:
        """See WebhookBook."""
        self.owner = self.owner or owner
        return self.owner == owner

    async def positions(self, target: str) -> Positions | None:
        """See WebhookBook."""
        return self.noted

    async def save(self, target: str, owner: str, positions: Positions) -> bool:
        """See WebhookBook."""
        if self.owner != owner:
            return False
        self.noted = positions
        self.saved.set()
        return True

    async def release(self, target: str, owner: str) -> None:
        """See WebhookBook."""
        self.owner = None

    async def bury(self, letter: DeadLetter) -> None:
        """See WebhookBook."""
        if self.refusals:
            self.refusals -= 1
            raise RecordsError("busy")
        self.letters.append(replace(letter, number=len(self.letters) + 1))
        self.buried.set()

    async def waiting_letters(self, target: str, limit: int) -> Sequence[DeadLetter]:
        """See WebhookBook."""
        return self.waiting[:limit]

    async def settle(self, number: int, *, is_delivered: bool) -> None:
        """See WebhookBook."""
        self.waiting = [each for each in self.waiting if each.number != number]
        self.saved.set()

    async def count_dead(self, targets: Collection[str]) -> Mapping[str, int]:
        """See WebhookBook."""
        return {target: len(self.letters) for target in targets}
