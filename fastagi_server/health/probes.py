"""How each kind of dependency is looked at, given the means to ask it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from fastagi_server.health.board import Probe
from fastagi_server.health.states import Condition, State
from fastagi_server.supervise import UP

SGE_API = "sge_api"
OUTBOX = "outbox"

LOW_BYTES = 256 * 1024 * 1024
"""Free space below which somebody should look: the database's log alone may take 64 MiB."""

FULL_BYTES = 16 * 1024 * 1024

NEARLY = 0.9
"""The share of the outbox that may be taken before somebody should look."""

NO_FAILURES = frozenset({"ok", "cancelled", "api_breaker_open"})
"""Outcomes of requests that do not say why an API is left alone."""

Labels = tuple[str, ...]


class Link(Protocol):
    """A link that is kept up by a supervisor."""

    @property
    def state(self) -> str:
        """In one word, `up` when it is of use."""
        ...

    @property
    def since(self) -> datetime:
        """Since when it stands so."""
        ...

    @property
    def last_error(self) -> str:
        """Why it was last not up."""
        ...


class Backlog(Protocol):
    """What waits in the outbox, and what was given up."""

    @property
    def pending(self) -> int:
        """Entries that wait."""
        ...

    @property
    def dead(self) -> int:
        """Entries that were given up."""
        ...


class Outbox(Protocol):
    """Where registrations wait."""

    async def statistics(self) -> Backlog:
        """Count them."""
        ...


def answering(
    name: str,
    ask: Callable[[], Awaitable[object]],
    *,
    expected: type[Exception],
    reason: str,
) -> Probe:
    """What is needed and is up when it answers; `expected` is raised when it cannot."""

    async def look() -> Condition:
        try:
            await ask()
        except expected as error:
            return Condition(State.DOWN, reason, str(error))
        return Condition()

    return Probe(name, look)


def linked(name: str, link: Link, words: str) -> Probe:
    """A link that is needed; `words` name its other end."""

    async def look() -> Condition:
        if link.state == UP:
            return Condition(since=link.since)
        return Condition(State.DOWN, f"{words}: {link.state}", link.last_error, since=link.since)

    return Probe(name, look)


def queueing(outbox: Outbox, *, expected: type[Exception], max_entries: int) -> Probe:
    """The outbox: needed, because a registration that SGE does not take goes there."""

    async def look() -> Condition:
        try:
            found = await outbox.statistics()
        except expected as error:
            return Condition(State.DOWN, "outbox unusable", str(error))
        if found.pending >= NEARLY * max_entries:
            return Condition(State.DEGRADED, "outbox nearly full", f"{found.pending} entries wait")
        if found.dead:
            return Condition(
                State.DEGRADED, "dead letters in the outbox", f"{found.dead} were given up"
            )
        return Condition()

    return Probe(OUTBOX, look)


def sge_api(breaker_open: Mapping[Labels, float], requests: Mapping[Labels, float]) -> Probe:
    """The SGE API, by the measures of that name: not needed, since registrations wait for it.

    `requests` are counted by operation and outcome; the last failures are the detail.
    """
    seen: dict[Labels, float] = {}
    failures: list[str] = []

    async def look() -> Condition:
        grown = {labels[-1] for labels, count in requests.items() if count > seen.get(labels, 0.0)}
        seen.update(requests)
        if not any(breaker_open.values()):
            return Condition()
        # While the API is left alone nothing else grows, and the old failures are the reason.
        failures[:] = sorted(grown - NO_FAILURES) or failures
        return Condition(State.DOWN, "SGE API unavailable", ", ".join(failures))

    return Probe(SGE_API, look, is_needed=False)


def log_writer(drops: Mapping[Labels, float]) -> Probe:
    """The log, by the counts of lines that were dropped or went elsewhere since the last look."""
    seen = {"log_line": 0.0, "log_file_line": 0.0}

    async def look() -> Condition:
        now = {name: drops.get((name,), 0.0) for name in seen}
        grown = {name: now[name] - seen[name] for name in seen}
        seen.update(now)
        if grown["log_line"] > 0:
            return Condition(
                State.DEGRADED, "log lines are lost", f"{grown['log_line']:.0f} since the last look"
            )
        if grown["log_file_line"] > 0:
            return Condition(State.DEGRADED, "the log file is not written")
        return Condition()

    return Probe("log", look, is_needed=False)


def event_stream(drops: Mapping[Labels, float], dead_letters: Mapping[Labels, float]) -> Probe:
    """The stream of events, by what its readers lost since the last look, and its webhooks."""
    seen = 0.0

    async def look() -> Condition:
        nonlocal seen
        now = drops.get(("stream_event",), 0.0)
        lost, seen = now - seen, now
        if lost > 0:
            return Condition(
                State.DEGRADED,
                "events are lost",
                f"{lost:.0f} since the last look, by slow readers",
            )
        refused = sum(dead_letters.values())
        if refused:
            return Condition(
                State.DEGRADED, "webhooks do not take their events", f"{refused:.0f} are kept"
            )
        return Condition()

    return Probe("events", look, is_needed=False)


def disk(free_bytes: Callable[[], int]) -> Probe:
    """Room where the state is kept. Who cannot write says so by itself: this is not needed."""

    async def look() -> Condition:
        try:
            free = await asyncio.to_thread(free_bytes)
        except OSError as error:
            return Condition(State.DOWN, "the state folder cannot be read", str(error.strerror))
        if free >= LOW_BYTES:
            return Condition()
        state = State.DOWN if free < FULL_BYTES else State.DEGRADED
        return Condition(state, "disk space is low", f"{free / 1024 / 1024:.0f} MiB are free")

    return Probe("disk", look, is_needed=False)
