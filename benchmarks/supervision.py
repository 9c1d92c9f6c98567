"""The event lag of a service that supervises an Asterisk as busy as AGI calls can make it."""

import contextlib
import re
import time
import urllib.request
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from benchmarks.calls import PACKAGE
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.asterisk import Asterisk
from lab.errors import LabError
from lab.processes import wait_until
from lab.service import Service, ami_settings

LIMIT_SECONDS = 1.0
CROWDS = (32, 64, 128)
"""Calls at once; the one with the most calls a second is the busiest Asterisk."""

SECONDS = 12.0
WARM_UP_SECONDS = 2.0
END_SECONDS = 60.0
PAGE_SECONDS = 10.0

LAG = "sge_voip_ami_event_lag_seconds"
RECORD_LAG = "sge_voip_call_record_lag_seconds"
DROPS = "sge_voip_drops_total"
STARTED = 'sge_voip_calls_total{event="adopted"}'
ENDED = 'sge_voip_calls_total{event="ended"}'
SESSIONS = "sge_voip_agi_sessions_total"
EVENTS = "sge_voip_ami_events_total"

_SETTINGS = {"SGE_RATE_LIMIT_PER_MINUTE": "0", "SGE_MAX_CALLS_PER_USER": "0"}

CONTEXTS = """
[bench]
; A call asks for the next one when it ends, so that there are always as many as were begun.
exten => call,1,Gosub(sge-register,s,1(SIP/1001,audio,1001))
 same => n,Dial(Local/phone@bench-phone/n,10,U(sge-answered^${SGE_CALL_ID}^${UNIQUEID}))
 same => n,Hangup()
exten => h,1,GotoIf($["${BENCH_GOES_ON}" != "yes"]?done)
 same => n,Originate(Local/call@bench/n,exten,lab,wait,1,10,a)
 same => n(done),NoOp()

[bench-phone]
exten => phone,1,Answer()
 same => n,Wait(1)
 same => n,Hangup()
"""

Page = Mapping[str, float]
"""The samples of a metrics page: name with labels, as Prometheus writes it, and value."""


@dataclass(frozen=True, slots=True)
class Busy:
    """What so many calls at once came to; lags are upper bounds of the 99th percentile.

    `drops` tells how many of which kind were dropped until now.
    """

    crowd: int
    calls_a_second: float
    sessions_a_second: float
    events_a_second: float
    lag: float
    record_lag: float
    drops: dict[str, int]


def under_load(rig: Rig) -> Section:
    """Lags and drops at each number of calls at once; BenchmarkError if a record stays open."""
    try:
        with _stage() as stage:
            found = [stage.keep_busy(crowd, rig.scaled(int(SECONDS))) for crowd in CROWDS]
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    busiest = max(found, key=lambda busy: busy.calls_a_second)
    drops = found[-1].drops
    return Section(
        "Supervision of a busy Asterisk",
        ("at once", "calls/s", "AGI/s", "events/s", "event lag p99", "record lag p99", "drops"),
        tuple(_row(busy) for busy in found),
        "A real Asterisk whose calls each register, dial, are answered, and end through the "
        "shipped subroutines: three AGI requests and four channels each. When one ends Asterisk "
        "begins the next, so that it is as busy as it can be. AGI, supervision and the embedded "
        "API on SQLite are one process on the same machine. Lags are read from the service's own "
        "histograms: the bound that 99 of 100 are under, of the oldest event of each batch. Every "
        "record has ended afterwards.",
        (
            Bar(
                f"p99 of the event lag at {busiest.calls_a_second:.0f} calls a second",
                f"under {LIMIT_SECONDS:.0f} s, nothing dropped",
                f"{_words(busiest.lag)}, {_dropped(drops)}",
                busiest.lag < LIMIT_SECONDS and not drops,
            ),
        ),
    )


@dataclass(frozen=True)
class _Stage:
    """A real Asterisk, and the service that its dialplan asks and that supervises it."""

    asterisk: Asterisk
    service: Service

    def keep_busy(self, crowd: int, seconds: float) -> Busy:
        """Have so many calls at once for a while, and wait until all of them are over."""
        progress(f"{crowd} calls at once")
        self.asterisk.set_global("BENCH_GOES_ON", "yes")
        for _ in range(crowd):
            self.asterisk.control.originate("Local/call@bench/n", context="lab", extension="wait")
        time.sleep(WARM_UP_SECONDS)
        before, begun = self._page(), time.monotonic()
        time.sleep(seconds)
        after, took = self._page(), time.monotonic() - begun
        self.asterisk.set_global("BENCH_GOES_ON", "no")
        self._wait_over()
        return busy(crowd, took, before, after)

    def _wait_over(self) -> None:
        if not self.asterisk.wait_idle(END_SECONDS):
            raise BenchmarkError("Asterisk's channels did not end")
        if not wait_until(lambda: not self.service.calls(), END_SECONDS):
            raise BenchmarkError(f"records of {len(self.service.calls())} calls did not end")
        page = self._page()
        if page.get(STARTED) != page.get(ENDED):
            raise BenchmarkError(f"{page.get(STARTED)} calls begun, {page.get(ENDED)} ended")

    def _page(self) -> Page:
        address = self.service.api.removesuffix("/voip") + "/metrics/prometheus"
        with urllib.request.urlopen(address, timeout=PAGE_SECONDS) as answer:  # noqa: S310 - loopback
            return samples(answer.read().decode())


@contextlib.contextmanager
def _stage() -> Generator[_Stage]:
    with (
        Asterisk.start(extensions=CONTEXTS) as asterisk,
        Service.start(ami_settings(asterisk) | PACKAGE | _SETTINGS) as service,
    ):
        _log_complaints_only(asterisk)
        asterisk.set_global("SGE_AGI", service.agi)
        service.wait_for_log("link_state", link="ami", state="up")
        yield _Stage(asterisk, service)


def _log_complaints_only(asterisk: Asterisk) -> None:
    """Spare Asterisk the line for each step of a dialplan, so that it makes more calls."""
    configuration = asterisk.folder / "etc/logger.conf"
    configuration.write_text(configuration.read_text().replace(",verbose(3)", ""))
    asterisk.cli("logger reload")


def busy(crowd: int, seconds: float, before: Page, after: Page) -> Busy:
    """What happened between two pages, `seconds` apart. Raises BenchmarkError if no call did."""

    def rate(name: str) -> float:
        return (_total(after, name) - _total(before, name)) / seconds

    if rate(STARTED) <= 0:
        raise BenchmarkError("Asterisk made no call")
    return Busy(
        crowd,
        calls_a_second=rate(STARTED),
        sessions_a_second=rate(SESSIONS),
        events_a_second=rate(EVENTS),
        lag=bound_of_99(LAG, before, after),
        record_lag=bound_of_99(RECORD_LAG, before, after),
        drops=_drops(after),
    )


def samples(page: str) -> Page:
    """Read a metrics page."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if name}


def bound_of_99(histogram: str, before: Page, after: Page) -> float:
    """The least bound of a histogram that 99 of 100 values since `before` do not exceed.

    In seconds, infinite beyond the last bound. Raises BenchmarkError when there was no value.
    """
    counts: dict[float, float] = {}
    for name, count in after.items():
        bound = re.fullmatch(rf'{histogram}_bucket{{.*le="([^"]+)".*}}', name)
        if bound:
            limit = float(bound[1])
            counts[limit] = counts.get(limit, 0.0) + count - before.get(name, 0.0)
    every = counts.get(float("inf"), 0.0)
    if not every:
        raise BenchmarkError(f"{histogram} has no value")
    return min(limit for limit, count in counts.items() if count >= 0.99 * every)


def _total(page: Page, name: str) -> float:
    """The sum of a measure's samples; `name` may have the labels of one."""
    return sum(value for sample, value in page.items() if sample.startswith(name))


def _drops(page: Page) -> dict[str, int]:
    """How many were dropped, by kind; kinds of which nothing was are left out."""
    found = {name: round(value) for name, value in page.items() if name.startswith(DROPS) and value}
    return {re.sub(r'.*what="|".*', "", name): number for name, number in found.items()}


def _dropped(drops: dict[str, int]) -> str:
    kinds = ", ".join(f"{number} of {kind}" for kind, number in sorted(drops.items()))
    return f"dropped: {kinds}" if kinds else "nothing dropped"


def _row(found: Busy) -> tuple[str, ...]:
    return (
        f"{found.crowd}",
        f"{found.calls_a_second:,.0f}",
        f"{found.sessions_a_second:,.0f}",
        f"{found.events_a_second:,.0f}",
        _words(found.lag),
        _words(found.record_lag),
        f"{sum(found.drops.values())}",
    )


def _words(bound: float) -> str:
    return "over 10 s" if bound == float("inf") else f"at most {bound * 1000:,.0f} ms"
