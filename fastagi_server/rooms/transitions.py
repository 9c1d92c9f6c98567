"""What may happen to a room. Pure: a room in, the room it becomes out.

Laws:
1. Never more members than `max_participants`, no member id and no channel twice.
2. A closed room has no members, and nothing changes it.
3. Members of a room that requires a moderator wait while none is in; moderators never wait.
4. What repeats changes nothing: the same object comes back.
5. A member is `present` from the PBX's word that his channel is in the bridge to its word that it
   is not; no request makes him so.

A function raises RoomClosedError when the room is closed and it would have to change it.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from fastagi_server.rooms.errors import (
    MemberNotFoundError,
    RoomClosedError,
    RoomForbiddenError,
    RoomFullError,
    RoomLockedError,
)
from fastagi_server.rooms.models import Member, MemberState, Room, Visitor

_S = MemberState
_IN_THE_PBX = frozenset({_S.WAITING, _S.CONNECTING, _S.PRESENT})


def join(room: Room, user: str, *, shares_screen: bool, now: datetime) -> Room:
    """The user is in the room without a telephone; one who has a seat keeps it."""
    _require_open(room)
    member = room.by_user(user)
    if member is None:
        return _seat(room, Member(user, _S.JOINED, now, user, shares_screen=shares_screen), now)
    state = _S.JOINED if member.state is _S.INVITED else member.state
    if (state, shares_screen) == (member.state, member.shares_screen):
        return room
    return _with(room, member, replace(member, state=state, shares_screen=shares_screen), now)


def ring(room: Room, user: str, *, shares_screen: bool, now: datetime) -> Room:
    """A telephone is rung for the user, on the next channel id of the room.

    One who has a telephone in the room already is not rung again.
    """
    _require_open(room)
    member = room.by_user(user)
    if member is not None and member.channel is not None:
        return room
    leg = room.legs
    while room.by_channel(f"{room.bridge_id}-{leg}") is not None:
        leg += 1
    seat = Member(
        user,
        _S.RINGING,
        now if member is None else member.joined_at,
        user,
        channel=f"{room.bridge_id}-{leg}",
        shares_screen=shares_screen,
        before=None if member is None else member.state,
    )
    room = replace(room, legs=leg + 1)
    return _seat(room, seat, now) if member is None else _with(room, member, seat, now)


def call_in(room: Room, visitor: Visitor, *, now: datetime) -> Room:
    """A telephone has called in; that of a user who has a seat without one becomes his."""
    _require_open(room)
    if room.by_channel(visitor.channel) is not None:
        return room
    member = None if visitor.user is None else room.by_user(visitor.user)
    if member is not None and member.channel is None:
        seat = replace(
            member,
            state=_S.CONNECTING,
            channel=visitor.channel,
            number=visitor.number,
            before=None,
        )
        return _with(room, member, seat, now)
    return _seat(room, _newcomer(room, visitor, _S.CONNECTING, now), now)


def arrive(room: Room, channel: str, *, now: datetime) -> Room:
    """The telephone that was rung has answered."""
    member = room.by_channel(channel)
    if member is None or member.state is not _S.RINGING:
        return room
    return _with(room, member, replace(member, state=_S.CONNECTING, before=None), now)


def enter(room: Room, channel: str, *, now: datetime) -> Room:
    """The channel is in the bridge.

    Whoever waits is not let in by it. A channel that nobody announced gets a seat if there is one;
    the room stays as it is, without it, when it is full, locked or closed.
    """
    member = room.by_channel(channel)
    if member is None:
        return _adopt(room, channel, now)
    if member.state in {_S.WAITING, _S.PRESENT}:
        return room
    return _with(room, member, replace(member, state=_S.PRESENT, before=None), now)


def leave_bridge(room: Room, channel: str, *, now: datetime) -> Room:
    """The channel is not in the bridge any more; whoever is on the way in, or waits, stays."""
    member = room.by_channel(channel)
    if member is None or member.state is not _S.PRESENT:
        return room
    return _without(room, {member.id}, now)


def go(room: Room, channel: str, *, now: datetime) -> Room:
    """The channel is gone; a member whose telephone did not answer is what he was before."""
    member = room.by_channel(channel)
    if member is None:
        return room
    if member.state is _S.RINGING and member.before is not None:
        seat = replace(member, state=member.before, channel=None, before=None)
        return _with(room, member, seat, now)
    return _without(room, {member.id}, now)


def take_over(room: Room, channel: str, visitor: Visitor, *, now: datetime) -> Room:
    """Another telephone has the seat of this channel: somebody has handed his call over."""
    member = room.by_channel(channel)
    if member is None or room.by_channel(visitor.channel) is not None:
        return room
    heir = _newcomer(room, visitor, _S.CONNECTING, now)
    return _with(room, member, replace(heir, state=member.state, is_muted=member.is_muted), now)


def leave(room: Room, user: str, *, now: datetime) -> Room:
    """The user leaves with every telephone of his; nothing changes for one who is no member."""
    return _without(room, {member.id for member in room.members if member.user == user}, now)


def kick(room: Room, member_id: str, *, now: datetime) -> Room:
    """The member is sent away. Raises MemberNotFoundError."""
    _require_open(room)
    return _without(room, {_member(room, member_id).id}, now)


def mute(room: Room, member_id: str, *, is_muted: bool, now: datetime) -> Room:
    """The member is not heard, or is heard again. Raises MemberNotFoundError."""
    _require_open(room)
    member = _member(room, member_id)
    if member.is_muted is is_muted:
        return room
    return _with(room, member, replace(member, is_muted=is_muted), now)


def lock(room: Room, *, is_locked: bool, now: datetime) -> Room:
    """Nobody who has no seat may come in but a moderator, or everybody may again."""
    _require_open(room)
    if room.is_locked is is_locked:
        return room
    return replace(room, is_locked=is_locked, updated_at=now)


def record(room: Room, name: str | None, *, now: datetime) -> Room:
    """The recording of this name runs, or none does; a recording that runs goes on."""
    _require_open(room)
    if (room.recording is None) is (name is None):
        return room
    return replace(room, recording=name, updated_at=now)


def close(room: Room, *, now: datetime) -> Room:
    """The room is closed, and everybody has left."""
    if not room.is_active:
        return room
    return replace(room, members=(), recording=None, closed_at=now, updated_at=now)


def reconcile(
    room: Room,
    *,
    seated: Collection[str],
    bridged: Collection[str],
    alive: Collection[str],
    answered: Collection[str],
    now: datetime,
) -> Room:
    """The room after a time without news of the PBX.

    `bridged` are the channels in the bridge, `alive` all that exist, `answered` those that are up.
    Who is in the bridge is present; who was present or has no channel any more has left; a
    telephone that has answered has arrived. `seated` had a seat before the PBX was asked: of who
    has come, or gone, since then the events tell.
    """
    for member in room.members:
        if member.channel is None or member.channel in bridged or member.channel not in seated:
            continue
        room = leave_bridge(room, member.channel, now=now)
        if member.channel not in alive:
            room = go(room, member.channel, now=now)
        elif member.channel in answered:
            room = arrive(room, member.channel, now=now)
    for channel in sorted(bridged):
        if room.by_channel(channel) is not None or channel not in seated:
            room = enter(room, channel, now=now)
    return room


def _adopt(room: Room, channel: str, now: datetime) -> Room:
    is_full = len(room.members) >= room.max_participants
    if is_full or room.is_locked or not room.is_active or room.by_id(channel) is not None:
        return room
    newcomer = _newcomer(room, Visitor(channel, "", None), _S.PRESENT, now)
    return _settled(replace(room, members=(*room.members, newcomer), updated_at=now))


def _newcomer(room: Room, visitor: Visitor, state: MemberState, now: datetime) -> Member:
    name = visitor.user
    if name is None or room.by_id(name) is not None:
        name = visitor.channel
    return Member(name, state, now, visitor.user, visitor.number, visitor.channel)


def _seat(room: Room, member: Member, now: datetime) -> Room:
    if room.is_locked and member.user not in room.moderators:
        raise RoomLockedError
    if len(room.members) >= room.max_participants:
        raise RoomFullError
    if room.by_id(member.id) is not None:
        raise RoomForbiddenError("A telephone in the room goes by this name")
    return _settled(replace(room, members=(*room.members, member), updated_at=now))


def _with(room: Room, old: Member, new: Member, now: datetime) -> Room:
    members = tuple(new if member is old else member for member in room.members)
    return _settled(replace(room, members=members, updated_at=now))


def _without(room: Room, ids: Collection[str], now: datetime) -> Room:
    if not ids:
        return room
    was_moderated = room.is_moderated
    members = tuple(member for member in room.members if member.id not in ids)
    room = replace(room, members=members, updated_at=now)
    if was_moderated and not room.is_moderated and room.settings.close_without_moderator:
        return close(room, now=now)
    return _settled(room)


def _settled(room: Room) -> Room:
    """Law 3: whoever waits comes in with a moderator, and waits again without one."""
    place = _admitted if room.is_moderated else _kept_waiting
    members = tuple(
        member if member.user in room.moderators else place(member) for member in room.members
    )
    return replace(room, members=members)


def _admitted(member: Member) -> Member:
    if member.state is _S.WAITING:
        return replace(member, state=_S.JOINED if member.channel is None else _S.CONNECTING)
    if member.before is _S.WAITING:
        return replace(member, before=_S.JOINED)
    return member


def _kept_waiting(member: Member) -> Member:
    if member.state in {_S.JOINED, _S.CONNECTING, _S.PRESENT}:
        return replace(member, state=_S.WAITING)
    if member.before is _S.JOINED:
        return replace(member, before=_S.WAITING)
    return member


def _member(room: Room, member_id: str) -> Member:
    member = room.by_id(member_id)
    if member is None:
        raise MemberNotFoundError
    return member


def _require_open(room: Room) -> None:
    if not room.is_active:
        raise RoomClosedError
