"""The roster follows the PBX, and the PBX follows the rules."""

import asyncio
from dataclasses import replace

import pytest
from memory_rooms import ALICE, BOB, NOON, ROOM_ID, Desk, MemoryPbx, a_room
from structlog.testing import capture_logs

from fastagi_server.calls.errors import PbxRefusedError, PbxUnreachableError
from fastagi_server.rooms import changes
from fastagi_server.rooms.errors import RoomBusyError, RoomFullError, RoomLockedError
from fastagi_server.rooms.models import Member, MemberState, Visitor
from fastagi_server.rooms.orders import JoinOrder

CALLER = Visitor("17.3", "1003", None)
BOBS_PHONE = Visitor("17.2", "1002", "bob")
ALICES_PHONE = Visitor("17.1", "1001", "alice")


async def test_call_in() -> None:
    """A telephone that calls in is let into the bridge, and present when the PBX says so."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    await desk.attendance.call_in(ROOM_ID, CALLER)
    assert desk.states == {"alice": "invited", "17.3": "connecting"}
    await desk.attendance.member_entered(ROOM_ID, "17.3")
    assert desk.states == {"alice": "invited", "17.3": "present"}
    assert desk.room.participants == ("alice", "1003")
    assert pbx.orders == ["admit 17.3"]
    assert desk.records.kinds(ROOM_ID) == ["arrived", "entered"]


async def test_full_room_refuses_a_telephone() -> None:
    """The one telephone too many is refused before the PBX does anything."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(seats=1))
    with pytest.raises(RoomFullError):
        await desk.attendance.call_in(ROOM_ID, CALLER)
    desk.put(replace(a_room(), is_locked=True))
    with pytest.raises(RoomLockedError):
        await desk.attendance.call_in(ROOM_ID, CALLER)
    assert pbx.orders == []


async def test_telephone_that_the_pbx_does_not_let_in() -> None:
    """A telephone that could not be put into the bridge has no seat."""
    pbx = MemoryPbx()
    pbx.refusals["admit"] = PbxRefusedError("no")
    desk = Desk(pbx)
    desk.put(a_room())
    with pytest.raises(PbxRefusedError):
        await desk.attendance.call_in(ROOM_ID, CALLER)
    assert desk.states == {"alice": "invited"}


async def test_moderator_rules() -> None:
    """Callers hear music until the moderator is in the bridge, and again when he has gone."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(require_moderator=True))
    await desk.attendance.call_in(ROOM_ID, CALLER)
    await desk.attendance.call_in(ROOM_ID, ALICES_PHONE)
    assert pbx.orders == ["set aside 17.3", "admit 17.1"]
    await desk.attendance.member_entered(ROOM_ID, "17.1")
    await desk.attendance.member_entered(ROOM_ID, "17.3")
    assert desk.room.participants == ("alice", "1003")
    await desk.attendance.member_gone(ROOM_ID, "17.1", 16)
    assert desk.states == {"17.3": "waiting"}
    await desk.attendance.member_left(ROOM_ID, "17.3")
    assert desk.states == {"17.3": "waiting"}
    assert pbx.orders[2:] == ["admit 17.3", "set aside 17.3"]


async def test_room_closes_behind_the_moderator() -> None:
    """Where the room asks for it, the others are hung up when the last moderator hangs up."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(require_moderator=True, close_without_moderator=True))
    for visitor in (ALICES_PHONE, BOBS_PHONE):
        await desk.attendance.call_in(ROOM_ID, visitor)
        await desk.attendance.member_entered(ROOM_ID, visitor.channel)
    await desk.attendance.member_gone(ROOM_ID, "17.1", 16)
    assert not desk.room.is_active
    assert pbx.orders[2:] == ["hang up 17.2 16", "close"]
    assert desk.records.kinds(ROOM_ID)[-1] == "closed"


async def test_hang_up_and_redirect() -> None:
    """Who hung up, and who was taken out of the bridge, has left; nobody is hung up for it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(seats=5))
    for visitor in (ALICES_PHONE, BOBS_PHONE, CALLER):
        await desk.attendance.call_in(ROOM_ID, visitor)
        await desk.attendance.member_entered(ROOM_ID, visitor.channel)
    await desk.attendance.member_gone(ROOM_ID, "17.2", 16)
    await desk.attendance.member_left(ROOM_ID, "17.3")
    await desk.attendance.member_gone(ROOM_ID, "17.3", None)
    assert desk.room.participants == ("alice",)
    assert pbx.orders == ["admit 17.1", "admit 17.2", "admit 17.3"]
    assert [event.facts for event in desk.records.log[ROOM_ID]][-2:] == [
        {"channel": "17.2", "hangup_cause": 16},
        {"channel": "17.3"},
    ]


async def test_telephone_that_was_rung() -> None:
    """A telephone that answers is let in; one that does not leaves its user as he was."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    for identity in (ALICE, BOB):
        await desk.rooms.join(ROOM_ID, JoinOrder(endpoint="PJSIP/1"), identity)
    await desk.attendance.arrived(ROOM_ID, f"sge-room-{ROOM_ID}-1")
    await desk.attendance.member_gone(ROOM_ID, f"sge-room-{ROOM_ID}-0", 17)
    assert desk.states == {"alice": "invited", "bob": "connecting"}
    assert pbx.orders[2:] == ["admit -1"]


async def test_telephone_that_answers_too_late() -> None:
    """A telephone whose user has left meanwhile is hung up when it answers."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    await desk.attendance.arrived(ROOM_ID, f"sge-room-{ROOM_ID}-7")
    assert pbx.orders == ["hang up -7 21"]


async def test_expected_refusal() -> None:
    """Whether there is a seat is known before anything is done, and nothing is done by asking."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.attendance.expect(a_room(), CALLER)
    with pytest.raises(RoomFullError):
        desk.attendance.expect(a_room(seats=1), CALLER)
    assert pbx.orders == []


async def test_attended_transfer() -> None:
    """Who takes a call over takes the seat over, but not the rights of the one who had it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(seats=1, require_moderator=True))
    await desk.attendance.call_in(ROOM_ID, ALICES_PHONE)
    await desk.attendance.member_entered(ROOM_ID, "17.1")
    await desk.attendance.replaced(ROOM_ID, "17.1", BOBS_PHONE)
    assert desk.states == {"bob": "waiting"}
    assert pbx.orders == ["admit 17.1", "set aside 17.2"]
    await desk.attendance.replaced(ROOM_ID, "17.1", CALLER)
    await desk.attendance.member_left(ROOM_ID, "17.1")
    assert desk.states == {"bob": "waiting"}


async def test_uninvited() -> None:
    """A channel put into the bridge from outside is hung up when there is no seat for it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(seats=2))
    await desk.attendance.member_entered(ROOM_ID, "17.8")
    await desk.attendance.member_entered(ROOM_ID, "17.9")
    await desk.attendance.member_entered("no room", "17.7")
    assert desk.states == {"alice": "invited", "17.8": "present"}
    assert pbx.orders == ["hang up 17.9 21", "hang up 17.7 21"]


async def test_nobody_slips_in() -> None:
    """A channel that must wait is taken out of the bridge when it was put there all the same."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(require_moderator=True))
    await desk.attendance.call_in(ROOM_ID, CALLER)
    await desk.attendance.member_entered(ROOM_ID, "17.3")
    assert desk.states["17.3"] == "waiting"
    assert pbx.orders == ["set aside 17.3", "set aside 17.3"]


async def test_pbx_that_does_not_follow() -> None:
    """What the PBX told is in the record even when it does not do what follows from it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(require_moderator=True))
    await desk.attendance.call_in(ROOM_ID, CALLER)
    await desk.attendance.call_in(ROOM_ID, ALICES_PHONE)
    pbx.refusals["admit"] = PbxUnreachableError("away")
    with capture_logs() as logs:
        await desk.attendance.member_entered(ROOM_ID, "17.1")
    assert desk.states == {"alice": "present", "17.3": "connecting"}
    assert [line["event"] for line in logs] == ["room_out_of_step"]


async def test_lost_bridge() -> None:
    """The bridge of an open room is made again; that of a closed or unknown room is not."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    await desk.attendance.bridge_lost(ROOM_ID)
    desk.put(replace(a_room(), closed_at=NOON))
    await desk.attendance.bridge_lost(ROOM_ID)
    await desk.attendance.bridge_lost("no room")
    assert pbx.orders == ["open mixing"]


async def test_recording_that_ends_by_itself() -> None:
    """A recording that is over is not running any more; another one goes on."""
    desk = Desk()
    desk.put(replace(a_room(), recording="tape"))
    await desk.attendance.recording_over(ROOM_ID, "older")
    assert desk.room.recording == "tape"
    await desk.attendance.recording_over(ROOM_ID, "tape")
    assert desk.room.recording is None


async def test_reconciliation() -> None:
    """After a gap the roster is the bridge, whoever was on the way is let in, strangers go."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    states = {"17.1": "present", "17.2": "present", "17.3": "connecting"}
    members = (
        Member(channel, MemberState(state), NOON, number=channel, channel=channel)
        for channel, state in states.items()
    )
    desk.put(a_room(*members, seats=3))
    await desk.attendance.reconcile(
        ROOM_ID,
        seated=["17.1", "17.2", "17.3"],
        bridged=["17.1", "17.8", "17.9"],
        alive=["17.1", "17.3", "17.8", "17.9"],
        answered=["17.1", "17.3", "17.8", "17.9"],
        has_bridge=False,
    )
    assert desk.states == {"17.1": "present", "17.3": "connecting", "17.8": "present"}
    assert pbx.orders == ["open mixing", "hang up 17.2 16", "admit 17.3", "hang up 17.9 21"]
    assert desk.records.kinds(ROOM_ID) == ["reconciled"]


async def test_reconciliation_of_those_who_wait() -> None:
    """Who waits but is in the bridge is taken out of it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    waits = Member("17.3", MemberState.WAITING, NOON, channel="17.3")
    desk.put(a_room(waits, require_moderator=True))
    await desk.attendance.reconcile(
        ROOM_ID,
        seated=["17.3"],
        bridged=["17.3"],
        alive=["17.3"],
        answered=["17.3"],
        has_bridge=True,
    )
    assert pbx.orders == ["set aside 17.3"]


async def test_reconciliation_with_an_older_look() -> None:
    """Who came after the PBX was asked stays, and who left since then does not come back."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    came = Member("17.2", MemberState.PRESENT, NOON, channel="17.2")
    before = desk.put(a_room(came))
    await desk.attendance.reconcile(
        ROOM_ID,
        seated=["17.1"],
        bridged=["17.1"],
        alive=["17.1"],
        answered=["17.1"],
        has_bridge=True,
    )
    assert desk.states == {"17.2": "present"}
    assert pbx.orders == []
    assert await desk.attendance.active() == [before]


async def test_reconciliation_has_nothing_to_do() -> None:
    """A closed room is left alone, and without a PBX there is nothing to agree with."""
    pbx = MemoryPbx()
    for desk in (Desk(pbx), Desk()):
        desk.put(replace(a_room(), closed_at=NOON))
        await desk.attendance.reconcile(
            ROOM_ID, seated=[], bridged=[], alive=[], answered=[], has_bridge=False
        )
    assert pbx.orders == []


async def test_find_rooms() -> None:
    """Open rooms are found by number, and all of them for a reconciliation."""
    desk = Desk()
    room = desk.put(a_room())
    assert await desk.attendance.find("123") == room
    assert await desk.attendance.find("124") is None
    assert await desk.attendance.active() == [room]


async def test_changes_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that never gets its turn is refused; the room is free again afterwards."""
    desk = Desk()
    desk.put(a_room())
    monkeypatch.setattr(changes, "TURN_SECONDS", 0)
    async with desk.changes.turn(ROOM_ID):
        with pytest.raises(RoomBusyError):
            await desk.rooms.join(ROOM_ID, JoinOrder(), BOB)
    monkeypatch.undo()
    await asyncio.gather(
        *(desk.attendance.call_in(ROOM_ID, visitor) for visitor in (BOBS_PHONE, CALLER))
    )
    assert desk.states == {"alice": "invited", "bob": "connecting", "17.3": "connecting"}
