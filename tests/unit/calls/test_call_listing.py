"""Where the next page of a list begins, as text."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.calls.errors import InvalidCursorError
from fastagi_server.calls.listing import CallQuery, Cursor

moments = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(9999, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def test_text_is_the_same_for_ever() -> None:
    """Cursors that a client has kept are understood by every later version."""
    cursor = Cursor(datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC), "5f0c8a52")
    assert str(cursor) == "MTc2NzI2ODgwMDEyMzQ1Njo1ZjBjOGE1Mg"
    assert Cursor.from_text("MTc2NzI2ODgwMDEyMzQ1Njo1ZjBjOGE1Mg") == cursor


@given(moments, st.uuids())
def test_text_comes_back(moment: datetime, call_id: object) -> None:
    """What was written is read, to the microsecond, and needs no escaping in a URL."""
    cursor = Cursor(moment, str(call_id))
    assert Cursor.from_text(str(cursor)) == cursor
    assert set(str(cursor)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_zone_does_not_matter() -> None:
    """A moment is a moment in whatever zone it is written."""
    berlin = timezone(timedelta(hours=1))
    here = Cursor(datetime(2026, 1, 1, 13, tzinfo=berlin), "x")
    assert str(here) == str(Cursor(datetime(2026, 1, 1, 12, tzinfo=UTC), "x"))


def encoded(text: bytes) -> str:
    """The form of a cursor, whatever is in it."""
    return urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "A",
        "x" * 129,
        "Zoë",
        encoded(b"12"),
        encoded(b"noon:call-1"),
        encoded(b"99999999999999999999999999:call-1"),
        encoded(b"1:a\0b"),
        encoded(b"\xff\xfe:1"),
        encoded("\N{FULLWIDTH DIGIT ONE}:x".encode()),
    ],
)
def test_garbage(text: str) -> None:
    """Text that nobody gave out is refused, and not repeated."""
    with pytest.raises(InvalidCursorError, match="not one that was given out"):
        Cursor.from_text(text)


@given(st.text(max_size=150))
def test_any_text(text: str) -> None:
    """Whatever comes is a cursor or is refused."""
    try:
        cursor = Cursor.from_text(text)
    except InvalidCursorError:
        return
    assert Cursor.from_text(str(cursor)) == cursor


def test_query_for_everything() -> None:
    """A query asks for nothing unless it is told to."""
    assert CallQuery() == CallQuery(statuses=frozenset(), is_active=None)
