"""Closes rooms whose time is up or that nobody uses, and forgets rooms closed long ago.

What is due is read from the records each time, so that a restart forgets no time limit.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from fastagi_server.calls.errors import PbxError
from fastagi_server.rooms import transitions
from fastagi_server.rooms.changes import RoomChanges
from fastagi_server.rooms.errors import RoomError
from fastagi_server.rooms.models import Room, RoomEventKind

LOOK_SECONDS = 30.0
"""The longest time between two looks: rooms may be made by other processes on the same records."""

RETRY_SECONDS = 5.0
"""How soon a room is tried again that the PBX did not let close."""

BATCH = 1000
"""Rooms closed at a time; as many as can be dialled."""

FORGET_BATCH = 100
"""Rooms forgotten at a look, in one transaction that others wait for; there are many looks."""

_log = structlog.get_logger("rooms")


class Timekeeper:
    """The owner of time limits.

    A room is unused when nobody has a telephone in it and nothing has happened to it for `idle`;
    a closed one is kept for `retention`.
    """

    def __init__(self, changes: RoomChanges, *, idle: timedelta, retention: timedelta) -> None:
        self._changes = changes
        self._records = changes.records
        self._idle = idle
        self._retention = retention

    async def run(self) -> None:
        """Look after the rooms until cancelled; a look that fails is logged and repeated."""
        while True:
            try:
                await self.look()
                pause = await self.pause_seconds()
            except Exception:  # noqa: BLE001 - whatever it was, time limits go on
                _log.exception("room_upkeep_failed")
                pause = LOOK_SECONDS
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Close what is due now, and forget what was closed long ago."""
        now = self._changes.now()
        for room_id in await self._records.overdue(now, now - self._idle, BATCH):
            await self._close(room_id, now)
        await self._records.forget(now - self._retention, FORGET_BATCH)

    async def pause_seconds(self) -> float:
        """How long nothing needs to be looked at: 30 seconds at most."""
        due = await self._records.next_close()
        if due is None:
            return LOOK_SECONDS
        left = (due - self._changes.now()).total_seconds()
        return min(left, LOOK_SECONDS) if left > 0 else RETRY_SECONDS

    async def _close(self, room_id: str, now: datetime) -> None:
        def close(room: Room) -> Room:
            if self._is_due(room, now):
                return transitions.close(room, now=now)
            return room

        try:
            await self._changes.apply(room_id, RoomEventKind.CLOSED, "clock", close)
        except (PbxError, RoomError) as error:
            _log.warning("room_not_closed", room=room_id, reason=str(error))

    def _is_due(self, room: Room, now: datetime) -> bool:
        if room.closes_at is not None and room.closes_at <= now:
            return True
        is_quiet = room.updated_at <= now - self._idle
        return is_quiet and all(member.channel is None for member in room.members)
