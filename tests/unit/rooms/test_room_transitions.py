"""What a room becomes, step by step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from memory_rooms import LATER, NOON, a_room

from fastagi_server.rooms import transitions
from fastagi_server.rooms.errors import (
    MemberNotFoundError,
    RoomClosedError,
    RoomForbiddenError,
    RoomFullError,
    RoomLockedError,
)
from fastagi_server.rooms.models import Member, MemberState, Room, Visitor


def member(name: str, state: str, channel: str | None = None, **more: Any) -> Member:
    """A member who is this user."""
    return Member(name, MemberState(state), NOON, name, channel=channel, **more)


def join(room: Room, user: str, *, screen: bool = False) -> Room:
    """The room after this user has joined without a telephone."""
    return transitions.join(room, user, shares_screen=screen, now=LATER)


def call_in(room: Room, channel: str, number: str = "", user: str | None = None) -> Room:
    """The room after a telephone has called in."""
    return transitions.call_in(room, Visitor(channel, number, user), now=LATER)


def states(room: Room) -> dict[str, str]:
    """Where each member stands."""
    return {each.id: each.state.value for each in room.members}


def test_owner_comes_in() -> None:
    """The owner has a seat from the beginning, and takes it by joining."""
    room = join(a_room(), "alice")
    assert states(room) == {"alice": "joined"}
    assert room.updated_at == LATER


def test_full_room() -> None:
    """The owner counts, nobody comes in beyond the limit, and a member may repeat his joining."""
    room = join(join(a_room(seats=3), "bob"), "carol")
    with pytest.raises(RoomFullError, match="Room is full"):
        join(room, "dave")
    assert join(room, "bob") is room
    assert room.participants == ("alice", "bob", "carol")


def test_owner_is_first() -> None:
    """The owner is named first even when he comes back last."""
    room = a_room(member("bob", "joined"), member("carol", "present", "17.1"))
    assert join(room, "alice").participants == ("alice", "bob", "carol")


def test_sharing_a_screen() -> None:
    """A member who begins to share his screen keeps his seat."""
    room = join(join(a_room(), "bob"), "bob", screen=True)
    assert [each.shares_screen for each in room.members] == [False, True]


def test_telephone_calls_in() -> None:
    """A telephone of nobody known is a member by its channel, and shown by its number."""
    room = call_in(a_room(), "17.1", "+32470123456")
    assert states(room) == {"alice": "invited", "17.1": "connecting"}
    room = transitions.enter(room, "17.1", now=LATER)
    assert states(room) == {"alice": "invited", "17.1": "present"}
    assert room.participants == ("alice", "+32470123456")


def test_number_is_no_identity() -> None:
    """A caller whose number is a user's id is not that user."""
    room = call_in(a_room(require_moderator=True), "17.1", "alice")
    assert states(room) == {"alice": "invited", "17.1": "waiting"}


def test_telephone_of_a_member() -> None:
    """The telephone of a user who has a seat takes that seat; his second one takes another."""
    room = call_in(join(a_room(seats=3), "bob"), "17.1", "1002", "bob")
    assert states(room) == {"alice": "invited", "bob": "connecting"}
    room = call_in(room, "17.2", "1002", "bob")
    assert states(room) == {"alice": "invited", "bob": "connecting", "17.2": "connecting"}
    assert call_in(room, "17.2", "1002", "bob") is room
    assert states(transitions.leave(room, "bob", now=LATER)) == {"alice": "invited"}


def test_ringing_telephone() -> None:
    """A telephone that is rung holds a seat, but nobody is in the room before it has answered."""
    room = transitions.ring(a_room(), "bob", shares_screen=False, now=LATER)
    bob = room.by_user("bob")
    channel = f"sge-room-{room.id}-0"
    assert bob is not None
    assert bob.channel == channel
    assert (room.legs, room.participants) == (1, ("alice",))
    assert transitions.ring(room, "bob", shares_screen=False, now=LATER) is room
    room = transitions.arrive(room, channel, now=LATER)
    assert states(room) == {"alice": "invited", "bob": "connecting"}
    assert transitions.arrive(room, channel, now=LATER) is room


def test_next_telephone_has_another_channel() -> None:
    """A channel id is never used twice in a room."""
    room = transitions.ring(a_room(), "bob", shares_screen=False, now=LATER)
    room = transitions.go(room, f"{room.bridge_id}-0", now=LATER)
    room = transitions.ring(room, "bob", shares_screen=False, now=LATER)
    assert [each.channel for each in room.members] == [None, f"{room.bridge_id}-1"]


@pytest.mark.parametrize("before", ["invited", "joined"])
def test_telephone_that_does_not_answer(before: str) -> None:
    """Somebody who was a member before his telephone was rung is what he was."""
    room = a_room(member("alice", before))
    rung = transitions.ring(room, "alice", shares_screen=False, now=LATER)
    assert (states(rung), rung.participants) == ({"alice": "ringing"}, ("alice",))
    gone = transitions.go(rung, f"{room.bridge_id}-0", now=LATER)
    assert states(gone) == {"alice": before}
    assert gone.members[0].channel is None


def test_locked_room() -> None:
    """Only members and moderators pass a lock."""
    room = transitions.lock(join(a_room(moderator_id="carol"), "bob"), is_locked=True, now=LATER)
    with pytest.raises(RoomLockedError, match="Room is locked"):
        join(room, "eve")
    assert join(room, "bob") is room
    assert states(join(room, "carol"))["carol"] == "joined"
    assert transitions.lock(room, is_locked=True, now=LATER) is room
    assert transitions.enter(room, "17.9", now=LATER) is room


def test_others_wait_for_a_moderator() -> None:
    """Telephones hear music and users wait until a moderator is in; then all are let in."""
    room = join(call_in(a_room(seats=5, require_moderator=True), "17.1"), "bob")
    room = transitions.ring(room, "bob", shares_screen=False, now=LATER)
    room = call_in(room, "17.2", user="alice")
    assert states(room) == {"alice": "connecting", "17.1": "waiting", "bob": "ringing"}
    room = transitions.enter(room, "17.2", now=LATER)
    assert states(room) == {"alice": "present", "17.1": "connecting", "bob": "ringing"}
    room = transitions.go(room, f"{room.bridge_id}-0", now=LATER)
    assert states(room) == {"alice": "present", "17.1": "connecting", "bob": "joined"}


def test_others_wait_again() -> None:
    """When the last moderator leaves, those who stay wait for the next one."""
    room = a_room(
        member("alice", "present", "17.1"),
        member("bob", "present", "17.2"),
        member("carol", "joined"),
        member("dave", "ringing", "17.3", before=MemberState.JOINED),
        require_moderator=True,
        seats=4,
    )
    room = transitions.leave_bridge(room, "17.1", now=LATER)
    assert states(room) == {"bob": "waiting", "carol": "waiting", "dave": "ringing"}
    assert room.members[2].before == "waiting"
    assert transitions.enter(room, "17.2", now=LATER) is room
    assert transitions.leave_bridge(room, "17.2", now=LATER) is room
    assert states(transitions.go(room, "17.2", now=LATER)) == {
        "carol": "waiting",
        "dave": "ringing",
    }


def test_second_moderator_keeps_the_room() -> None:
    """As long as one moderator is in, nobody waits."""
    room = a_room(
        member("alice", "present", "17.1"),
        member("bob", "present", "17.2"),
        require_moderator=True,
        moderator_id="bob",
        close_without_moderator=True,
    )
    room = transitions.leave(room, "alice", now=LATER)
    assert states(room) == {"bob": "present"}
    assert room.is_active


def test_room_closes_without_moderator() -> None:
    """By setting the room closes when the last moderator leaves."""
    room = a_room(
        member("alice", "present", "17.1"),
        member("bob", "present", "17.2"),
        require_moderator=True,
        close_without_moderator=True,
    )
    room = transitions.go(room, "17.1", now=LATER)
    assert (room.is_active, room.members, room.closed_at) == (False, (), LATER)


def test_waiting_room_does_not_close() -> None:
    """A room whose moderator has not come yet does not close because somebody gives up."""
    room = call_in(a_room(require_moderator=True, close_without_moderator=True), "17.1")
    assert transitions.go(room, "17.1", now=LATER).is_active


def test_kick_and_mute() -> None:
    """A member is sent away or muted by his id; an unknown id is an error."""
    room = a_room(member("alice", "joined"), member("bob", "present", "17.2"))
    muted = transitions.mute(room, "bob", is_muted=True, now=LATER)
    assert [each.is_muted for each in muted.members] == [False, True]
    assert transitions.mute(muted, "bob", is_muted=True, now=LATER) is muted
    assert states(transitions.kick(room, "bob", now=LATER)) == {"alice": "joined"}
    with pytest.raises(MemberNotFoundError, match="Member not found"):
        transitions.kick(room, "eve", now=LATER)
    with pytest.raises(MemberNotFoundError, match="Member not found"):
        transitions.mute(room, "eve", is_muted=True, now=LATER)


def test_recording() -> None:
    """One recording runs at a time."""
    room = transitions.record(a_room(), "first", now=LATER)
    assert transitions.record(room, "second", now=LATER) is room
    assert room.recording == "first"
    stopped = transitions.record(room, None, now=LATER)
    assert stopped.recording is None
    assert transitions.record(stopped, None, now=LATER) is stopped


def test_channel_that_nobody_announced() -> None:
    """Who is put into the bridge from outside is a member, if there is a seat."""
    room = transitions.enter(a_room(seats=2), "17.1", now=LATER)
    assert states(room) == {"alice": "invited", "17.1": "present"}
    assert transitions.enter(room, "17.2", now=LATER) is room


def test_name_of_a_telephone() -> None:
    """A user who is called like a channel in the room cannot take its place."""
    with pytest.raises(RoomForbiddenError, match="goes by this name"):
        join(call_in(a_room(), "17.1"), "17.1")


REQUESTS: list[Callable[[Room], Room]] = [
    lambda room: join(room, "bob"),
    lambda room: transitions.ring(room, "bob", shares_screen=False, now=LATER),
    lambda room: call_in(room, "17.1"),
    lambda room: transitions.kick(room, "alice", now=LATER),
    lambda room: transitions.mute(room, "alice", is_muted=True, now=LATER),
    lambda room: transitions.lock(room, is_locked=True, now=LATER),
    lambda room: transitions.record(room, "name", now=LATER),
]


@pytest.mark.parametrize("act", REQUESTS)
def test_closed_room_refuses(act: Callable[[Room], Room]) -> None:
    """Nothing can be asked of a closed room."""
    with pytest.raises(RoomClosedError, match="Room is closed"):
        act(transitions.close(a_room(), now=LATER))


EVENTS: list[Callable[[Room], Room]] = [
    lambda room: transitions.close(room, now=LATER),
    lambda room: transitions.leave(room, "alice", now=LATER),
    lambda room: transitions.enter(room, "17.1", now=LATER),
    lambda room: transitions.leave_bridge(room, "17.1", now=LATER),
    lambda room: transitions.go(room, "17.1", now=LATER),
    lambda room: transitions.arrive(room, "17.1", now=LATER),
]


@pytest.mark.parametrize("act", EVENTS)
def test_closed_room_stays(act: Callable[[Room], Room]) -> None:
    """What happens after the end, and a second end, change nothing."""
    room = transitions.close(a_room(), now=NOON)
    assert act(room) is room


def test_reconciliation() -> None:
    """Who is in the bridge is present, who is gone has left, who waits goes on waiting."""
    room = a_room(
        member("alice", "joined"),
        member("bob", "present", "17.1"),
        member("carol", "present", "17.2"),
        member("dave", "connecting", "17.3"),
        member("erin", "ringing", "17.4"),
        member("frank", "ringing", "17.5"),
        member("grace", "waiting", "17.6"),
        member("heidi", "ringing", "17.7", before=MemberState.JOINED),
        seats=10,
    )
    room = replace(room, settings=replace(room.settings, require_moderator=True))
    room = transitions.reconcile(
        room,
        seated=[f"17.{number}" for number in range(1, 8)],
        bridged=["17.3", "17.9"],
        alive=["17.2", "17.3", "17.4", "17.5", "17.6", "17.9"],
        answered=["17.3", "17.5", "17.9"],
        now=LATER,
    )
    assert states(room) == {
        "alice": "joined",
        "dave": "present",
        "erin": "ringing",
        "frank": "connecting",
        "grace": "connecting",
        "heidi": "joined",
        "17.9": "present",
    }
