"""Rooms end when their time is up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from memory_rooms import ALICE, NOON, ROOM_ID, Desk, MemoryPbx, a_room, an_order
from structlog.testing import capture_logs

from fastagi_server.calls.errors import PbxUnreachableError
from fastagi_server.rooms.models import Member, MemberState
from fastagi_server.rooms.timekeeper import Timekeeper

DAY = timedelta(hours=24)
PRESENT = Member("17.1", MemberState.PRESENT, NOON, channel="17.1")


def keeper(desk: Desk) -> Timekeeper:
    """A timekeeper who closes after a day without use and forgets after another."""
    return Timekeeper(desk.changes, idle=DAY, retention=DAY)


async def test_time_limit() -> None:
    """A room is closed, with everybody in it, when its minutes have passed, and not before."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    room, _ = await desk.rooms.create(an_order(time_limit_minutes=30), ALICE, None)
    end = NOON + timedelta(minutes=30)
    assert room.closes_at == end
    desk.now = end - timedelta(microseconds=1)
    await keeper(desk).look()
    assert desk.records.rooms[room.id].is_active
    desk.now = end
    await keeper(desk).look()
    assert not desk.records.rooms[room.id].is_active
    assert desk.records.log[room.id][-1].actor == "clock"
    assert pbx.orders == ["open mixing", "close"]


async def test_pbx_away_at_the_end() -> None:
    """A room that could not be closed is tried again at the next look."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(replace(a_room(), closes_at=NOON))
    pbx.refusals["close"] = PbxUnreachableError("away")
    with capture_logs() as logs:
        await keeper(desk).look()
    assert desk.room.is_active
    assert [line["event"] for line in logs] == ["room_not_closed"]
    pbx.refusals.clear()
    await keeper(desk).look()
    assert not desk.room.is_active


async def test_unused_room() -> None:
    """A room in which nothing happened for a day is closed, unless a telephone is in it."""
    desk = Desk()
    desk.put(a_room())
    desk.put(replace(a_room(PRESENT), id="2", number="124"))
    desk.now = NOON + DAY
    await keeper(desk).look()
    assert [room.id for room in desk.records.rooms.values() if room.is_active] == ["2"]


async def test_retention() -> None:
    """A closed room is forgotten a day after it was closed."""
    desk = Desk()
    desk.put(replace(a_room(), closed_at=NOON))
    desk.now = NOON + DAY
    await keeper(desk).look()
    assert list(desk.records.rooms) == [ROOM_ID]
    desk.now += timedelta(microseconds=1)
    await keeper(desk).look()
    assert desk.records.rooms == {}


@pytest.mark.parametrize(
    ("left", "pause"), [(None, 30), (-5, 5), (0, 5), (0.25, 0.25), (12, 12), (90, 30)]
)
async def test_pause(left: float | None, pause: float) -> None:
    """The next look is when a room is due, in 30 s at most; at one that did not close, in 5 s."""
    desk = Desk()
    if left is not None:
        desk.put(replace(a_room(), closes_at=NOON + timedelta(seconds=left)))
    assert await keeper(desk).pause_seconds() == pause


async def test_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is logged and does not end the watch; cancelling does."""
    desk = Desk()
    looks = asyncio.Queue[None]()

    async def fail(*_: object) -> None:
        looks.put_nowait(None)
        raise OSError("disk")

    monkeypatch.setattr(desk.records, "overdue", fail)
    monkeypatch.setattr("fastagi_server.rooms.timekeeper.LOOK_SECONDS", 0)
    with capture_logs() as logs:
        task = asyncio.create_task(keeper(desk).run())
        for _ in range(3):
            await looks.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {line["event"] for line in logs} == {"room_upkeep_failed"}
