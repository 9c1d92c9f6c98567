"""Whatever happens to a room, in whatever order, its laws hold."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.rooms import transitions
from fastagi_server.rooms.errors import RoomError
from fastagi_server.rooms.models import Member, MemberState, Room, RoomSettings, Visitor

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
PREFIX = "sge-room-r"

users = st.sampled_from(["alice", "bob", "carol", "dave"])
channels = st.sampled_from(["17.1", "17.2", "17.3", f"{PREFIX}-0", f"{PREFIX}-1", f"{PREFIX}-2"])
member_ids = users | channels
some_channels = st.frozensets(channels)
steps = st.one_of(
    st.tuples(st.just("join"), users),
    st.tuples(st.just("ring"), users),
    st.tuples(st.just("call_in"), channels, st.none() | users),
    st.tuples(st.just("arrive"), channels),
    st.tuples(st.just("enter"), channels),
    st.tuples(st.just("leave_bridge"), channels),
    st.tuples(st.just("go"), channels),
    st.tuples(st.just("leave"), users),
    st.tuples(st.just("kick"), member_ids),
    st.tuples(st.just("mute"), member_ids, st.booleans()),
    st.tuples(st.just("lock"), st.booleans()),
    st.tuples(st.just("close")),
    st.tuples(st.just("reconcile"), some_channels, some_channels, some_channels, some_channels),
)
EVENTS = {
    "arrive": transitions.arrive,
    "enter": transitions.enter,
    "leave_bridge": transitions.leave_bridge,
    "go": transitions.go,
}
rules = st.builds(
    RoomSettings,
    require_moderator=st.booleans(),
    moderator_id=st.none() | users,
    close_without_moderator=st.booleans(),
)


def step(room: Room, name: str, *words: object) -> Room:  # noqa: C901 - one case a step
    """The room after one step."""
    match name, words:
        case "join", [str(user)]:
            return transitions.join(room, user, shares_screen=False, now=NOON)
        case "ring", [str(user)]:
            return transitions.ring(room, user, shares_screen=False, now=NOON)
        case "call_in", [str(channel), str() | None as user]:
            return transitions.call_in(room, Visitor(channel, "1001", user), now=NOON)
        case "arrive" | "enter" | "leave_bridge" | "go" as event, [str(channel)]:
            return EVENTS[event](room, channel, now=NOON)
        case "leave", [str(user)]:
            return transitions.leave(room, user, now=NOON)
        case "kick", [str(member)]:
            return transitions.kick(room, member, now=NOON)
        case "mute", [str(member), bool(is_muted)]:
            return transitions.mute(room, member, is_muted=is_muted, now=NOON)
        case "lock", [bool(is_locked)]:
            return transitions.lock(room, is_locked=is_locked, now=NOON)
        case "close", []:
            return transitions.close(room, now=NOON)
        case "reconcile", [*sets]:
            seated, bridged, alive, answered = cast("list[frozenset[str]]", sets)
            return transitions.reconcile(
                room,
                seated=seated,
                bridged=bridged,
                alive=alive | bridged,
                answered=answered,
                now=NOON,
            )
        case _:
            raise AssertionError(name)


def check_laws(room: Room) -> None:
    """What holds for every room at every moment."""
    ids = [member.id for member in room.members]
    legs = [member.channel for member in room.members if member.channel is not None]
    assert len(ids) <= room.max_participants
    assert len(set(ids)) == len(ids)
    assert len(set(legs)) == len(legs)
    assert room.is_active or not room.members
    assert len(room.participants) <= len(ids)
    if "alice" in room.participants:
        assert room.participants[0] == "alice"
    for member in room.members:
        check_member(room, member)


def check_member(room: Room, member: Member) -> None:
    """What holds for every member: a channel where the state needs one, and the moderator law."""
    state = member.state
    if state in {MemberState.RINGING, MemberState.CONNECTING, MemberState.PRESENT}:
        assert member.channel is not None
    if state in {MemberState.INVITED, MemberState.JOINED}:
        assert member.channel is None
    assert member.before is None or state is MemberState.RINGING
    if member.user in room.moderators or room.is_moderated:
        assert state is not MemberState.WAITING
    else:
        assert not member.is_in
        assert state is not MemberState.CONNECTING


def a_room(seats: int, settings: RoomSettings) -> Room:
    """A room of alice, who has not come yet."""
    owner = Member("alice", MemberState.INVITED, NOON, "alice")
    return Room("r", "Room", "alice", seats, settings, NOON, NOON, members=(owner,))


@given(st.integers(1, 4), rules, st.lists(steps, max_size=40))
def test_laws_hold(
    seats: int, settings: RoomSettings, sequence: list[tuple[str, *tuple[object, ...]]]
) -> None:
    """Never over the limit, nobody twice, closed stays closed, nobody in without a moderator."""
    room = a_room(seats, settings)
    check_laws(room)
    for name, *words in sequence:
        before = room
        with suppress(RoomError):
            room = step(room, name, *words)
        check_laws(room)
        if not before.is_active:
            assert room == before


@given(st.integers(1, 4), rules, st.lists(steps, max_size=20), steps)
def test_repetition_changes_nothing(
    seats: int,
    settings: RoomSettings,
    sequence: list[tuple[str, *tuple[object, ...]]],
    last: tuple[str, *tuple[object, ...]],
) -> None:
    """What happened already, or was refused, has no second effect; only a kick is an error then."""
    room = a_room(seats, settings)
    for name, *words in [*sequence, last]:
        with suppress(RoomError):
            room = step(room, name, *words)
    if last[0] == "reconcile":
        return  # who may come in then depends on who was sent away before
    again = room
    with suppress(RoomError):
        again = step(room, *last)
    assert again == room


@given(st.integers(4, 8), st.lists(steps, max_size=20), some_channels)
def test_roster_is_the_bridge(
    seats: int, sequence: list[tuple[str, *tuple[object, ...]]], bridged: frozenset[str]
) -> None:
    """After a reconciliation the members who are present are the channels in the bridge."""
    room = a_room(seats + 6, RoomSettings())
    for name, *words in sequence:
        if name not in {"close", "lock"}:
            with suppress(RoomError):
                room = step(room, name, *words)
    seated = frozenset(member.channel for member in room.members if member.channel is not None)
    room = step(room, "reconcile", seated, bridged, frozenset[str](), frozenset[str]())
    assert {
        member.channel for member in room.members if member.state is MemberState.PRESENT
    } == bridged
