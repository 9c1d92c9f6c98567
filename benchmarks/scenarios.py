"""`python -m benchmarks [--quick] [--only NAME]`: run the scenarios, print, write the report.

Only a whole run writes the report.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    ami,
    api,
    browser_setup,
    calls,
    clients,
    faults,
    job,
    machine,
    memory,
    recovery,
    scraping,
    sockets,
    startup,
    state_changes,
    supervision,
    wallboard,
)
from benchmarks.isolation import ROOT
from benchmarks.processes import BenchmarkError
from benchmarks.report import Section, markdown, terminal
from benchmarks.rig import Rig

REPORT = Path(__file__).with_name("report.md")
WORK = ROOT / "build"

SCENARIOS: dict[str, Callable[[Rig], Section]] = {
    "job": job.at_fifty,
    "crowd": job.at_five_hundred,
    "open-loop": job.open_loop,
    "api-down": faults.api_down,
    "api-hanging": faults.api_hanging,
    "base-memory": memory.base,
    "idle-sessions": memory.idle_sessions,
    "classic-script": startup.classic_script,
    "transports": clients.transports,
    "api-reads": api.reads,
    "call-to-invite": calls.to_invite,
    "state-changes": state_changes.to_api,
    "reconciliation": recovery.reconciliation,
    "scraping": scraping.scraping,
    "manager-events": ami.reading,
    "supervised-load": supervision.under_load,
    "wallboard": wallboard.wallboard,
    "browser-setup": browser_setup.browser_setup,
    "sockets": sockets.sockets,
}


def main() -> int:
    """Run what the command line asks for. The exit code says whether it ran, not who won."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and calls, no report")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="these, no report")
    given = parser.parse_args()
    # ended by a signal, the servers are stopped as on Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        sections = _measure(given.only or list(SCENARIOS), quick=given.quick)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not (given.quick or given.only):
        REPORT.write_text(markdown(machine.describe(), sections))
        print(f"written: {REPORT.relative_to(ROOT)}")
    return 0


def _measure(names: list[str], *, quick: bool) -> list[Section]:
    # not in /tmp, which may be memory: the outbox is to be on a disk
    WORK.mkdir(exist_ok=True)
    begun = time.monotonic()
    sections: list[Section] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=WORK) as folder:
        rig = Rig(Path(folder), quick=quick)
        for name in names:
            print(f"-- {name}", file=sys.stderr, flush=True)
            sections.append(SCENARIOS[name](rig))
            print(terminal(sections[-1]), flush=True)
    print(f"{time.monotonic() - begun:.0f} s in all")
    return sections
