"""Typed values out of JSON: what is absent has a default, what is wrong is an error."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fastagi_server.ari import reading
from fastagi_server.ari.errors import AriAnswerError


def test_values_of_the_right_type_are_read() -> None:
    """Each reader returns what stands there."""
    raw = {
        "word": "hello",
        "words": ["a", "b"],
        "count": 3,
        "share": 1,
        "yes": True,
        "at": "2026-11-23T00:00:16.871+0000",
        "inner": {"x": "y"},
    }
    assert reading.text(raw, "word") == "hello"
    assert reading.identifier(raw, "word") == "hello"
    assert reading.texts(raw, "words") == ("a", "b")
    assert reading.number(raw, "count") == 3
    assert reading.fraction(raw, "share") == 1.0
    assert reading.flag(raw, "yes") is True
    assert reading.instant(raw, "at") == datetime(2026, 11, 23, 0, 0, 16, 871_000, tzinfo=UTC)
    assert reading.part(raw, "inner") == {"x": "y"}
    assert reading.variables(raw, "inner") == {"x": "y"}


def test_what_is_absent_has_a_default() -> None:
    """Asterisk leaves out what it does not know."""
    assert reading.text({}, "x") == ""
    assert reading.text({"x": None}, "x") == ""
    assert reading.texts({}, "x") == ()
    assert reading.number({}, "x") == 0
    assert reading.number({}, "x", 7) == 7
    assert reading.fraction({}, "x") is None
    assert reading.flag({}, "x") is False
    assert reading.instant({}, "x") is reading.NEVER
    assert reading.part({}, "x") == {}
    assert reading.variables({}, "x") == {}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (reading.text, 1),
        (reading.text, ["a"]),
        (reading.identifier, ""),
        (reading.identifier, None),
        (reading.texts, "a"),
        (reading.texts, ["a", 1]),
        (reading.number, "1"),
        (reading.number, True),
        (reading.number, 1.5),
        (reading.fraction, "1"),
        (reading.fraction, False),
        (reading.flag, "yes"),
        (reading.flag, 1),
        (reading.instant, "yesterday"),
        (reading.instant, "2026-11-23T00:00:16"),
        (reading.part, []),
        (reading.variables, {"a": 1}),
    ],
)
def test_a_value_of_another_type_is_an_error(
    read: Callable[[dict[str, Any], str], object], value: object
) -> None:
    """The message names the field and not its content."""
    with pytest.raises(AriAnswerError, match=r"field|a is no text"):
        read({"field": value}, "field")


@pytest.mark.parametrize("document", ["", "{", "nonsense", b"\xff\xfe", "NaN"])
def test_what_is_no_json_is_an_error(document: str | bytes) -> None:
    """Asterisk never sends such; something in between may."""
    with pytest.raises(AriAnswerError, match="not JSON"):
        reading.parse(document)


def test_objects_and_arrays_of_objects_are_checked() -> None:
    """A list of channels is a list of objects."""
    assert reading.as_object({"a": 1}, "it") == {"a": 1}
    assert reading.as_objects([{"a": 1}], "it") == [{"a": 1}]
    no_objects: tuple[object, ...] = ([1], "x", None, 1)
    for value in no_objects:
        with pytest.raises(AriAnswerError, match="it is no object"):
            reading.as_object(value, "it")
        with pytest.raises(AriAnswerError, match="it is no object"):
            reading.as_objects([{"a": 1}, value], "it")
    no_arrays: tuple[object, ...] = ({"a": 1}, "x", None)
    for value in no_arrays:
        with pytest.raises(AriAnswerError, match="it is no array"):
            reading.as_objects(value, "it")
