"""Values out of messages."""

from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.ami.reading import event_name, instant, number, read_headers, text

RECEIVED = datetime(2030, 1, 2, tzinfo=UTC)
AT = datetime(2026, 11, 23, 2, 55, 58, 531085, tzinfo=UTC)


@pytest.mark.parametrize("stamp", ["", "yesterday", "nan", "inf", "-inf", "1e300", "9" * 5000])
def test_a_time_that_is_none_is_that_of_receipt(stamp: str) -> None:
    """Whatever stands there."""
    assert instant({"Timestamp": stamp}, RECEIVED) == RECEIVED


def test_a_time_is_in_utc() -> None:
    """To the microsecond."""
    read_at = instant({"Timestamp": "1795402558.531085"}, RECEIVED)
    assert read_at == AT
    assert read_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("17", 17),
        ("0", 0),
        ("9999999999", 9_999_999_999),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        ("\u0661\u0667", 0),
        ("12345678901", 0),
        ("9" * 5000, 0),
    ],
)
def test_a_number_is_a_number_or_nothing(given: str, expected: int) -> None:
    """Signs, fractions, other scripts and endless digits are nothing."""
    assert number({"Cause": given}, "Cause") == expected
    assert number({}, "Cause") == 0


def test_the_first_of_two_headers_counts() -> None:
    """Asterisk's own come before those that somebody else chose."""
    headers = read_headers(b"Event: UserEvent\r\nUniqueid: 1.1\r\nUniqueid: forged")
    assert headers == {"Event": "UserEvent", "Uniqueid": "1.1"}


def test_lines_that_are_no_headers_are_left_out() -> None:
    """And values keep all that looks like one."""
    headers = read_headers(b"Event: a\r\nnothing\r\n\r\nEmpty: \r\nX: y: z\r\nno:space")
    assert headers == {"Event": "a", "Empty": "", "X": "y: z"}


def test_bytes_that_are_no_text_are_replaced() -> None:
    """And so is NUL, which databases refuse."""
    assert read_headers(b"CallerIDName: a\xff\x00b") == {"CallerIDName": "a\ufffd\ufffdb"}


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (b"Event: Hangup\r\nUniqueid: 1.1", b"Hangup"),
        (b"Event: Hangup", b"Hangup"),
        (b"Event: ", b""),
        (b"Response: Success", b""),
        (b"", b""),
    ],
)
def test_the_name_of_an_event_is_found_unread(message: bytes, name: bytes) -> None:
    """In its first line."""
    assert event_name(message) == name


@pytest.mark.parametrize(
    ("given", "expected"), [("<unknown>", ""), ("<null>", ""), ("", ""), ("1001", "1001")]
)
def test_nothing_is_empty(given: str, expected: str) -> None:
    """However Asterisk writes it."""
    assert text({"CallerIDNum": given}, "CallerIDNum") == expected
    assert text({}, "CallerIDNum") == ""
