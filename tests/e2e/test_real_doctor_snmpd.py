"""The doctor on a real snmpd: absent, not told of us, answering, and not."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_stage import findings, told

from fastagi_server.settings import Settings
from lab import programs
from lab.service import Service
from lab.snmp import Snmpd

BASE = ".1.3.6.1.4.1.8072.1.3.2.3.2"


@pytest.fixture(autouse=True)
def net_snmp() -> None:
    """Need Debian's snmpd; without it skip, saying why, and on CI fail."""
    reason = programs.why_not("snmpd", "snmpget")
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Run a service that shows its measures."""
    with Service.start() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Any settings: this group asks snmpd alone."""
    return Settings(_env_file=None, fastagi_state_dir=tmp_path)  # pyright: ignore[reportCallIssue]


def test_answers(service: Service, settings: Settings) -> None:
    """Snmpd runs our command, which gets the service's figures."""
    url = service.api.replace("/voip", "/metrics/prometheus")
    with Snmpd.start(url) as agent:
        found = findings(settings, "snmp", snmpd_conf=agent.folder / "daemon.conf")
        assert told(found, "snmpd") == [("ok", f"{agent.address} answers with our figures")]
        assert told(found, "snmpd.conf")[0][0] == "ok"


def test_no_service_behind_it(settings: Settings) -> None:
    """Snmpd and the command run, and get no figures."""
    with Snmpd.start("http://127.0.0.1:1/metrics") as agent:
        found = findings(settings, "snmp", snmpd_conf=agent.folder / "daemon.conf")
    why = "answers that the service does not give its measures"
    assert told(found, "snmpd") == [("fail", why)]


def test_not_running(settings: Settings, tmp_path: Path) -> None:
    """Set up, and nobody answers."""
    conf = tmp_path / "snmpd.conf"
    conf.write_text(f"agentAddress udp:127.0.0.1:1\nrocommunity public\npass_persist {BASE} x\n")
    found = findings(settings, "snmp", snmpd_conf=conf)
    assert told(found, "snmpd") == [("fail", "127.0.0.1:1 does not answer")]


def test_line_that_is_missing(settings: Settings, tmp_path: Path) -> None:
    """Snmpd was never told of us; the line to add is given."""
    (tmp_path / "snmpd.conf").write_text("rocommunity public\n")
    (finding,) = findings(settings, "snmp", snmpd_conf=tmp_path / "snmpd.conf")
    assert (finding.level.word, finding.subject) == ("warn", "snmpd")
    assert finding.fix == (
        f"add 'pass_persist {BASE} /usr/local/bin/fastagi-server snmp',"
        " then systemctl restart snmpd"
    )


def test_line_in_a_file_beside_it(settings: Settings, tmp_path: Path) -> None:
    """Debian's snmpd reads a folder, too; without a community nobody can be asked."""
    folder = tmp_path / "snmpd.conf.d"
    folder.mkdir()
    (folder / "ours.conf").write_text(f"pass_persist {BASE} fastagi-server snmp\n")
    found = findings(settings, "snmp", snmpd_conf=tmp_path / "snmpd.conf")
    assert told(found, "snmpd.conf") == [("ok", "asks fastagi-server snmp")]
    assert told(found, "snmpd") == [("warn", "has no rocommunity that we may read: not asked")]


def test_absent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without snmpd."""

    def nowhere(_name: str, path: str = "") -> None:
        """Find no program."""

    monkeypatch.setattr("shutil.which", nowhere)
    found = findings(settings, "snmp")
    assert told(found, "snmpd") == [("warn", "is not installed: nobody answers SNMP")]
