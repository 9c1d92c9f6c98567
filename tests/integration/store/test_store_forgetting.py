"""Calls and keys that are too old, in a real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from fastagi_server.calls.models import (
    Call,
    CallEvent,
    CallStatus,
    CallType,
    EventKind,
)
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.store import idempotency, schema
from fastagi_server.store.opening import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TABLES = ("calls", "call_parties", "call_events", "idempotency_keys")


def a_call(number: int) -> Call:
    """A call that begins `number` hours after noon."""
    moment = NOON + timedelta(hours=number)
    return Call(
        id=f"call-{number}",
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=CallStatus.INITIATING,
        start_time=moment,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={},
        updated_at=moment,
    )


async def create(store: Store, number: int) -> None:
    """Record a call under a key."""
    call = a_call(number)
    key = IdempotencyKey("alice", f"key-{number}", b"f" * 32)
    await store.calls.create(call, CallEvent(EventKind.CREATED, NOON, "alice", {}), key)


async def end(store: Store, number: int, *, hour: int) -> None:
    """End a call so many hours after noon; the telephone says it was over at noon."""
    moment = NOON + timedelta(hours=hour)

    def decide(call: Call) -> tuple[Call, CallEvent]:
        ended = replace(call, status=CallStatus.ENDED, end_time=NOON, updated_at=moment)
        return ended, CallEvent(EventKind.ENDED, moment, "alice", {})

    await store.calls.change(f"call-{number}", decide)


async def rows(store: Store) -> dict[str, int]:
    """How many rows the tables have."""
    counts: dict[str, int] = {}
    for name in TABLES:
        query = select(func.count()).select_from(schema.tables.tables[name])
        found = await store.database.read(
            lambda connection, query=query: connection.rows(query, {})
        )
        counts[name] = found[0][0]
    return counts


async def test_ended_calls_are_forgotten(store: Store) -> None:
    """Calls that ended before the horizon go, the oldest first, and all of theirs with them."""
    for number in range(5):
        await create(store, number)
        await end(store, number, hour=10 + number)
    horizon = NOON + timedelta(hours=13)
    assert await store.calls.forget(horizon, 2) == 2
    assert await store.calls.get("call-0") is None
    assert await store.calls.get("call-1") is None
    assert await store.calls.events("call-0") == []
    assert await rows(store) == {
        "calls": 3,
        "call_parties": 6,
        "call_events": 6,
        "idempotency_keys": 3,
    }
    assert await store.calls.forget(horizon, 2) == 1
    assert await store.calls.forget(horizon, 2) == 0
    assert await store.calls.get("call-3") is not None


async def test_calls_under_way_are_not_forgotten(store: Store) -> None:
    """A call that has not ended stays, however long ago it began."""
    await create(store, 0)
    assert await store.calls.forget(NOON + timedelta(days=10_000), 10) == 0
    assert await store.calls.get("call-0") is not None


async def test_a_long_call_is_kept_from_its_end(store: Store) -> None:
    """What counts is when the end was recorded; a call that ended late keeps no other one."""
    for number in range(3):
        await create(store, number)
    await end(store, 0, hour=99)
    await end(store, 1, hour=3)
    assert await store.calls.forget(NOON + timedelta(hours=98), 10) == 1
    assert await store.calls.get("call-0") is not None
    assert await store.calls.get("call-1") is None
    assert await store.calls.forget(NOON + timedelta(hours=100), 10) == 1


async def test_a_forgotten_key_makes_a_new_call(store: Store) -> None:
    """Where a call was forgotten before its key was too old, a repetition is a new call."""
    await create(store, 0)
    await end(store, 0, hour=1)
    await store.calls.forget(NOON + timedelta(hours=2), 10)
    await create(store, 0)
    assert await store.calls.get("call-0") is not None


async def test_keys_are_forgotten_a_few_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that brings a key takes ten old ones away at most, the oldest first."""
    for number in range(12):
        await create(store, number)
    monkeypatch.setattr(idempotency, "KEY_LIFETIME", timedelta(hours=-100))
    await create(store, 12)
    assert await rows(store) == {
        "calls": 13,
        "call_parties": 26,
        "call_events": 13,
        "idempotency_keys": 3,
    }
