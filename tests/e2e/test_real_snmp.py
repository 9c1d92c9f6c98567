"""A real snmpd in front of the service, calls through a real Asterisk, a real snmptrapd.

The lines asked are the documented ones: `snmpget -v2c -c public ADDRESS OID`.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from fastagi_server.snmp.objects import OBJECTS, dotted
from lab import processes, programs
from lab.asterisk import Asterisk
from lab.errors import CommandError
from lab.loopback import ask
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import API_KEY, Service, ari_settings
from lab.snmp import Snmpd, Snmptrapd

pytestmark = pytest.mark.asterisk

BASE = ".1.3.6.1.4.1.8072.1.3.2.3.2"
CALLS, CHANNELS, BRIDGES, ENDPOINTS, MOS = (f"{BASE}.1.{arc}.1" for arc in (1, 2, 3, 4, 9))
SERVICE_UP = f"{BASE}.1.22.1"
MISSING = "No Such Instance currently exists at this OID"

TALK_MS = 25_000
QUALITY_SECONDS = 24


@pytest.fixture(scope="module")
def net_snmp(lab_root: Root) -> None:
    """Need Debian's snmpd; without it skip, saying why, and on CI fail."""
    reason = programs.why_not("snmpd", "snmpget", "snmptrapd")
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def pbx(net_snmp: None, lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of this module's own."""
    with Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as running:
        yield running


@pytest.fixture
def leading(pbx: Asterisk) -> Iterator[Service]:
    """Run a service that leads its calls."""
    with Service.start(ari_settings(pbx)) as running:
        running.wait_for_log("link_state", state="up")
        pbx.set_global("SGE_AGI", running.agi)
        yield running


def measures_of(service: Service) -> str:
    """The address of the measures."""
    return f"{service.api.removesuffix('/voip')}/metrics/prometheus"


@pytest.fixture
def agent(leading: Service) -> Iterator[Snmpd]:
    """Run snmpd in front of it."""
    with Snmpd.start(measures_of(leading)) as running:
        yield running


def until(agent: Snmpd, oid: str, value: str, seconds: float = 10) -> bool:
    """Whether an object has a value before the deadline."""
    return wait_until(lambda: agent.get(oid) == [value], seconds)


def test_documented_lines(pbx: Asterisk, leading: Service, agent: Snmpd) -> None:
    """Calls, channels, bridges, endpoints and MOS are those of the call that is on."""
    assert agent.get(CALLS, CHANNELS, BRIDGES) == ["Gauge32: 0"] * 3
    assert until(agent, ENDPOINTS, "Gauge32: 1")  # the gateway to browsers, whose address is fixed
    assert agent.get(MOS) == [MISSING]
    with (
        Phone.answering(pbx, "1001") as callee,
        Phone.calling(pbx, "1002", "1001", hang_up_after_ms=TALK_MS) as caller,
    ):
        assert until(agent, BRIDGES, "Gauge32: 1"), caller.explain()
        assert agent.get(CALLS, CHANNELS, ENDPOINTS) == ["Gauge32: 1", "Gauge32: 2", "Gauge32: 2"]
        assert agent.get(CALLS, version3=True) == ["Gauge32: 1"]
        # 20 ms packets of G.711 over loopback, none lost: as good as it gets.
        assert wait_until(lambda: agent.get(MOS) != [MISSING], QUALITY_SECONDS)
        (score,) = agent.get(MOS)
        assert re.fullmatch(r'STRING: "4\.[34]\d"', score)
        assert leading.calls()[0]["status"] == "connected"
        assert callee.wait()
        assert caller.wait()
    assert until(agent, CHANNELS, "Gauge32: 0")
    assert until(agent, CALLS, "Gauge32: 0")
    assert agent.get(f"{BASE}.1.23.1", f"{BASE}.1.24.1") == ["Counter64: 1", "Counter64: 1"]


def test_walk(agent: Snmpd, leading: Service) -> None:
    """A walk meets every object that has a value once, in order, and ends; so does one around."""
    everything = [dotted(each.oid) for each in OBJECTS if dotted(each.oid) != MOS]
    assert until(agent, CHANNELS, "Gauge32: 0")
    walked = [line.partition(" ")[0] for line in agent.walk(BASE)]
    assert walked == everything
    around = [line.partition(" ")[0] for line in agent.walk(".1.3.6.1.4.1.8072.1.3.2")]
    assert [oid for oid in around if oid.startswith(BASE)] == everything


def test_nothing_can_be_set(agent: Snmpd) -> None:
    """A manager that writes is refused."""
    with pytest.raises(CommandError, match="noAccess"):
        agent.set(CALLS, "u", "7")


def test_service_that_hangs_and_dies(leading: Service, agent: Snmpd) -> None:
    """Snmpd answers while the service hangs, and says so when it is gone."""
    assert until(agent, CALLS, "Gauge32: 0")
    leading.suspend()
    # What is known is given for a while; the answer comes in snmpget's three seconds.
    assert agent.get(SERVICE_UP, CALLS) == ["Gauge32: 1", "Gauge32: 0"]
    leading.kill()
    assert until(agent, SERVICE_UP, "Gauge32: 0")
    assert agent.get(CALLS, CHANNELS) == [MISSING, MISSING]
    leading.start_again()
    assert until(agent, SERVICE_UP, "Gauge32: 1")


def test_json(leading: Service) -> None:
    """The same figures as JSON, for operators."""
    port = int(leading.api.rpartition(":")[2].partition("/")[0])
    path = "/api/v1/snmp/voip/metrics"
    secret = leading.command("keys", "create", "wallboard", "--scope", "operator").split()[-1]
    body = ask(port, "GET", path, {"X-API-Key": secret}, None)
    assert body["active_calls"] == 0
    assert CALLS in body["voip_oids"]
    with pytest.raises(CommandError, match="403"):
        ask(port, "GET", path, {"X-API-Key": API_KEY}, None)


@contextmanager
def watching(manager: Snmptrapd, url: str) -> Generator[None]:
    """Run `fastagi-server traps`, which looks every second."""
    command = [sys.executable, "-u", "-m", "fastagi_server", "traps", manager.address]
    log = manager.folder / "watch.log"
    child = processes.start(
        [*command, "--url", url, "--every", "1", "--calls"],
        log,
        environment=manager.environment(),
        folder=manager.folder,
    )
    try:
        assert wait_until(lambda: "watching" in log.read_text(), 20), log.read_text()
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def test_traps(pbx: Asterisk, leading: Service) -> None:
    """A manager hears of calls, of a lost link, and of a service that is down and up again."""
    url = measures_of(leading)
    notification = f"{BASE}.2.1"
    with Snmptrapd.start() as manager, watching(manager, url):
        with Phone.answering(pbx, "1001"):
            with Phone.calling(pbx, "1002", "1001", hang_up_after_ms=3000) as caller:
                manager.wait_for_log(f"{notification}.1\t")
                assert caller.wait()
            manager.wait_for_log(f"{notification}.2\t")
        leading.kill()
        manager.wait_for_log(f"{notification}.9\t")
        assert f"{SERVICE_UP} = Gauge32: 0" in manager.log()
        leading.start_again()
        manager.wait_for_log(f"{notification}.10\t")


def test_trap_of_a_lost_link(net_snmp: None, lab_root: Root) -> None:
    """A manager hears, by its name, of the link to an Asterisk that ended."""
    with Asterisk.start(root=lab_root) as own, Service.start(ari_settings(own)) as service:
        service.wait_for_log("link_state", state="up")
        with (
            Snmptrapd.start() as manager,
            watching(manager, measures_of(service)),
        ):
            own.stop()
            manager.wait_for_log(f"{BASE}.2.1.11\t")
            link = service.wait_for_log("link_state", state="lost")["link"]
            assert f'{BASE}.1.27.1 = STRING: "{link}"' in manager.log()


def test_traps_without_snmptrap(net_snmp: None) -> None:
    """Where the program is missing the command says so and ends."""
    done = subprocess.run(
        [sys.executable, "-m", "fastagi_server", "traps", "127.0.0.1:1"],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "install the package snmp" in done.stderr
