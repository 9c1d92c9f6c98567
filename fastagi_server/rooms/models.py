"""Values: a room, its members, and the events of its log. Frozen; a change makes a new value.

Field names and spellings are those of the SGE VoIP API, with what a conference needs added: a
number to dial, a lock, a recording, and for each member where he stands. Times are aware, in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

BRIDGE_PREFIX = "sge-room-"


class BridgeType(StrEnum):
    """How a room's bridge treats its members. Read in any case."""

    MIXING = "mixing"
    HOLDING = "holding"
    DTMF_EVENTS = "dtmf_events"
    PROXY_MEDIA = "proxy_media"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        word = value.lower() if isinstance(value, str) else None
        return next((member for member in cls if member.value == word), None)

    @property
    def of_asterisk(self) -> str:
        """The `type` that ARI creates such a bridge from; the last two alone are a 500 there."""
        if self in {BridgeType.DTMF_EVENTS, BridgeType.PROXY_MEDIA}:
            return f"mixing,{self}"
        return str(self)


class MemberState(StrEnum):
    """Where a member stands.

    `invited` is the owner who has made the room and not come yet, `joined` a user who is in the
    room without a telephone. A telephone is `ringing` until it answers, `waiting` while it hears
    music because no moderator is in, `connecting` on its way into the bridge, `present` in it. A
    user without a telephone waits too.
    """

    INVITED = "invited"
    JOINED = "joined"
    RINGING = "ringing"
    WAITING = "waiting"
    CONNECTING = "connecting"
    PRESENT = "present"


class RoomEventKind(StrEnum):
    """What happened to a room."""

    CREATED = "created"
    JOINED = "joined"
    RINGING = "ringing"
    ARRIVED = "arrived"
    ENTERED = "entered"
    LEFT = "left"
    KICKED = "kicked"
    MUTED = "muted"
    UNMUTED = "unmuted"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    RECORDING_STARTED = "recording_started"
    RECORDING_STOPPED = "recording_stopped"
    RECONCILED = "reconciled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who has a seat in a room.

    `id` is unique in the room: the user's id, or the channel's for a telephone of nobody known.
    `user` is the user's id, known from his credential or from the endpoint he calls with; never a
    caller's number, which anybody can set. `before` is what the member was before his telephone
    was rung, and is again when it does not answer; None for somebody who leaves then.
    """

    id: str
    state: MemberState
    joined_at: datetime
    user: str | None = None
    number: str = ""
    channel: str | None = None
    is_muted: bool = False
    shares_screen: bool = False
    before: MemberState | None = None

    @property
    def is_in(self) -> bool:
        """Whether the others hear or see him: in the bridge, or in the room without telephone."""
        return self.state in {MemberState.PRESENT, MemberState.JOINED} or (
            self.state is MemberState.RINGING and self.before is MemberState.JOINED
        )

    @property
    def label(self) -> str:
        """How others name him: the user's id, else the caller's number, else the channel."""
        return self.user or self.number or self.id


@dataclass(frozen=True, slots=True)
class Visitor:
    """A telephone that has called in: its channel, what it says it is, and who is known to call."""

    channel: str
    number: str
    user: str | None


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """The rules of a room, fixed when it is made.

    `moderator_id` is a user who moderates besides the owner. `password_hash` is what
    `passwords.hash_password` made, empty for a room without one. `time_limit_minutes` counts from
    the creation. With `close_without_moderator` a room that requires a moderator closes when the
    last one leaves; otherwise the others wait for the next.
    """

    allow_recording: bool = False
    allow_screen_share: bool = True
    require_moderator: bool = False
    bridge_type: BridgeType = BridgeType.MIXING
    moderator_id: str | None = None
    password_hash: str = ""
    time_limit_minutes: int | None = None
    close_without_moderator: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """One room as SGE sees it.

    `members` holds every seat that is taken, in the order of arrival. `number` is what a telephone
    dials after the 9: three digits, unique among active rooms, None when all were taken. `legs`
    counts the telephones that were rung, for their channels' ids. `recording` is the name of the
    recording that runs.
    """

    id: str
    name: str
    owner_id: str
    max_participants: int
    settings: RoomSettings
    created_at: datetime
    updated_at: datetime
    number: str | None = None
    members: tuple[Member, ...] = ()
    is_locked: bool = False
    recording: str | None = None
    legs: int = 0
    closes_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether the room has not been closed."""
        return self.closed_at is None

    @property
    def bridge_id(self) -> str:
        """The id of the room's bridge in Asterisk."""
        return f"{BRIDGE_PREFIX}{self.id}"

    @property
    def moderators(self) -> frozenset[str]:
        """The users who moderate: the owner, and whom he named."""
        return frozenset({self.owner_id, self.settings.moderator_id or self.owner_id})

    @property
    def is_moderated(self) -> bool:
        """Whether a moderator is in, or none is needed."""
        return not self.settings.require_moderator or any(
            member.is_in and member.user in self.moderators for member in self.members
        )

    @property
    def participants(self) -> tuple[str, ...]:
        """Who is in the room, the owner first, the others as they came.

        Users without a telephone who joined, telephones in the bridge, and the owner from the
        creation until he leaves. Whoever is rung, waits, or is on the way is a member already, but
        no participant yet.
        """
        inside = [
            member.label
            for member in self.members
            if member.is_in or MemberState.INVITED in {member.state, member.before}
        ]
        return tuple(sorted(inside, key=lambda label: label != self.owner_id))

    def by_channel(self, channel: str) -> Member | None:
        """The member whose telephone has this channel id."""
        return next((member for member in self.members if member.channel == channel), None)

    def by_user(self, user: str) -> Member | None:
        """The first member who is this user."""
        return next((member for member in self.members if member.user == user), None)

    def by_id(self, member_id: str) -> Member | None:
        """The member with this id."""
        return next((member for member in self.members if member.id == member_id), None)


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """One line of a room's log: what happened, when, at whose request, with which facts."""

    kind: RoomEventKind
    at: datetime
    actor: str
    facts: Mapping[str, str | int]
