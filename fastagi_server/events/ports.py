"""What this topic needs from the outside: the logs of calls and rooms, and the book of webhooks."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastagi_server.events.models import Event


class RecordsError(Exception):
    """The records cannot be read or written now; the text says why."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of a log: `log` is call, room or discard, `number` its place there.

    Numbers of one log only grow; that of an event is never given to another one.
    """

    log: str
    number: int
    event: Event

    @property
    def id(self) -> str:
        """What names the event for ever, such as `call-4711`."""
        return f"{self.log}-{self.number}"

    @property
    def subject(self) -> str:
        """The call or the room whose events are to stay in order."""
        return self.event.call or self.event.room or ""


Positions = Mapping[str, int]
"""How far each log was read, by its name."""


class LogReading(Protocol):
    """One who reads the logs on from where he was. Not to be used by two tasks."""

    @property
    def positions(self) -> Positions:
        """Up to where the logs were read; nothing before is ever to come."""
        ...

    async def read(self, limit: int) -> Sequence[Logged]:
        """At most so many further events of each log, in its order. Raises RecordsError."""
        ...


class EventLogs(Protocol):
    """The append-only logs."""

    async def open_reading(self, start: Positions | None) -> LogReading:
        """Read on from there, or from the present end. Raises RecordsError."""
        ...

    def open_hint(self) -> asyncio.Event:
        """Is set whenever this process has written something; the reader clears it."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up: what was to be delivered where, and why it was not."""

    target: str
    event_id: str
    event_type: str
    body: bytes
    attempts: int
    reason: str
    died_at: datetime
    number: int = 0
    """Its number in the book, from 1; 0 for one that is not in it yet."""


class WebhookBook(Protocol):
    """How far each target was told, and what was given up. Each method raises RecordsError.

    Of the processes that share the records one at a time leads a target, until its lease ends.
    """

    async def lead(self, target: str, owner: str, now: datetime, until: datetime) -> bool:
        """Begin or go on to lead; False while another one does."""
        ...

    async def positions(self, target: str) -> Positions | None:
        """How far the target was told, None for a new one."""
        ...

    async def save(self, target: str, owner: str, positions: Positions) -> bool:
        """Note how far the target was told; False, with nothing noted, for who does not lead."""
        ...

    async def release(self, target: str, owner: str) -> None:
        """Lead no longer."""
        ...

    async def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter; once for one event and target."""
        ...

    async def waiting_letters(self, target: str, limit: int) -> Sequence[DeadLetter]:
        """Dead letters that shall be tried again, oldest first."""
        ...

    async def settle(self, number: int, *, is_delivered: bool) -> None:
        """A letter was tried again: forget it, or keep it for dead as before."""
        ...

    async def count_dead(self, targets: Collection[str]) -> Mapping[str, int]:
        """How many dead letters each of these targets has."""
        ...
