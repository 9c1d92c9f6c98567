"""What is shipped for Prometheus, Grafana and snmpd: true to what it shows, and at work."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fastagi_server.doctor.snmp import LINE as DOCTOR_LINE
from fastagi_server.telemetry.measures import TABLE, Histogram, Measures
from fastagi_server.telemetry.prometheus import render, render_workers
from lab import programs

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "grafana" / "fastagi-server.json"
RULES = ROOT / "prometheus" / "alerts.yml"
RULE_TESTS = ROOT / "prometheus" / "alerts_test.yml"
CONFIGURATION = ROOT / "prometheus" / "prometheus.yml"

NAMES = {row.name for row in TABLE}
SERIES = NAMES | {
    f"{row.name}_{part}"
    for row in TABLE
    if row.kind == "histogram"
    for part in ("bucket", "sum", "count")
}


@pytest.fixture
def promtool() -> str:
    """Prometheus' own tool; without it skip, saying why, and on CI fail."""
    reason = programs.why_not("promtool")
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return "promtool"


def run(*command: str | Path, stdin: str = "") -> str:
    """What a command prints; fails with it when the command does."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def named_in(text: str) -> set[str]:
    """The measures that a text names."""
    return set(re.findall(r"\b(?:sge_voip|process)_[a-z_]+", text))


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def expressions() -> list[str]:
    """What the panels ask of Prometheus."""
    panels = dashboard()["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def filled() -> Measures:
    """Measures of which each has a series."""
    measures = Measures()
    for row, values in measures.rows():
        labels = tuple("x" for _ in row.labels)
        if isinstance(values, Histogram):
            values.observe(0.3, *labels)
        else:
            values.values[labels] = 1
    return measures


@pytest.mark.parametrize("path", [DASHBOARD, RULES, RULE_TESTS], ids=lambda path: path.name)
def test_measures_exist(path: Path) -> None:
    """Whatever is asked for is in the table."""
    assert named_in(path.read_text()) - SERIES == set()


def test_rules_are_right(promtool: str) -> None:
    """The tool finds nothing in the rules, nor in the configuration that names them."""
    run(promtool, "check", "rules", RULES)
    run(promtool, "check", "config", CONFIGURATION)


def test_rules_work(promtool: str) -> None:
    """Each alert fires on what it names, and is quiet when all is well."""
    run(promtool, "test", "rules", RULE_TESTS)
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    tested = re.findall(r"alertname: (\w+)", RULE_TESTS.read_text())
    assert set(tested) == set(alerts)
    assert all(tested.count(alert) >= 2 for alert in alerts)


def test_alerts_explain_themselves() -> None:
    """Each says how bad it is, what is the matter, and what it means."""
    for rule in RULES.read_text().split("- alert: ")[1:]:
        assert re.search(r"severity: (critical|warning)", rule)
        assert "summary: " in rule
        assert "description: " in rule


def test_dashboard_asks_in_promql(promtool: str, tmp_path: Path) -> None:
    """Every expression of the dashboard is one that Prometheus understands."""
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(promtool, "check", "rules", file)


def test_dashboard_is_laid_out() -> None:
    """Panels have ids of their own, lie within the width, and do not cover each other."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = set[tuple[int, int]]()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        covered = {
            (at["x"] + column, at["y"] + row) for column in range(at["w"]) for row in range(at["h"])
        }
        assert not covered & places, panel["title"]
        places |= covered


def test_dashboard_panels_are_told() -> None:
    """Each panel but the headings has a title, a description and a data source to choose."""
    for panel in dashboard()["panels"]:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("workers", [1, 2])
def test_exposition_is_right(promtool: str, workers: int) -> None:
    """The tool finds nothing in a document with every measure, of one process or of several."""
    each = {str(number): filled() for number in range(workers)}
    document = render(each["0"]) if workers == 1 else render_workers(each)
    assert run(promtool, "check", "metrics", stdin=document.decode()) == ""
    shown = {name.removesuffix("_bucket") for name in named_in(document.decode())}
    assert shown >= NAMES


def test_snmp_calls_the_command_where_it_is() -> None:
    """The samples for snmpd and for traps name the link that the installation makes."""
    install = (ROOT / "docs" / "how-to" / "install.md").read_text()
    (link,) = re.findall(r"ln -s \S+ (\S+)", install)
    for sample in ("snmp/snmpd.conf", "snmp/fastagi-server-traps.service", "docs/how-to/snmp.md"):
        named = re.findall(r"/\S*/fastagi-server(?= (?:snmp|traps))", (ROOT / sample).read_text())
        assert set(named) == {link}, sample
    assert f" {link} snmp" in DOCTOR_LINE
