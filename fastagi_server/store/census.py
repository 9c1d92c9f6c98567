"""How many calls and rooms there are: present values for the measures, straight from the records.

They are asked as searches, which have a thread of their own: a busy installation has thousands of
active calls, and nobody's call waits while they are counted.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select, type_coerce

from fastagi_server.calls.journal import utc_now
from fastagi_server.calls.models import CallStatus
from fastagi_server.rooms.models import MemberState
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection, Query
from fastagi_server.store.database import Database
from fastagi_server.telemetry.measures import Measures

NEWEST = 500
"""Among so many of the calls that started last, the one that ended last is looked for."""

MAX_ROOMS = 10_000

_NO_CALLS = {str(status): 0 for status in CallStatus if status is not CallStatus.ENDED}
_NO_SEATS = {str(state): 0 for state in MemberState}

_calls = schema.calls.c
_rooms = schema.rooms.c

_ACTIVE_CALLS: Query = (
    select(_calls.status, func.count(), func.sum(type_coerce(_calls.start_time, BigInteger)))
    .where(_calls.is_active)
    .group_by(_calls.status)
)
_LAST_START: Query = select(func.max(_calls.start_time))
_LAST_ENDS: Query = (
    select(_calls.end_time)
    .where(_calls.is_active == bindparam("is_active"))
    .order_by(_calls.start_time.desc(), _calls.id.desc())
    .limit(bindparam("limit"))
)
_ACTIVE_ROOMS: Query = select(_rooms.members).where(_rooms.is_active).limit(bindparam("limit"))


@dataclass(frozen=True, slots=True)
class Census:
    """What was counted: calls by status, their mean age in seconds, seats of rooms by state."""

    calls: dict[str, int]
    mean_age_seconds: float
    last_start: datetime | None
    last_end: datetime | None
    rooms: int
    participants: dict[str, int]


class StoreCensus:
    """Counts what a database has, and brings it to the measures when it is asked."""

    def __init__(
        self,
        database: Database,
        measures: Measures,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._measures = measures
        self._now = now
        gauges = (
            measures.calls_active,
            measures.calls_active_age_seconds,
            measures.last_call_timestamp,
            measures.rooms_active,
            measures.room_participants,
        )
        measures.collectors.add("store", gauges, self.collect)

    async def collect(self) -> None:
        """Set the measures. Raises StoreError."""
        found = await self.count()
        measures = self._measures
        measures.calls_active.become(found.calls)
        measures.calls_active_age_seconds.set(found.mean_age_seconds)
        moments = {"started": found.last_start, "ended": found.last_end}
        measures.last_call_timestamp.become(
            {event: at.timestamp() for event, at in moments.items() if at is not None}
        )
        measures.rooms_active.set(found.rooms)
        measures.room_participants.become(found.participants)

    async def count(self) -> Census:
        """Count. Raises StoreError."""
        now = self._now()
        return await self._database.search(lambda connection: _count(connection, now))


def _count(connection: Connection, now: datetime) -> Census:
    active = connection.rows(_ACTIVE_CALLS, {})
    ((last_start,),) = connection.rows(_LAST_START, {})
    ended = connection.rows(_LAST_ENDS, {"is_active": False, "limit": NEWEST})
    rooms = connection.rows(_ACTIVE_ROOMS, {"limit": MAX_ROOMS})
    seats = Counter[str](member["state"] for (members,) in rooms for member in members)
    return Census(
        calls=_NO_CALLS | {status: count for status, count, _ in active},
        mean_age_seconds=_mean_age(active, now),
        last_start=last_start,
        last_end=max((end for (end,) in ended if end is not None), default=None),
        rooms=len(rooms),
        participants=_NO_SEATS | dict(seats),
    )


def _mean_age(active: list[list[Any]], now: datetime) -> float:
    count = sum(int(each) for _, each, _ in active)
    if count == 0:
        return 0.0
    microseconds = sum(int(total) for _, _, total in active) / count
    return max(0.0, now.timestamp() - microseconds / 1e6)
