"""A scrape of all measures by Prometheus while 1,000 calls are live."""

import contextlib
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

from benchmarks.isolation import ROOT
from benchmarks.processes import BenchmarkError, running
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from fastagi_server.testing.ari.fake import PASSWORD
from lab.errors import LabError
from lab.processes import wait_until
from lab.service import Service

LIVE_CALLS = 1_000
SCRAPES = 20
PAUSE_SECONDS = 1.1
"""Longer than present values are kept: each scrape has to ask for all of them."""

LIMIT_MS = 50.0
START_SECONDS = 15.0

_NOTE = (
    f"{LIVE_CALLS:,} active calls in SQLite and {2 * LIVE_CALLS:,} channels in the shipped fake "
    "Asterisk, whose lists are asked for at each scrape; every figure is brought up to date."
)


def scraping(rig: Rig) -> Section:
    """Milliseconds from the request of Prometheus to the whole document."""
    try:
        with _stage() as service:
            for number in range(LIVE_CALLS):
                service.place(f"user-{number}")
            times, size = _scrapes(service, rig.scaled(SCRAPES))
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    middle, longest = statistics.median(times), max(times)
    return Section(
        "Scraping Prometheus with 1,000 live calls",
        ("scrapes", "median", "longest", "document"),
        ((f"{len(times)}", f"{middle:.1f} ms", f"{longest:.1f} ms", f"{size / 1000:.0f} KB"),),
        _NOTE,
        (Bar("scrape, median", f"under {LIMIT_MS:.0f} ms", f"{middle:.1f} ms", middle < LIMIT_MS),),
    )


@contextlib.contextmanager
def _stage() -> Generator[Service]:
    script = ROOT / "benchmarks" / "peers" / "crowded_ari.py"
    with tempfile.TemporaryDirectory(prefix="scraping-") as folder:
        log = Path(folder) / "ari.log"
        command = (sys.executable, str(script), str(LIVE_CALLS))
        with running(command, extra={"PYTHONPATH": str(ROOT)}, log=log, cwd=Path(folder)):
            if not wait_until(lambda: log.read_text().endswith("/ari\n"), START_SECONDS):
                raise BenchmarkError(f"the fake Asterisk does not listen: {log.read_text()}")
            settings = {
                "ASTERISK_ARI_URL": log.read_text().strip(),
                "ASTERISK_ARI_PASSWORD": PASSWORD,
                "PYTHONPATH": str(ROOT),
            }
            with Service.start(settings) as service:
                service.wait_for_log("link_state", state="up")
                yield service


def _scrapes(service: Service, count: int) -> tuple[list[float], int]:
    url = f"{service.api.removesuffix('/voip')}/metrics/prometheus"
    times: list[float] = []
    document = b""
    for turn in range(count):
        progress(f"scrape {turn}")
        time.sleep(PAUSE_SECONDS)
        started = time.perf_counter()
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            document = answer.read()
        times.append((time.perf_counter() - started) * 1000)
    if f'calls_active{{status="initiating"}} {LIVE_CALLS}\n'.encode() not in document:
        raise BenchmarkError("the scrape does not show the live calls")
    if f"sge_voip_channels {2 * LIVE_CALLS}\n".encode() not in document:
        raise BenchmarkError("the scrape does not show Asterisk's channels")
    return times, len(document)
