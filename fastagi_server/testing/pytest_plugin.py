"""Fixtures for people who write routes; installed with the package, imported only when used.

* `fake_asterisk(...)` makes a `FakeAsterisk`; the test fails at its end if the server did anything
  to it that would hurt a real PBX. A test that provokes such a thing clears `violations`.
* `run_route(asterisk, route, services)` lets such a channel run a route, or several, on the real
  FastAGI server; `agi_server(route, services)` is that server for more than one call, started by
  `async with`.
* `fake_sge` is a `FakeSge`, `fake_ari` a `FakeAri`, and `tcp_proxy(host, port)` makes a `TcpProxy`;
  all are started by `async with`, so that they work with any asyncio plugin for pytest.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastagi_server.fastagi.server import FastAgiServer
    from fastagi_server.testing.ari.fake import FakeAri
    from fastagi_server.testing.fake_asterisk import FakeAsterisk
    from fastagi_server.testing.proxy import TcpProxy
    from fastagi_server.testing.sge import FakeSge


@pytest.fixture
def fake_asterisk() -> "Generator[Callable[..., FakeAsterisk]]":
    """Make fake Asterisk channels that hold the server to what a PBX survives."""
    from fastagi_server.testing.fake_asterisk import FakeAsterisk  # noqa: PLC0415 - only if used

    made: list[FakeAsterisk] = []

    def make(script: str = "", **options: Any) -> FakeAsterisk:
        asterisk = FakeAsterisk(script, **options)
        made.append(asterisk)
        return asterisk

    yield make
    violations = [violation for asterisk in made for violation in asterisk.violations]
    if violations:
        pytest.fail("the server would have hurt a real PBX: " + "; ".join(violations))


@pytest.fixture
def run_route() -> "Callable[..., Awaitable[None]]":
    """Give `testing.serving.run_route`."""
    from fastagi_server.testing import serving  # noqa: PLC0415 - only if used

    return serving.run_route


@pytest.fixture
def agi_server() -> "Callable[..., AbstractAsyncContextManager[FastAgiServer]]":
    """Give `testing.serving.serve_routes`."""
    from fastagi_server.testing import serving  # noqa: PLC0415 - only if used

    return serving.serve_routes


@pytest.fixture
def fake_sge() -> "FakeSge":
    """Give an SGE API that obeys until told otherwise; start it by `async with`."""
    from fastagi_server.testing.sge import FakeSge  # noqa: PLC0415 - only if used

    return FakeSge()


@pytest.fixture
def fake_ari() -> "FakeAri":
    """Give an Asterisk with ARI and without a call; start it by `async with`."""
    from fastagi_server.testing.ari.fake import FakeAri  # noqa: PLC0415 - only if used

    return FakeAri()


@pytest.fixture
def tcp_proxy() -> "type[TcpProxy]":
    """Give the class of proxies, to be started by `async with`."""
    from fastagi_server.testing.proxy import TcpProxy  # noqa: PLC0415 - only if used

    return TcpProxy
