"""Leads a caller from the dialplan to the room whose number he dialled.

Whoever cannot come in is told so as early media and refused unanswered, so that his telephone
shows the true cause and he pays for nothing.
"""

import asyncio

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.models import Channel
from fastagi_server.calls.errors import CallError
from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint, user_at
from fastagi_server.identities.extensions import Directory
from fastagi_server.rooms.attendance import Attendance
from fastagi_server.rooms.errors import (
    RoomError,
    RoomForbiddenError,
    RoomFullError,
    RoomLockedError,
    WrongPasswordError,
)
from fastagi_server.rooms.models import Room, Visitor
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.stasis.failures import as_pbx_errors
from fastagi_server.stasis.prompts import Keypad, Prompter

MAX_TRIES = 3
"""Passwords that a caller may try in one call."""

UNALLOCATED, BUSY, REJECTED, FAILURE = 1, 17, 21, 41
"""Q.850: no such room, no seat, not allowed in, something went wrong."""


class Lobby:
    """The way into rooms by telephone; `directory` knows whose telephone is calling.

    Who calls from one of the `browsers` has been asked by the gateway, and is its caller's number.
    """

    def __init__(
        self,
        ari: AriClient,
        prompter: Prompter,
        *,
        registry: RoomRegistry,
        attendance: Attendance,
        directory: Directory,
        browsers: BrowserEndpoint = NO_BROWSERS,
    ) -> None:
        self._browsers = browsers
        self._ari = ari
        self._prompter = prompter
        self._registry = registry
        self._attendance = attendance
        self._directory = directory
        self._seating: set[asyncio.Future[Room]] = set()

    def visitor(self, channel: Channel) -> Visitor:
        """Who is calling: known by the endpoint that Asterisk authenticated, or nobody."""
        if self._browsers.has_channel(channel.name):
            user = user_at(channel.caller_number)
            return Visitor(channel.id, channel.caller_number, user)
        endpoint = channel.name.rpartition("-")[0]
        users = sorted(self._directory.identities_of(endpoint) - {endpoint})
        return Visitor(channel.id, channel.caller_number, users[0] if users else None)

    async def find(self, number: str) -> Room | None:
        """The active room with this number. Raises StoreError."""
        return await self._attendance.find(number)

    async def lead(self, room: Room | None, channel: Channel, keypad: Keypad) -> bool:
        """Bring a caller into the room, or refuse him; whether he has a seat now.

        Raises AriError when the PBX does not even let him be refused.
        """
        if room is None:
            return await self._refuse(channel, UNALLOCATED, "conf-invalid")
        visitor = self.visitor(channel)
        try:
            self._attendance.expect(room, visitor)
            with as_pbx_errors():
                await self._ari.answer(channel.id)
            await self._ask_password(room, visitor, keypad)
            await self._seat(room, visitor)
        except RoomFullError:
            return await self._refuse(channel, BUSY, "conf-full")
        except RoomLockedError:
            return await self._refuse(channel, REJECTED, "conf-locked")
        except RoomForbiddenError:
            return await self._refuse(channel, REJECTED)
        except (RoomError, CallError):
            return await self._refuse(channel, FAILURE)
        return True

    async def _seat(self, room: Room, visitor: Visitor) -> None:
        """Finish what was begun even when the caller hangs up: his going is noted after it."""
        seating = asyncio.ensure_future(self._attendance.call_in(room.id, visitor))
        self._seating.add(seating)
        seating.add_done_callback(self._seated)
        await asyncio.shield(seating)

    def _seated(self, seating: "asyncio.Future[Room]") -> None:
        self._seating.discard(seating)
        if not seating.cancelled():
            seating.exception()  # whoever waited for it had it; else nobody needs it

    async def _ask_password(self, room: Room, visitor: Visitor, keypad: Keypad) -> None:
        """Raise WrongPasswordError after three wrong ones."""
        if not room.settings.password_hash or _belongs(room, visitor.user):
            return
        for _ in range(MAX_TRIES):
            await self._prompter.play(visitor.channel, "conf-getpin")
            try:
                await self._registry.check_password(room, await keypad.read())
            except WrongPasswordError:
                await self._prompter.play(visitor.channel, "conf-invalidpin")
            else:
                return
        raise WrongPasswordError

    async def _refuse(self, channel: Channel, cause: int, sound: str = "") -> bool:
        try:
            if sound:
                await self._prompter.play(channel.id, sound)
        finally:
            await self._ari.hang_up(channel.id, cause=cause)
        return False


def _belongs(room: Room, user: str | None) -> bool:
    return user is not None and (user in room.moderators or room.by_user(user) is not None)
