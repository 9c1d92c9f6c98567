"""Calls in JSON that are asked for again and again."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from fastagi_server.api.rendered_calls import MAX_RENDERED, RenderedCalls
from fastagi_server.calls.models import Call, CallStatus, CallType

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CALL = Call(
    id="5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
    caller_id="alice",
    participants=("bob",),
    call_type=CallType.AUDIO,
    status=CallStatus.RINGING,
    start_time=NOON,
    answered_at=None,
    end_time=None,
    room_id=None,
    metadata={"note": "\N{SNOWMAN}"},
    updated_at=NOON,
)


@pytest.fixture
def rendered() -> RenderedCalls:
    """One that has seen nothing."""
    return RenderedCalls()


def test_no_calls(rendered: RenderedCalls) -> None:
    """An empty list is an empty array."""
    assert rendered.array([]) == b"[]"


def test_calls_are_written_as_the_api_shows_them(rendered: RenderedCalls) -> None:
    """In the order given, with times in UTC."""
    found = orjson.loads(rendered.array([CALL, replace(CALL, id="second", caller_id="carol")]))
    assert [each["id"] for each in found] == [CALL.id, "second"]
    assert [each["caller_id"] for each in found] == ["alice", "carol"]
    assert found[0]["status"] == "ringing"
    assert found[0]["start_time"] == "2026-01-01T12:00:00Z"
    assert found[0]["metadata"] == {"note": "\N{SNOWMAN}"}


def test_a_call_that_changed_is_written_anew(rendered: RenderedCalls) -> None:
    """The same id in another state is another object, and read as such."""
    for status in (CallStatus.RINGING, CallStatus.CONNECTED, CallStatus.RINGING):
        [found] = orjson.loads(rendered.array([replace(CALL, status=status)]))
        assert found["status"] == status.value


def test_the_same_call_reads_the_same(rendered: RenderedCalls) -> None:
    """However often it is listed, and among whatever others."""
    alone = rendered.array([CALL])
    assert rendered.array([CALL]) == alone
    assert rendered.array([CALL, CALL]) == b"[" + alone[1:-1] + b"," + alone[1:-1] + b"]"


def test_kept_texts_are_bounded(rendered: RenderedCalls) -> None:
    """However many calls go by, the right ones are written and few are kept."""
    for number in range(3 * MAX_RENDERED):
        [found] = orjson.loads(rendered.array([replace(CALL, id=str(number))]))
        assert found["id"] == str(number)
    assert len(rendered._kept) <= MAX_RENDERED  # pyright: ignore[reportPrivateUsage]
