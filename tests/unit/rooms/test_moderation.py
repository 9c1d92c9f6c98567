"""What moderators may do; the records and the PBX are in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from memory_rooms import ALICE, BOB, EVE, NOON, ROOM_ID, SERVICE, Desk, MemoryPbx, a_room

from fastagi_server.calls.errors import PbxRefusedError, PbxUnreachableError
from fastagi_server.identities.identity import Identity
from fastagi_server.rooms.errors import MemberNotFoundError, RoomClosedError, RoomForbiddenError
from fastagi_server.rooms.models import Member, MemberState, Room

ALICE_IN = Member("alice", MemberState.PRESENT, NOON, "alice", channel="17.1")
BOB_IN = Member("bob", MemberState.PRESENT, NOON, "bob", channel="17.2")
CALLER_IN = Member("17.3", MemberState.PRESENT, NOON, number="1003", channel="17.3")


def full_desk(pbx: MemoryPbx | None = None, **settings: Any) -> Desk:
    """A desk with a room in which alice, bob and a caller are."""
    desk = Desk(pbx)
    desk.put(a_room(ALICE_IN, BOB_IN, CALLER_IN, **settings))
    return desk


ACTS: list[Callable[[Desk, Identity], Awaitable[Room]]] = [
    lambda desk, by: desk.moderation.close(ROOM_ID, by),
    lambda desk, by: desk.moderation.lock(ROOM_ID, by, is_locked=True),
    lambda desk, by: desk.moderation.lock(ROOM_ID, by, is_locked=False),
    lambda desk, by: desk.moderation.kick(ROOM_ID, "bob", by),
    lambda desk, by: desk.moderation.mute(ROOM_ID, "bob", by, is_muted=True),
    lambda desk, by: desk.moderation.mute(ROOM_ID, "bob", by, is_muted=False),
    lambda desk, by: desk.moderation.start_recording(ROOM_ID, by),
    lambda desk, by: desk.moderation.stop_recording(ROOM_ID, by),
]


@pytest.mark.parametrize("act", ACTS)
async def test_only_moderators(act: Callable[[Desk, Identity], Awaitable[Room]]) -> None:
    """Members and strangers are refused without effect; owner, moderator and service are not."""
    for outsider in (BOB, EVE):
        pbx = MemoryPbx()
        desk = full_desk(pbx, allow_recording=True)
        before = desk.room
        with pytest.raises(RoomForbiddenError, match="Only moderators"):
            await act(desk, outsider)
        assert (desk.room, pbx.orders) == (before, [])
    for moderator in (ALICE, SERVICE, EVE):
        await act(full_desk(MemoryPbx(), allow_recording=True, moderator_id="eve"), moderator)


async def test_close() -> None:
    """Everybody is hung up, the recording stopped, the bridge destroyed; once."""
    pbx = MemoryPbx()
    desk = full_desk(pbx)
    desk.put(replace(desk.room, recording=f"{desk.room.bridge_id}-tape"))
    room = await desk.moderation.close(ROOM_ID, ALICE)
    assert (room.is_active, room.participants, room.recording) == (False, (), None)
    assert pbx.orders == ["hang up 17.1 16", "hang up 17.2 16", "hang up 17.3 16", "stop -tape",
                          "close"]  # fmt: skip
    assert await desk.moderation.close(ROOM_ID, ALICE) == room
    assert desk.records.kinds(ROOM_ID) == ["closed"]


async def test_bridge_that_stays() -> None:
    """A room whose bridge could not be destroyed is not closed, so that it can be tried again."""
    pbx = MemoryPbx()
    pbx.refusals["close"] = PbxUnreachableError("away")
    desk = full_desk(pbx)
    with pytest.raises(PbxUnreachableError):
        await desk.moderation.close(ROOM_ID, ALICE)
    assert desk.room.is_active


async def test_lock() -> None:
    """A lock is a matter of the record only."""
    pbx = MemoryPbx()
    desk = full_desk(pbx)
    assert (await desk.moderation.lock(ROOM_ID, ALICE, is_locked=True)).is_locked
    assert not (await desk.moderation.lock(ROOM_ID, ALICE, is_locked=False)).is_locked
    assert (desk.records.kinds(ROOM_ID), pbx.orders) == (["locked", "unlocked"], [])


async def test_kick() -> None:
    """A member is hung up and gone; an unknown one is an error."""
    pbx = MemoryPbx()
    desk = full_desk(pbx)
    room = await desk.moderation.kick(ROOM_ID, "17.3", ALICE)
    assert room.participants == ("alice", "bob")
    assert pbx.orders == ["hang up 17.3 16"]
    assert desk.records.log[ROOM_ID][0].facts == {"member": "17.3"}
    with pytest.raises(MemberNotFoundError):
        await desk.moderation.kick(ROOM_ID, "17.3", ALICE)


async def test_owner_cannot_be_kicked() -> None:
    """A moderator cannot send the owner away, a trusted identity can, and so can he himself."""
    desk = full_desk(moderator_id="bob")
    with pytest.raises(RoomForbiddenError, match="owner cannot be sent away"):
        await desk.moderation.kick(ROOM_ID, "alice", BOB)
    await desk.moderation.kick(ROOM_ID, "alice", SERVICE)
    assert desk.room.participants == ("bob", "1003")


async def test_mute() -> None:
    """A telephone in the bridge is muted at once; one that is not, when it comes in."""
    pbx = MemoryPbx()
    desk = full_desk(pbx)
    room = await desk.moderation.mute(ROOM_ID, "bob", ALICE, is_muted=True)
    assert [member.is_muted for member in room.members] == [False, True, False]
    await desk.moderation.mute(ROOM_ID, "bob", ALICE, is_muted=True)
    await desk.moderation.mute(ROOM_ID, "bob", ALICE, is_muted=False)
    assert pbx.orders == ["mute 17.2", "unmute 17.2"]
    desk.put(a_room(ALICE_IN, replace(BOB_IN, state=MemberState.RINGING)))
    await desk.moderation.mute(ROOM_ID, "bob", ALICE, is_muted=True)
    await desk.attendance.arrived(ROOM_ID, "17.2")
    assert pbx.orders[2:] == ["admit 17.2 muted"]


async def test_recording() -> None:
    """One recording runs, under a name of its own, until it is stopped."""
    pbx = MemoryPbx()
    desk = full_desk(pbx, allow_recording=True)
    room = await desk.moderation.start_recording(ROOM_ID, ALICE)
    assert room.recording == f"sge-room-{ROOM_ID}-20260101T120000000000"
    assert await desk.moderation.start_recording(ROOM_ID, ALICE) == room
    assert (await desk.moderation.stop_recording(ROOM_ID, ALICE)).recording is None
    assert (await desk.moderation.stop_recording(ROOM_ID, ALICE)).recording is None
    assert pbx.orders == ["record -20260101T120000000000", "stop -20260101T120000000000"]
    assert desk.records.kinds(ROOM_ID) == ["recording_started", "recording_stopped"]


async def test_recording_is_a_right() -> None:
    """Where the room does not allow it, nobody records; nor without a PBX, nor if it refuses."""
    with pytest.raises(RoomForbiddenError, match="Recording is not allowed"):
        await full_desk(MemoryPbx()).moderation.start_recording(ROOM_ID, ALICE)
    with pytest.raises(PbxUnreachableError):
        await full_desk(allow_recording=True).moderation.start_recording(ROOM_ID, ALICE)
    pbx = MemoryPbx()
    pbx.refusals["record"] = PbxRefusedError("no space")
    desk = full_desk(pbx, allow_recording=True)
    with pytest.raises(PbxRefusedError):
        await desk.moderation.start_recording(ROOM_ID, ALICE)
    assert desk.room.recording is None


async def test_nothing_after_the_end() -> None:
    """A closed room is not locked, kicked from, muted in or recorded."""
    desk = full_desk(MemoryPbx(), allow_recording=True)
    await desk.moderation.close(ROOM_ID, ALICE)
    for act in (
        desk.moderation.lock(ROOM_ID, ALICE, is_locked=True),
        desk.moderation.kick(ROOM_ID, "bob", ALICE),
        desk.moderation.mute(ROOM_ID, "bob", ALICE, is_muted=True),
        desk.moderation.start_recording(ROOM_ID, ALICE),
        desk.moderation.stop_recording(ROOM_ID, ALICE),
    ):
        with pytest.raises(RoomClosedError):
            await act
