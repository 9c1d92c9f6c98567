"""Routes on loopback: what the shipped helper and its fixtures promise to authors of routes."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from fastagi_server.fastagi.admission import Admission
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.limits import Deadlines
from fastagi_server.fastagi.router import Router, Variables, route
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.serving import run_route, serve_routes


@dataclass(frozen=True)
class Hours:
    """A service of a test."""

    open_from: int

    def are_open(self, hour: int) -> bool:
        """Whether somebody answers."""
        return hour >= self.open_from


@route("hours/check")
async def check(_channel: AgiChannel, services: Hours, *, hour: int) -> Variables:
    """Set SGE_OPEN to 1 or 0."""
    return {"SGE_OPEN": "1" if services.are_open(hour) else "0"}


@route("other")
async def other(_channel: AgiChannel, _services: object) -> Variables:
    """Another route."""
    return {"OTHER": "yes"}


@pytest.mark.parametrize(("hour", "is_open"), [("8", "0"), ("9", "1")])
async def test_run_route(hour: str, is_open: str) -> None:
    """One line runs a route; the test asserts what the dialplan sees."""
    asterisk = FakeAsterisk(f"hours/check?hour={hour}")
    await run_route(asterisk, check, Hours(open_from=9))
    assert asterisk.variables == {
        "SGE_STATUS": "OK",
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": "",
        "SGE_OPEN": is_open,
    }
    assert asterisk.status == "SUCCESS"


@pytest.mark.parametrize(
    "routes", [other, [other, check], (other, check), Router([other, check], default="other")]
)
async def test_what_is_served(routes: Router) -> None:
    """A route, several, or a router; the first serves the empty path too."""
    for script in ("other", ""):
        asterisk = FakeAsterisk(script)
        await run_route(asterisk, routes)
        assert asterisk.variables["OTHER"] == "yes"


async def test_several_calls() -> None:
    """A server stays for as many calls as the test makes, and is gone afterwards."""
    measures = Measures()
    async with serve_routes([check, other], Hours(9), measures=measures) as server:
        for script in ("other", "hours/check?hour=1"):
            await FakeAsterisk(script).run(*server.addresses[0])
        host, port = server.addresses[0]
    assert host == "127.0.0.1"
    assert measures.agi_sessions.values == {
        ("other", "completed"): 1.0,
        ("hours/check", "completed"): 1.0,
    }
    asterisk = FakeAsterisk("other")
    await asterisk.run(host, port)
    assert asterisk.status == "FAILURE"


async def test_rules_of_the_server() -> None:
    """Admission, deadlines and the address are the test's to choose."""
    async with serve_routes(
        other, host="::1", admission=Admission(max_sessions=0), deadlines=Deadlines(linger=0.1)
    ) as server:
        asterisk = FakeAsterisk("other")
        await asterisk.run(*server.addresses[0])
        assert asterisk.status == "FAILURE"
        assert server.deadlines.linger == 0.1


async def test_address_that_cannot_be() -> None:
    """A server that cannot listen leaves nothing behind."""
    with pytest.raises(ValueError, match="refusing to listen"):
        async with serve_routes(other, host="0.0.0.0"):
            pytest.fail("it listens")


async def test_run_route_fixture(
    run_route: Callable[..., Awaitable[None]], fake_asterisk: Callable[..., FakeAsterisk]
) -> None:
    """The plugin's fixture does the same, with a channel that is checked at the end."""
    asterisk = fake_asterisk("hours/check", arguments=["10"])
    await run_route(asterisk, check, Hours(open_from=9))
    assert asterisk.variables["SGE_OPEN"] == "1"


async def test_agi_server_fixture(
    agi_server: Callable[..., AbstractAsyncContextManager[FastAgiServer]],
    fake_asterisk: Callable[..., FakeAsterisk],
) -> None:
    """So does that for more than one call."""
    async with agi_server([check, other], Hours(9)) as server:
        asterisk = fake_asterisk("other")
        await asterisk.run(*server.addresses[0])
    assert asterisk.variables["OTHER"] == "yes"
