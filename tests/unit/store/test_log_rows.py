"""What the rows of the logs mean as events."""

from datetime import UTC, datetime

import pytest

from fastagi_server.store.log_rows import CALL, LOGS, ROOM

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
REST = {
    CALL: [NOON, "asterisk", {"hangup_cause": 16}, "alice", ["PJSIP/1001"], "audio", None, "17.0"],
    ROOM: [NOON, "alice", {"user": "bob"}, "Monday", "8001"],
}


@pytest.mark.parametrize(
    ("log", "kind", "event_type"),
    [
        (CALL, "accepted", "call.connected"),
        (CALL, "ended", "call.ended"),
        (CALL, "parked", "call.parked"),
        (ROOM, "closed", "room.closed"),
        (ROOM, "renamed", "room.renamed"),
    ],
)
def test_kinds_are_types(log: str, kind: str, event_type: str) -> None:
    """Kinds that another version of the service writes are told of as well, and stop no reader."""
    (found,) = (each for each in LOGS if each.name == log)
    event = found.to_event([7, "subject", kind, *REST[log]])
    assert (event.type, event.at, event.call or event.room) == (event_type, NOON, "subject")
