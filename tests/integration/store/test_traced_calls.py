"""A call is a span of its trace as soon as its record ends, whoever wrote that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fastagi_server.calls.models import (
    Call,
    CallEvent,
    CallStatus,
    CallType,
    ChannelName,
    EventKind,
)
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.tracing import NO_ATTRIBUTES, Attributes

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(seconds=30)
CHANNEL = ChannelName("pbx", "17.4")


class Roots:
    """Keeps the spans of whole calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, datetime, datetime, Attributes]] = []

    def end(self, span: Span, *, error: str = "", attributes: Attributes = NO_ATTRIBUTES) -> None:
        """No span ends here."""
        raise AssertionError(span, error, attributes)

    def call_ended(
        self, key: str, started: datetime, ended: datetime, attributes: Attributes = NO_ATTRIBUTES
    ) -> None:
        """Keep it."""
        self.calls.append((key, started, ended, attributes))

    def close(self) -> None:
        """Nothing waits."""


def a_call(channel: ChannelName | None) -> Call:
    """A call that is being made."""
    return Call(
        id="c1",
        caller_id="alice",
        participants=("SIP/1001",),
        call_type=CallType.AUDIO,
        status=CallStatus.INITIATING,
        start_time=NOON,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={"asterisk_linked_id": "17.0", "caller_name": "Alice"},
        updated_at=NOON,
        channel=channel,
    )


def rung(call: Call) -> tuple[Call, CallEvent]:
    """It rings."""
    changed = replace(call, status=CallStatus.RINGING)
    return changed, CallEvent(EventKind.RINGING, NOON, "asterisk", {})


def ended(call: Call) -> tuple[Call, CallEvent] | None:
    """It ends, once."""
    if not call.is_active:
        return None
    changed = replace(call, status=CallStatus.ENDED, end_time=LATER, hangup_cause=16)
    return changed, CallEvent(EventKind.ENDED, LATER, "asterisk", {})


@pytest.mark.parametrize(("channel", "key"), [(CHANNEL, "agi-pbx-17.4"), (None, "c1")])
async def test_the_end_of_a_call(tmp_path: Path, channel: ChannelName | None, key: str) -> None:
    """Under the key of its registration or, where none registered it, its id; once only."""
    roots = Roots()
    async with open_store(f"sqlite:///{tmp_path / 'sge.sqlite3'}", tracing=roots) as store:
        created = CallEvent(EventKind.CREATED, NOON, "alice", {})
        await store.calls.create(a_call(channel), created, None)
        await store.calls.change("c1", rung)
        assert roots.calls == []
        await store.calls.change("c1", ended)
        await store.calls.change("c1", ended)
    ((root, started, at, attributes),) = roots.calls
    assert (root, started, at) == (key, NOON, LATER)
    assert attributes == {
        "call": "c1",
        **({"unique_id": "17.4"} if channel else {}),
        "linked_id": "17.0",
        "call_type": "audio",
        "hangup_cause": 16,
        "answered_ms": 0,
    }
