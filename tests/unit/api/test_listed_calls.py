"""The query parameters of a list of calls."""

from datetime import UTC, datetime

import pytest
from fastapi.exceptions import RequestValidationError

from fastagi_server.api.listed_calls import ListedCalls
from fastagi_server.calls.listing import CallQuery
from fastagi_server.calls.models import CallStatus, CallType


def test_nothing_given() -> None:
    """The documented list: a hundred active calls."""
    listed = ListedCalls.from_query(b"")
    assert listed.is_plain
    assert listed.limit == 100
    assert listed.query() == CallQuery(is_active=True)


def test_only_a_limit() -> None:
    """How many is no condition."""
    listed = ListedCalls.from_query(b"limit=7")
    assert listed.is_plain
    assert listed.limit == 7


def test_all_conditions() -> None:
    """Each is read as what it is, percent signs and plus signs as in any query."""
    listed = ListedCalls.from_query(
        b"active=false&status=ended&status=ringing&party=SIP/1001&caller=alice%2Bwork"
        b"&call_type=Audio&room_id=r-1&hangup_cause=16&since=2026-01-01T12:00:00Z"
        b"&until=2026-01-02T12:00:00%2B01:00"
    )
    assert not listed.is_plain
    assert listed.query() == CallQuery(
        is_active=False,
        statuses=frozenset({CallStatus.ENDED, CallStatus.RINGING}),
        party="SIP/1001",
        caller="alice+work",
        call_type=CallType.AUDIO,
        room_id="r-1",
        hangup_cause=16,
        since=datetime(2026, 1, 1, 12, tzinfo=UTC),
        until=datetime(2026, 1, 2, 11, tzinfo=UTC),
    )


def test_the_last_of_two_counts() -> None:
    """A parameter that is no list may be repeated."""
    assert ListedCalls.from_query(b"limit=7&limit=8").limit == 8


def test_strangers_are_passed_over() -> None:
    """What we do not know neither hurts nor makes another list."""
    assert ListedCalls.from_query(b"colour=red&limit=7").is_plain


@pytest.mark.parametrize(
    ("query", "place"),
    [
        (b"limit=0", ("query", "limit")),
        (b"limit=501", ("query", "limit")),
        (b"limit=", ("query", "limit")),
        (b"limit=many", ("query", "limit")),
        (b"status=busy", ("query", "status", 0)),
        (b"party=a%00b", ("query", "party")),
        (b"party=%ff", ("query", "party")),
        (b"hangup_cause=128", ("query", "hangup_cause")),
        (b"since=yesterday", ("query", "since")),
        (b"cursor=" + b"x" * 129, ("query", "cursor")),
    ],
)
def test_refusals(query: bytes, place: tuple[str | int, ...]) -> None:
    """What is wrong is named with its place, as FastAPI names it."""
    with pytest.raises(RequestValidationError) as refusal:
        ListedCalls.from_query(query)
    [problem] = refusal.value.errors()
    assert problem["loc"] == place


def test_description() -> None:
    """OpenAPI hears of every parameter, none of which must be given."""
    described = {each["name"]: each for each in ListedCalls.parameters()}
    assert set(described) == set(ListedCalls.model_fields)
    assert {(each["in"], each["required"]) for each in described.values()} == {("query", False)}
    assert described["limit"]["schema"]["maximum"] == 500
    assert described["status"]["schema"]["items"] == {"$ref": "#/components/schemas/CallStatus"}
    assert described["party"]["description"] == "Caller or participant"
