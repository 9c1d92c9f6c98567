"""The tail: what the logs say, in the stream."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from fastagi_server.events.models import Event
from fastagi_server.events.ports import Logged
from fastagi_server.events.tail import Tail
from tests.unit.events.memory_logs import MemoryLogs, MemoryReading


async def test_only_what_is_new_is_published() -> None:
    """The tail begins at the present end, and publishes each line once."""
    logs, published = MemoryLogs(), list[Event]()
    logs.add("call.created", "old")
    tail = Tail(logs, published.append)
    await tail.look()
    logs.add("call.created", "a")
    logs.add("call.ended", "a")
    await tail.look()
    await tail.look()
    assert [each.type for each in published] == ["call.created", "call.ended"]


async def test_records_that_are_away_are_said_once() -> None:
    """What was written meanwhile is published when the records are back."""
    logs, published = MemoryLogs(), list[Event]()
    tail = Tail(logs, published.append)
    await tail.look()
    logs.add("call.created", "a")
    logs.is_away = True
    with capture_logs() as lines:
        await tail.look()
        await tail.look()
    assert [line["event"] for line in lines] == ["event_logs_unreadable"]
    assert published == []
    logs.is_away = False
    await tail.look()
    assert [each.call for each in published] == ["a"]


async def test_a_hint_wakes_it_at_once() -> None:
    """What this process writes is not waited for until the next poll."""
    logs = MemoryLogs()
    published = asyncio.Queue[Event]()
    tail = Tail(logs, published.put_nowait, poll_seconds=60, rest_seconds=0)
    await tail.look()
    running = asyncio.create_task(tail.run())
    logs.add("call.created", "a")
    assert (await published.get()).call == "a"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_other_processes_are_polled() -> None:
    """What nobody hints at is found at the next poll."""
    logs = MemoryLogs()
    published = asyncio.Queue[Event]()
    tail = Tail(logs, published.put_nowait, poll_seconds=0.001)
    await tail.look()
    logs.hints.clear()
    running = asyncio.create_task(tail.run())
    logs.add("call.created", "a")
    assert (await published.get()).call == "a"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_mistake_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that nobody understands is logged, and what follows is published."""
    logs = MemoryLogs()
    published = asyncio.Queue[Event]()
    read, faults = MemoryReading.read, [KeyError("a kind of a later version")]

    async def stumble(reading: MemoryReading, limit: int) -> Sequence[Logged]:
        found = await read(reading, limit)
        if found and faults:
            raise faults.pop()
        return found

    monkeypatch.setattr(MemoryReading, "read", stumble)
    tail = Tail(logs, published.put_nowait, poll_seconds=60, rest_seconds=0)
    await tail.look()
    with capture_logs() as lines:
        running = asyncio.create_task(tail.run())
        logs.add("call.created", "a")
        while not lines:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        logs.add("call.created", "b")
        assert (await published.get()).call == "b"
    assert [line["event"] for line in lines] == ["event_tail_failed"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
