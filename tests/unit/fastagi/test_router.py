"""The router: routes by path, parameters by annotation, policies by path."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from fastagi_server.fastagi.endings import CONTINUE, FAILURE, OnError
from fastagi_server.fastagi.router import ArgumentError, Parameter, Route, Router, route


class Kind(StrEnum):
    """An enumeration of text."""

    AUDIO = "audio"


@route("one")
async def one(_channel: object, _services: object, *, name: str, count: int = 1) -> None:
    """Do one thing.

    And say how.
    """


@route("two/deep", on_error=FAILURE, budget_seconds=None)
async def two(_channel: object, _services: object) -> None:  # noqa: D103 - has none on purpose
    pass


def test_route_is_a_value() -> None:
    """The decorated name is the route, with what its function tells about itself."""
    assert isinstance(one, Route)
    assert one.path == "one"
    assert one.parameters == (Parameter("name", str, True), Parameter("count", int, False))
    assert one.description == "Do one thing.\n\nAnd say how."
    assert (one.on_error, one.budget_seconds) == (CONTINUE, 10.0)
    assert (two.on_error, two.budget_seconds) == (FAILURE, None)
    assert two.description == ""


def test_find() -> None:
    """Paths are matched whole; the empty one is the default's."""
    router = Router([one, two], default="one")
    assert router.find("one") is one
    assert router.find("two/deep") is two
    assert router.find("") is one
    assert [router.find(path) for path in ("two", "ONE", "one/", "register")] == [None] * 4


def test_policies() -> None:
    """The administrator's policy replaces the route's own."""
    goto = OnError.from_text("goto:a,b,1")
    router = Router([one, two], default="one", policies={"two/deep": goto})
    assert router.policy(one) is CONTINUE
    assert router.policy(two) is goto


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"routes": [one, one], "default": "one"}, "two routes have the same path"),
        ({"routes": [one]}, "no route 'register' to serve the empty path"),
        (
            {"routes": [one], "default": "one", "policies": {"z": FAILURE, "y": FAILURE}},
            "on_error names no route: y, z",
        ),
    ],
)
def test_bad_router(arguments: dict[str, Any], words: str) -> None:
    """A router that could not serve is not made."""
    with pytest.raises(ValueError, match=words):
        Router(**arguments)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, " as it is ", " as it is "),
        (int, " 7 ", 7),
        (int, "-7", -7),
        (float, "2.5", 2.5),
        (bool, "Yes", True),
        (bool, "on", True),
        (bool, "1", True),
        (bool, "TRUE", True),
        (bool, "no", False),
        (bool, "off", False),
        (bool, "0", False),
        (bool, "false", False),
        (Kind, " Audio", Kind.AUDIO),
    ],
)
def test_convert(kind: type[Any], text: str, value: object) -> None:
    """Each kind reads its texts."""
    converted = Parameter("p", kind, required=True).convert(text)
    assert (converted, type(converted)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "7.0"),
        (int, ""),
        (float, "inf"),
        (float, "nan"),
        (float, "2,5"),
        (bool, "2"),
        (Kind, "video"),
        (str, "x" * 1025),
        (int, "1" * 1025),
    ],
)
def test_convert_refuses(kind: type[Any], text: str) -> None:
    """What is not of the kind, or too long, is refused by the parameter's name."""
    with pytest.raises(ArgumentError, match=r"^p is"):
        Parameter("p", kind, required=True).convert(text)


def test_parameters_that_no_text_becomes() -> None:
    """A route that could never be called with its parameter is refused when it is written."""

    async def path(_channel: object, _services: object, *, where: Path) -> None: ...

    async def maybe(_channel: object, _services: object, *, count: int | None = None) -> None: ...

    for handler in (path, maybe):
        with pytest.raises(TypeError, match="is not a str, int, float, bool or an enumeration"):
            route("bad")(handler)
