"""JSON bodies: what is read, and that the documented shapes are the real ones."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from fastagi_server.api.answers import json_answer
from fastagi_server.api.bodies import (
    AcceptRequest,
    CallBody,
    CallEventBody,
    CallRequest,
    EndRequest,
    call_body,
    event_body,
)
from fastagi_server.calls.models import (
    Call,
    CallEvent,
    CallStatus,
    CallType,
    EndFacts,
    EventKind,
)

NOON = datetime(2026, 1, 1, 12, 0, 0, 120000, tzinfo=UTC)
CALL = Call(
    id="5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
    caller_id="alice",
    participants=("bob",),
    call_type=CallType.SCREEN,
    status=CallStatus.ON_HOLD,
    start_time=NOON,
    answered_at=None,
    end_time=None,
    room_id=None,
    metadata={"note": "n"},
    updated_at=NOON,
)


def test_wire_form_of_a_call() -> None:
    """Every field is there, nulls too, times are UTC with Z, enums in lower snake case."""
    assert orjson.loads(json_answer(call_body(CALL)).body) == {
        "id": "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
        "caller_id": "alice",
        "participants": ["bob"],
        "call_type": "screen",
        "status": "on_hold",
        "start_time": "2026-01-01T12:00:00.120000Z",
        "answered_at": None,
        "end_time": None,
        "room_id": None,
        "metadata": {"note": "n"},
        "created_at": "2026-01-01T12:00:00.120000Z",
        "updated_at": "2026-01-01T12:00:00.120000Z",
        "hangup_cause": None,
        "dial_status": None,
        "ring_ms": None,
        "answered_ms": None,
        "duration_ms": None,
        "quality": None,
    }


def test_documented_call_is_the_real_one() -> None:
    """The documented shape takes what is sent, and has nothing that is not sent."""
    CallBody.model_validate_json(bytes(json_answer(call_body(CALL)).body))
    assert list(CallBody.model_fields) == list(call_body(CALL))


def test_documented_event_is_the_real_one() -> None:
    """The same for the events of the log."""
    event = CallEvent(EventKind.ENDED, NOON, "alice", {"hangup_cause": 16, "dial_status": "BUSY"})
    CallEventBody.model_validate_json(bytes(json_answer(event_body(event)).body))
    assert list(CallEventBody.model_fields) == list(event_body(event))


def test_call_request_of_the_documented_script() -> None:
    """What the documented script sends is an order; fields nobody knows are ignored."""
    request = CallRequest.model_validate(
        {
            "participants": ["SIP/1001"],
            "call_type": "Audio",
            "metadata": {"asterisk_call_id": "17.4", "caller_id": "1002"},
            "priority": 1,
        }
    )
    order = request.order()
    assert order.participants == ("SIP/1001",)
    assert order.call_type == "audio"
    assert order.metadata == {"asterisk_call_id": "17.4", "caller_id": "1002"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"participants": ["a"]},
        {"call_type": "audio"},
        {"participants": "a", "call_type": "audio"},
        {"participants": [], "call_type": "audio"},
        {"participants": [1], "call_type": "audio"},
        {"participants": ["a"] * 51, "call_type": "audio"},
        {"participants": ["a"], "call_type": "fax"},
        {"participants": ["a"], "call_type": "audio", "metadata": None},
        {"participants": ["a"], "call_type": "audio", "metadata": {"k": 1}},
        [],
        None,
    ],
)
def test_bad_call_requests(body: Any) -> None:
    """What lacks a field, or has a wrong type, is refused."""
    with pytest.raises(ValidationError):
        CallRequest.model_validate(body)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T14:00:00.5+02:00", datetime(2026, 1, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        (None, None),
    ],
)
def test_answered_at(written: str | None, meant: datetime | None) -> None:
    """A moment with any offset is turned into UTC."""
    answered_at = AcceptRequest.model_validate({"answered_at": written}).answered_at
    assert answered_at == meant
    assert answered_at is None or answered_at.tzinfo == UTC


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01T12:00:00",
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "noon",
        True,
        {},
    ],
)
def test_moments_that_are_none(written: Any) -> None:
    """A moment without offset, or beyond any call, is refused."""
    with pytest.raises(ValidationError):
        AcceptRequest.model_validate({"answered_at": written})


def test_end_request() -> None:
    """All that the PBX knows arrives as facts."""
    request = EndRequest.model_validate(
        {
            "hangup_cause": 16,
            "dial_status": "ANSWER",
            "ring_ms": 0,
            "answered_ms": 2147483647,
            "ended_at": "2026-01-01T12:00:00.120000Z",
        }
    )
    assert request.facts() == EndFacts(16, "ANSWER", 0, 2147483647, NOON)


def test_empty_end_request() -> None:
    """Nothing has to be known, and null is the same as leaving a field out."""
    assert EndRequest.model_validate({"hangup_cause": None}).facts() == EndFacts()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hangup_cause", -1),
        ("hangup_cause", 128),
        ("hangup_cause", "many"),
        ("hangup_cause", 10**400),
        ("dial_status", ""),
        ("dial_status", "NO ANSWER"),
        ("dial_status", "ANSWER\n"),
        ("dial_status", "A" * 33),
        ("ring_ms", -1),
        ("ring_ms", 2147483648),
        ("answered_ms", 1.5),
    ],
)
def test_facts_beyond_belief(field: str, value: Any) -> None:
    """Causes have seven bits, dial statuses are words, durations fit an integer."""
    with pytest.raises(ValidationError):
        EndRequest.model_validate({field: value})
