"""All of the topic on one set of records and one PBX."""

from dataclasses import dataclass
from datetime import timedelta

from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.rooms.attendance import Attendance
from fastagi_server.rooms.changes import RoomChanges
from fastagi_server.rooms.moderation import Moderation
from fastagi_server.rooms.orders import MAX_SEATS
from fastagi_server.rooms.passwords import Hasher
from fastagi_server.rooms.ports import RoomControl, RoomRecords
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.rooms.timekeeper import Timekeeper
from fastagi_server.telemetry.measures import Measures

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RoomDesk:
    """Who asks of rooms (`registry`, `moderation`), and who tells of them (`attendance`).

    The `timekeeper` has to be run by whoever owns the desk.
    """

    registry: RoomRegistry
    moderation: Moderation
    attendance: Attendance
    timekeeper: Timekeeper


def open_desk(
    *,
    records: RoomRecords,
    control: RoomControl | None,
    measures: Measures,
    max_participants: int = MAX_SEATS,
    max_rooms: int = 0,
    idle: timedelta = DAY,
    retention: timedelta = DAY,
    outbound: OutboundPolicy = NO_CALLS_OUT,
) -> RoomDesk:
    """A desk. Numbers and policy are those of `RoomRegistry`, durations those of `Timekeeper`."""
    changes = RoomChanges(records=records, control=control, measures=measures)
    return RoomDesk(
        registry=RoomRegistry(
            changes,
            max_participants=max_participants,
            max_rooms=max_rooms,
            hasher=Hasher(),
            outbound=outbound,
        ),
        moderation=Moderation(changes),
        attendance=Attendance(changes),
        timekeeper=Timekeeper(changes, idle=idle, retention=retention),
    )
