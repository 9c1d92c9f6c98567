"""The register of rooms: what people may ask of them, and who may ask it.

Who is in a room by telephone is told by the PBX, see `attendance`; nothing here makes it so. What
only moderators may do is in `moderation`.
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fastagi_server.calls.errors import PbxError, PbxUnreachableError
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.identities.identity import Identity
from fastagi_server.rooms import transitions
from fastagi_server.rooms.changes import RoomChanges
from fastagi_server.rooms.errors import (
    InvalidRoomError,
    NumberTakenError,
    RoomForbiddenError,
    RoomNotFoundError,
    WrongPasswordError,
)
from fastagi_server.rooms.models import Member, MemberState, Room, RoomEvent, RoomEventKind
from fastagi_server.rooms.orders import JoinOrder, RoomOrder
from fastagi_server.rooms.passwords import Hasher

NUMBERS = 1000
"""Rooms that can be dialled: 9000 to 9999."""

MAX_NUMBER_TRIES = 3
"""Tries for a free number, when others take the same one at the same moment."""


class RoomRegistry:
    """All that may be asked about rooms.

    `max_participants` is the most a room may be made for, `max_rooms` the active rooms that one
    user may own (0 for no limit), and `outbound` says what he may have rung beyond a trunk. Every
    method raises RoomForbiddenError when the identity may not do it, and RoomNotFoundError for an
    id that no room has.
    """

    def __init__(
        self,
        changes: RoomChanges,
        *,
        max_participants: int,
        max_rooms: int,
        hasher: Hasher,
        outbound: OutboundPolicy = NO_CALLS_OUT,
    ) -> None:
        self._changes = changes
        self._records = changes.records
        self._max_participants = max_participants
        self._max_rooms = max_rooms
        self._hasher = hasher
        self._outbound = outbound

    async def create(self, order: RoomOrder, by: Identity, key: str | None) -> tuple[Room, bool]:
        """Make the ordered room; whoever makes it owns it and has the first seat.

        Returns the room and whether it is new: a repeated `key` gives the room of the first time.
        Raises InvalidRoomError, NumberTakenError, RoomLimitError, KeyReusedError and PbxError;
        after a PbxError nothing is left behind.
        """
        require_calling(by)
        if order.max_participants > self._max_participants:
            raise InvalidRoomError(f"max_participants must be at most {self._max_participants}")
        draft = await self._draft(order, by)
        repeatable = None if key is None else IdempotencyKey(by.name, key, order.fingerprint)
        room, is_new = await self._record(draft, order.number, repeatable, by)
        if is_new:
            await self._open(room)
            self._changes.count(RoomEventKind.CREATED)
        return room, is_new

    async def get(self, room_id: str, by: Identity) -> Room:
        """The room with this id.

        What anybody may join anybody may look at; a room with a password or a lock is for its
        members, its moderators and trusted identities.
        """
        require_calling(by)
        room = await self._find(room_id)
        if (room.settings.password_hash or room.is_locked) and not _belongs(room, by):
            raise RoomForbiddenError("Not a member of this room")
        return room

    async def active(self, by: Identity, limit: int) -> Sequence[Room]:
        """At most `limit` active rooms of this user, newest first; all of them if trusted."""
        require_calling(by)
        return await self._records.active(None if by.is_trusted else by.name, limit)

    async def by_number(self, number: str, by: Identity) -> Room:
        """The active room with this number."""
        require_calling(by)
        room = await self._records.by_number(number)
        if room is None:
            raise RoomNotFoundError
        return await self.get(room.id, by)

    async def events(self, room_id: str, by: Identity) -> Sequence[RoomEvent]:
        """What happened to the room, oldest first."""
        await self.get(room_id, by)
        return await self._records.events(room_id)

    async def join(self, room_id: str, order: JoinOrder, by: Identity) -> Room:
        """Come in, without a telephone or by having one rung; a member stays one.

        Without an endpoint the user is in the room at once, or waits where a moderator is missing.
        With one he is when it has answered and is in the bridge; beyond a trunk a user rings what
        the policy allows. Raises RoomFullError, RoomLockedError, WrongPasswordError,
        RoomClosedError, RoomBusyError and PbxError.
        """
        require_calling(by)
        if not by.is_trusted and order.endpoint and self._outbound.user_refusal(order.endpoint):
            raise RoomForbiddenError("Not authorized to ring beyond a trunk")
        room = await self._find(room_id)
        if order.shares_screen and not room.settings.allow_screen_share:
            raise RoomForbiddenError("Screen sharing is not allowed in this room")
        if room.is_active and not _belongs(room, by):
            await self.check_password(room, order.password)
        now = self._changes.now()
        if order.endpoint is None:
            return await self._changes.apply(
                room_id,
                RoomEventKind.JOINED,
                by.name,
                lambda room: transitions.join(
                    room, by.name, shares_screen=order.shares_screen, now=now
                ),
            )
        return await self._ring(room_id, order.endpoint, order, by)

    async def check_password(self, room: Room, password: str) -> None:
        """Raise WrongPasswordError unless this opens the room."""
        stored = room.settings.password_hash
        if stored and not (password and await self._hasher.matches(password, stored)):
            raise WrongPasswordError

    async def leave(self, room_id: str, by: Identity) -> Room:
        """Leave with every telephone; who is no member changes nothing."""
        require_calling(by)
        now = self._changes.now()
        return await self._changes.apply(
            room_id,
            RoomEventKind.LEFT,
            by.name,
            lambda room: transitions.leave(room, by.name, now=now),
        )

    async def _ring(self, room_id: str, endpoint: str, order: JoinOrder, by: Identity) -> Room:
        now = self._changes.now()

        def ring(room: Room) -> Room:
            return transitions.ring(room, by.name, shares_screen=order.shares_screen, now=now)

        async with self._changes.turn(room_id) as before:
            after = ring(before)
            if after is before:
                return before
            if self._changes.control is None:
                raise PbxUnreachableError("No PBX is connected that could ring a dial string")
            member = after.by_user(by.name)
            assert member is not None  # noqa: S101 - `ring` gave him a seat
            await self._changes.control.ring(after, member, endpoint)
            facts = {"endpoint": endpoint, "channel": member.channel or ""}
            kind = RoomEventKind.RINGING
            return await self._changes.write(room_id, kind, by.name, ring, facts)

    async def _record(
        self, draft: Room, number: str | None, key: IdempotencyKey | None, by: Identity
    ) -> tuple[Room, bool]:
        event = RoomEvent(RoomEventKind.CREATED, draft.created_at, by.name, {})
        limit = None if by.is_trusted else self._max_rooms or None
        for _ in range(MAX_NUMBER_TRIES):
            room = replace(draft, number=number or await self._free_number())
            try:
                return await self._records.create(room, event, key, limit)
            except NumberTakenError:
                if number is not None:
                    raise
        return await self._records.create(draft, event, key, limit)

    async def _free_number(self) -> str | None:
        taken = await self._records.numbers()
        free = [number for number in map("{:03}".format, range(NUMBERS)) if number not in taken]
        return secrets.choice(free) if free else None

    async def _open(self, room: Room) -> None:
        if self._changes.control is None:
            return
        try:
            await self._changes.control.open(room)
        except PbxError:
            await self._records.discard(room.id)
            raise

    async def _draft(self, order: RoomOrder, by: Identity) -> Room:
        now = self._changes.now()
        rules = order.settings
        if order.password:
            rules = replace(rules, password_hash=await self._hasher.hash(order.password))
        limit = rules.time_limit_minutes
        return Room(
            id=str(uuid.uuid4()),
            name=order.name,
            owner_id=by.name,
            max_participants=order.max_participants,
            settings=rules,
            created_at=now,
            updated_at=now,
            members=(Member(by.name, MemberState.INVITED, now, by.name),),
            closes_at=None if limit is None else now + timedelta(minutes=limit),
        )

    async def _find(self, room_id: str) -> Room:
        room = await self._records.get(room_id)
        if room is None:
            raise RoomNotFoundError
        return room


def require_calling(by: Identity) -> None:
    """Raise RoomForbiddenError for a credential that has nothing to do with calls."""
    if not by.may_call:
        raise RoomForbiddenError("The credential has no scope for calls")


def _belongs(room: Room, by: Identity) -> bool:
    return by.is_trusted or by.name in room.moderators or room.by_user(by.name) is not None
