"""Calls to start tests from."""

from datetime import UTC, datetime

from fastagi_server.calls.models import Call, CallStatus, CallType
from fastagi_server.identities.identity import Identity, Scope

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

SERVICE = Identity("service", frozenset({Scope.SERVICE}))
ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOB = Identity("bob", frozenset({Scope.CALLS}))
EVE = Identity("eve", frozenset({Scope.CALLS}))


def a_call(
    status: CallStatus = CallStatus.INITIATING,
    *,
    answered_at: datetime | None = None,
    end_time: datetime | None = None,
    answered_ms: int | None = None,
) -> Call:
    """A call of alice with bob that began at noon."""
    return Call(
        id="5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=status,
        start_time=NOON,
        answered_at=answered_at,
        end_time=end_time,
        room_id=None,
        metadata={},
        updated_at=NOON,
        answered_ms=answered_ms,
    )
