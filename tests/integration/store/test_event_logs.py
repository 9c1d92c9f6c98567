"""The logs of calls and rooms as they are read on and on, on both kinds of database."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from creating_process import a_call

from fastagi_server.calls.models import Call, CallEvent, ChannelName, EventKind
from fastagi_server.events.ports import Logged, LogReading, RecordsError
from fastagi_server.store.event_log import FENCE_SECONDS, LogReader
from fastagi_server.store.opening import Store, open_store

FIRST_RELEASE = Path(__file__).with_name("first_release.sql")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def create(store: Store, call_id: str) -> None:
    """Record a call of alice's."""
    call, event = a_call(call_id)
    await store.calls.create(call, event, None)


async def log(store: Store, call_id: str, kind: EventKind, **facts: str | int) -> None:
    """Add a line to a call's log."""

    def decide(call: Call) -> tuple[Call, CallEvent]:
        return call, CallEvent(kind, NOON, "asterisk", facts)

    await store.calls.change(call_id, decide)


async def read_all(reading: LogReading) -> list[Logged]:
    """All that is new."""
    found: list[Logged] = []
    while batch := await reading.read(2):
        found += batch
    return found


def told(logged: list[Logged]) -> list[tuple[str, str]]:
    """Types and calls."""
    return [(each.event.type, each.event.call or "") for each in logged]


async def test_events_come_once_each_in_order(store: Store) -> None:
    """A reader gets what is written from its beginning on, each line once, however it asks."""
    await create(store, "old")
    reading = await store.event_logs.open_reading(None)
    await create(store, "a")
    await log(store, "a", EventKind.ACCEPTED)
    await create(store, "b")
    assert told(await read_all(reading)) == [
        ("call.created", "a"),
        ("call.connected", "a"),
        ("call.created", "b"),
    ]
    await log(store, "b", EventKind.ENDED, hangup_cause=16)
    assert told(await read_all(reading)) == [("call.ended", "b")]
    assert await read_all(reading) == []


async def test_reading_goes_on_from_positions(store: Store) -> None:
    """A reader that begins where another one was gets what that had yet to get."""
    first = await store.event_logs.open_reading(None)
    await create(store, "a")
    await first.read(10)
    positions = dict(first.positions)
    await log(store, "a", EventKind.RINGING)
    second = await store.event_logs.open_reading(positions)
    assert told(await read_all(second)) == [("call.ringing", "a")]
    from_the_beginning = await store.event_logs.open_reading({})
    assert [kind for kind, _ in told(await read_all(from_the_beginning))] == [
        "call.created",
        "call.ringing",
    ]


async def test_what_an_event_says(store: Store) -> None:
    """An event names its call, its channel and its parties, with the facts of its line."""
    reading = await store.event_logs.open_reading(None)
    call, event = a_call("a")
    call.channel = ChannelName("pbx", "17.4")
    call.room_id = "room-1"
    await store.calls.create(call, event, None)
    await log(store, "a", EventKind.ENDED, hangup_cause=16)
    _, ended = await read_all(reading)
    assert ended.id == f"call-{ended.number}"
    assert ended.subject == "a"
    assert ended.event.at == NOON
    assert (ended.event.channel, ended.event.room) == ("17.4", "room-1")
    assert ended.event.data == {
        "actor": "asterisk",
        "caller_id": "alice",
        "participants": ["bob"],
        "call_type": "audio",
        "hangup_cause": 16,
    }


async def test_a_discarded_call_is_told_of(store: Store) -> None:
    """Whoever was told of a call that never was is told so, and its number is nobody else's."""
    reading = await store.event_logs.open_reading(None)
    await create(store, "a")
    assert told(await read_all(reading)) == [("call.created", "a")]
    await store.calls.discard("a")
    await create(store, "b")
    assert sorted(told(await read_all(reading))) == [("call.created", "b"), ("call.discarded", "a")]


async def test_a_call_that_nobody_knows_is_discarded_silently(store: Store) -> None:
    """To discard what is not there tells nobody anything."""
    reading = await store.event_logs.open_reading(None)
    await store.calls.discard("nobody")
    assert await read_all(reading) == []


async def test_discards_are_forgotten(store: Store) -> None:
    """Notes of what was discarded go when they are old, a few at a time."""
    for name in ("a", "b", "c"):
        await create(store, name)
        await store.calls.discard(name)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await store.event_logs.forget(later - timedelta(hours=2), 10) == 0
    assert await store.event_logs.forget(later, 2) == 2
    assert await store.event_logs.forget(later, 2) == 1
    assert await read_all(await store.event_logs.open_reading({"call": 100})) == []


async def test_writes_are_hinted_at(store: Store) -> None:
    """Who follows the logs is told at once of what this process writes."""
    hint = store.event_logs.open_hint()
    assert not hint.is_set()
    await create(store, "a")
    assert hint.is_set()
    hint.clear()
    await store.api_keys.add("alice", frozenset())
    await store.calls.get("a")
    assert await store.calls.of_channels([]) == []


async def test_a_closed_store_cannot_be_read(url: str) -> None:
    """Records that cannot be read are a RecordsError, and the place is kept."""
    async with open_store(url) as store:
        reading = await store.event_logs.open_reading({})
    with pytest.raises(RecordsError):
        await reading.read(10)
    assert set(reading.positions.values()) == {0}


ADD_LINE = """INSERT INTO call_events (call_id, kind, at, actor, facts)
    VALUES ('a', %s, 0, 'asterisk', '{}')"""


@pytest.fixture
def slow(postgres_url: str) -> Any:
    """A connection of a process that takes its time with its transactions."""
    plain = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain) as connection:
        yield connection


async def test_a_line_that_is_committed_late_is_not_skipped(
    postgres_url: str, slow: "psycopg.Connection[Any]"
) -> None:
    """What has a lower number and appears later comes first, and nothing passes it meanwhile."""
    async with open_store(postgres_url) as store:
        await create(store, "a")
        reading = await store.event_logs.open_reading(None)
        slow.execute("UPDATE idempotency_keys SET key = key")  # has begun before its line
        slow.execute(ADD_LINE, ["held"])
        await create(store, "b")
        assert await read_all(reading) == []
        slow.commit()
        assert told(await read_all(reading)) == [("call.on_hold", "a"), ("call.created", "b")]


async def test_a_line_that_is_taken_back_holds_up_nobody(
    postgres_url: str, slow: "psycopg.Connection[Any]"
) -> None:
    """A number that will never be seen is passed as soon as its transaction has ended."""
    async with open_store(postgres_url) as store:
        await create(store, "a")
        reading = await store.event_logs.open_reading(None)
        slow.execute(ADD_LINE, ["held"])
        await create(store, "b")
        assert await read_all(reading) == []
        slow.rollback()
        assert told(await read_all(reading)) == [("call.created", "b")]


async def test_a_transaction_that_never_ends_is_passed(
    postgres_url: str, slow: "psycopg.Connection[Any]"
) -> None:
    """A gap that lasts longer than any transaction of ours is passed."""
    now = 0.0
    clock: Callable[[], float] = lambda: now  # noqa: E731 - its value changes
    async with open_store(postgres_url) as store:
        await create(store, "a")
        start = (await store.event_logs.open_reading(None)).positions
        reading = LogReader(store.database, start, clock=clock)
        slow.execute(ADD_LINE, ["held"])
        await create(store, "b")
        assert await read_all(reading) == []
        now = FENCE_SECONDS + 1
        assert told(await read_all(reading)) == [("call.created", "b")]


async def test_numbers_of_an_older_database_are_not_given_again(tmp_path: Path) -> None:
    """A file of the first release gets numbers that are unique for ever, and keeps its logs."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST_RELEASE.read_text())
        (before,) = old.execute("SELECT count(*) FROM call_events").fetchone()
    async with open_store(f"sqlite:///{path}") as store:
        reading = await store.event_logs.open_reading({})
        assert len(await read_all(reading)) == before
        await create(store, "new")
        await store.calls.discard("new")
        await create(store, "newer")
        assert ("call.created", "newer") in told(await read_all(reading))
    with closing(sqlite3.connect(path)) as migrated:
        made = migrated.execute(
            "SELECT sql FROM sqlite_master WHERE name IN ('call_events', 'room_events')"
        ).fetchall()
    assert ["AUTOINCREMENT" in sql for (sql,) in made] == [True, True]
