"""Parameters of a route: by query string, by position, converted, and refused with a code."""

from enum import StrEnum

import pytest
from agi_stage import play

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.testing.fake_asterisk import FakeAsterisk


class Colour(StrEnum):
    """An enumeration of text."""

    RED = "red"
    BLUE = "blue"


@route("typed")
async def typed(
    _channel: AgiChannel,
    _services: object,
    *,
    name: str,
    count: int = 1,
    weight: float = 0.5,
    loud: bool = False,
    colour: Colour = Colour.RED,
) -> Variables:
    """Give its parameters back."""
    return {"GOT": f"{name}|{count}|{weight}|{loud}|{colour}"}


async def got(script: str, *arguments: str) -> str:
    """What the route was given."""
    asterisk = FakeAsterisk(script, arguments=arguments)
    await play(asterisk, typed)
    return asterisk.variables["GOT"]


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("typed?name=a", (), "a|1|0.5|False|red"),
        ("typed", ("a",), "a|1|0.5|False|red"),
        ("typed?name=a&count=7&weight=2.5&loud=yes&colour=BLUE", (), "a|7|2.5|True|blue"),
        ("typed", ("a", "7", "2.5", "off", "blue"), "a|7|2.5|False|blue"),
        ("typed?count=7", ("a", "8"), "a|7|0.5|False|red"),
        ("typed?name=a", ("b", "8"), "a|8|0.5|False|red"),
        ("typed", ("a", "", "2.5"), "a|1|2.5|False|red"),
        ("typed?name=a&count=", ("", "3"), "a|3|0.5|False|red"),
        ("typed?name=a&unknown=1", ("", "", "", "", "", "sixth"), "a|1|0.5|False|red"),
        ("typed?name=a%20b%26c%3D%2C", (), "a b&c=,|1|0.5|False|red"),
        ("typed?name=%2B32%201+2", (), "+32 1+2|1|0.5|False|red"),
        ("typed?name=a&name=b", (), "a|1|0.5|False|red"),
        ("/typed/?name=a", (), "a|1|0.5|False|red"),
        ("typed?name=%FF", (), "\udcff|1|0.5|False|red"),
    ],
)
async def test_binding(script: str, arguments: tuple[str, ...], expected: str) -> None:
    """A name in the query wins over a position; an empty text counts as not given."""
    assert await got(script, *arguments) == expected


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("typed", "name is missing"),
        ("typed?name=", "name is missing"),
        ("typed?name=a&count=many", "count is not a int"),
        ("typed?name=a&count=1.5", "count is not a int"),
        ("typed?name=a&weight=heavy", "weight is not a float"),
        ("typed?name=a&weight=nan", "weight is not a float"),
        ("typed?name=a&loud=maybe", "loud is not a bool"),
        ("typed?name=a&colour=green", "colour is not a Colour"),
        (f"typed?name={'x' * 1025}", "name is longer than 1024 characters"),
    ],
)
async def test_bad_arguments(script: str, reason: str) -> None:
    """The dialplan gets a code, the log the reason, and the route is not run."""
    asterisk = FakeAsterisk(script, unique_id="17.4")
    aftermath = await play(asterisk, typed)
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Bad argument",
        "SGE_ERROR_CODE": "bad_argument",
    }
    (line,) = aftermath.warnings
    assert (line["event"], line["route"], line["reason"]) == ("bad_argument", "typed", reason)
    assert line["unique_id"] == "17.4"


async def test_longest_argument() -> None:
    """A parameter may have 1,024 characters."""
    assert await got(f"typed?name={'x' * 1024}") == f"{'x' * 1024}|1|0.5|False|red"
