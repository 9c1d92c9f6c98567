"""How many calls and rooms there are, counted in a real database of each kind."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.rooms.models import (
    Member,
    MemberState,
    Room,
    RoomEvent,
    RoomEventKind,
    RoomSettings,
)
from fastagi_server.store.census import Census, StoreCensus
from fastagi_server.store.opening import Store
from fastagi_server.telemetry import collecting
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

NOBODY = {"invited": 0, "joined": 0, "ringing": 0, "waiting": 0, "connecting": 0, "present": 0}


@pytest.fixture
async def measures() -> AsyncGenerator[Measures]:
    """What the figures go to."""
    made = Measures()
    yield made
    await made.collectors.close()


@pytest.fixture
def census(store: Store, measures: Measures) -> StoreCensus:
    """A census at one minute past noon."""
    return StoreCensus(store.database, measures, lambda: NOON + timedelta(minutes=1))


async def record(
    store: Store, number: int, status: CallStatus, *, ended_at: datetime | None = None
) -> None:
    """A call that began `number` seconds after noon."""
    moment = NOON + timedelta(seconds=number)
    call = Call(
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
    event = CallEvent(EventKind.CREATED, moment, "alice", {})
    await store.calls.create(call, event, None)
    if status is not call.status:
        await store.calls.change(
            call.id, lambda call: (replace(call, status=status, end_time=ended_at), event)
        )


async def open_room(store: Store, number: int, *states: MemberState) -> Room:
    """An active room with somebody in each of these states."""
    members = tuple(
        Member(f"user-{place}", state, NOON, f"user-{place}") for place, state in enumerate(states)
    )
    room = Room(
        id=f"room-{number}",
        name="Room",
        owner_id="alice",
        max_participants=9,
        settings=RoomSettings(),
        created_at=NOON,
        updated_at=NOON,
        number=f"{number:03}",
        members=members,
    )
    created = RoomEvent(RoomEventKind.CREATED, NOON, "alice", {})
    await store.rooms.create(room, created, None, None)
    return room


async def test_empty_store(census: StoreCensus) -> None:
    """Where nobody ever called every status has nobody, and nothing is said of last calls."""
    assert await census.count() == Census(
        calls={"initiating": 0, "ringing": 0, "connected": 0, "on_hold": 0},
        mean_age_seconds=0.0,
        last_start=None,
        last_end=None,
        rooms=0,
        participants=NOBODY,
    )


async def test_calls_are_counted(store: Store, census: StoreCensus) -> None:
    """Active calls count by status and age; of those that ended the last end is known."""
    await record(store, 10, CallStatus.CONNECTED)
    await record(store, 20, CallStatus.CONNECTED)
    await record(store, 30, CallStatus.RINGING)
    await record(store, 1, CallStatus.ENDED, ended_at=NOON + timedelta(seconds=50))
    await record(store, 2, CallStatus.ENDED, ended_at=NOON + timedelta(seconds=40))
    found = await census.count()
    assert found.calls == {"initiating": 0, "ringing": 1, "connected": 2, "on_hold": 0}
    assert found.mean_age_seconds == pytest.approx(40.0, abs=0.001)
    assert found.last_start == NOON + timedelta(seconds=30)
    assert found.last_end == NOON + timedelta(seconds=50)


async def test_rooms_are_counted(store: Store, census: StoreCensus) -> None:
    """Seats count by state over all active rooms; a closed room counts no more."""
    await open_room(store, 1, MemberState.PRESENT, MemberState.PRESENT, MemberState.WAITING)
    await open_room(store, 2, MemberState.PRESENT)
    closed = await open_room(store, 3, MemberState.PRESENT)
    await store.rooms.change(
        closed.id,
        lambda room: (
            replace(room, closed_at=NOON, members=()),
            RoomEvent(RoomEventKind.CLOSED, NOON, "alice", {}),
        ),
    )
    found = await census.count()
    assert found.rooms == 2
    assert found.participants == NOBODY | {"present": 3, "waiting": 1}


async def test_figures_reach_the_measures(
    store: Store, census: StoreCensus, measures: Measures
) -> None:
    """Whoever refreshes the measures has the figures."""
    await record(store, 0, CallStatus.CONNECTED)
    await census.collect()
    assert measures.calls_active.values[("connected",)] == 1
    assert measures.calls_active_age_seconds.values == {(): 60.0}
    assert measures.last_call_timestamp.values == {("started",): 1767268800.0}
    assert measures.rooms_active.values == {(): 0}
    assert measures.room_participants.values[("present",)] == 0


async def test_store_that_is_closed(
    store: Store,
    census: StoreCensus,
    measures: Measures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that does not answer leaves no figure standing."""
    monkeypatch.setattr(collecting, "PATIENCE_SECONDS", 30.0)
    await census.collect()
    await store.database.close()
    await measures.collectors.refresh()
    assert measures.calls_active.values == {}
    assert measures.collector_up.values == {("store",): 0}
