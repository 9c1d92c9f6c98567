"""The pytest plugin: fixtures that cost nothing until they are used."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import FakeSge

PLUGIN = "fastagi_server.testing.pytest_plugin"
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))

# From a checkout that is not installed, pytest does not find the plugin by its entry point.
pytest_plugins = ["pytester"] if INSTALLED else ["pytester", PLUGIN]


def test_registering_imports_nothing() -> None:
    """Importing the plugin pulls in no other module of this package, nor asyncio."""
    program = (
        "import sys, pytest; before = set(sys.modules);"
        "import fastagi_server.testing.pytest_plugin;"
        "print(sorted(m for m in set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == (
        "['fastagi_server', 'fastagi_server.testing', 'fastagi_server.testing.pytest_plugin']"
    )


def test_fake_asterisk_fixture(fake_asterisk: Callable[..., FakeAsterisk]) -> None:
    """The fixture makes channels with any options."""
    asterisk = fake_asterisk("register", extension="42")
    assert asterisk.plan.script == "register"
    assert asterisk.channel.extension == "42"


async def test_fake_sge_fixture(fake_sge: FakeSge) -> None:
    """The fixture is an API that the test starts."""
    async with fake_sge:
        assert fake_sge.url == f"http://127.0.0.1:{fake_sge.port}/api/v1/voip"


async def test_fake_ari_fixture(fake_ari: FakeAri) -> None:
    """The fixture is an Asterisk that the test starts."""
    async with fake_ari:
        assert fake_ari.channels == {}


async def test_tcp_proxy_fixture(tcp_proxy: type[TcpProxy]) -> None:
    """The fixture makes proxies."""
    async with tcp_proxy("127.0.0.1", 9) as proxy:
        assert proxy.port > 0


def test_violations_fail_the_test(pytester: pytest.Pytester) -> None:
    """A test whose server would have hurt a PBX fails, and says how; cleared, it passes."""
    pytester.makepyfile(
        """
        def test_hurts(fake_asterisk):
            fake_asterisk().violations.append("crashes")

        def test_on_purpose(fake_asterisk):
            asterisk = fake_asterisk()
            asterisk.violations.append("crashes")
            asterisk.violations.clear()
        """
    )
    by_name = [] if INSTALLED else ["-p", PLUGIN]
    result = pytester.runpytest_inprocess("-p", "no:asyncio", *by_name)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the server would have hurt a real PBX: crashes*"])
