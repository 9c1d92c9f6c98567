"""Figures of the wallboard: present values, and what the last minute was like."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fastagi_server.telemetry.kinds import Gauge, Histogram
from fastagi_server.telemetry.measures import Measures

WINDOW_SECONDS = 60.0
SAMPLE_SECONDS = 5.0
"""The last minute is known by a sample every five seconds."""

REGISTER = "register"
FAILED = "FAILED"
STARTED = frozenset({"created", "adopted"})

Counts = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted since the start: calls, registrations, failed ones, seconds by bucket."""

    at: float
    calls: float
    registrations: float
    failed: float
    sessions: Counts
    requests: Counts


@dataclass(frozen=True, slots=True)
class LastMinute:
    """Calls and registrations a minute, failed ones, and 95th percentiles in milliseconds.

    A percentile is reckoned within the histogram's buckets; None where nothing was counted.
    """

    calls: float | None = None
    registrations: float | None = None
    failed: float | None = None
    register_ms: float | None = None
    sge_ms: float | None = None


class Minutes:
    """Remembers samples of the totals. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[Totals] = deque()

    def last(self, workers: Iterable[Measures]) -> LastMinute:
        """The last minute, or less when the first look is not so long ago."""
        now = _totals(self._clock(), list(workers))
        samples = self._samples
        if samples and now.at - samples[-1].at > WINDOW_SECONDS:
            samples.clear()  # nobody has looked meanwhile
        while len(samples) > 1 and now.at - samples[1].at >= WINDOW_SECONDS:
            samples.popleft()
        if not samples or now.at - samples[-1].at >= SAMPLE_SECONDS:
            samples.append(now)
        return _between(samples[0], now)


def present_figures(workers: Mapping[str, Measures]) -> dict[str, float | None]:
    """How things stand now, over all workers; None where it is not known."""
    first, everybody = next(iter(workers.values())), list(workers.values())
    return {
        "channels": _sum([first.channels]),
        "bridges": _sum([first.bridges]),
        "endpoints_online": _sum([first.registered_endpoints]),
        "endpoints": _sum([first.configured_endpoints]),
        "mos": _sum([first.mos]),
        "agi_sessions": _sum(each.agi_sessions_open for each in everybody) or 0.0,
        "outbox_pending": _largest([each.outbox_depth for each in everybody], "pending"),
        "outbox_dead": _largest([each.outbox_depth for each in everybody], "dead"),
        "outbox_oldest_seconds": _largest([each.outbox_oldest_seconds for each in everybody]),
    }


def minute_figures(minute: LastMinute) -> dict[str, Any]:
    """The same words for the last minute as the board has."""
    return {
        "calls_per_minute": minute.calls,
        "registrations_per_minute": minute.registrations,
        "registrations_failed": minute.failed,
        "register_p95_ms": minute.register_ms,
        "sge_p95_ms": minute.sge_ms,
    }


def quantile(bounds: Sequence[float], counts: Counts, share: float) -> float | None:
    """The value below which this share lies, in seconds; None when nothing was counted.

    What lies beyond the last bound is given as that bound.
    """
    wanted = sum(counts) * share
    if wanted == 0:
        return None
    passed = 0.0
    for (low, high), count in zip(pairwise((0.0, *bounds)), counts, strict=False):
        if count and passed + count >= wanted:
            return low + (high - low) * (wanted - passed) / count
        passed += count
    return bounds[-1]


def _totals(at: float, workers: Sequence[Measures]) -> Totals:
    registrations = [pair for each in workers for pair in each.registrations.values.items()]
    calls = [pair for each in workers for pair in each.calls.values.items()]
    return Totals(
        at,
        sum(count for labels, count in calls if not STARTED.isdisjoint(labels)),
        sum(count for _, count in registrations),
        sum(count for labels, count in registrations if FAILED in labels),
        _buckets((each.agi_session_seconds for each in workers), REGISTER),
        _buckets(each.sge_request_seconds for each in workers),
    )


def _between(then: Totals, now: Totals) -> LastMinute:
    seconds = now.at - then.at
    if seconds < SAMPLE_SECONDS:
        return LastMinute()
    bounds = Histogram().bounds
    return LastMinute(
        round((now.calls - then.calls) * 60 / seconds, 1),
        round((now.registrations - then.registrations) * 60 / seconds, 1),
        now.failed - then.failed,
        _milliseconds(quantile(bounds, _more(then.sessions, now.sessions), 0.95)),
        _milliseconds(quantile(bounds, _more(then.requests, now.requests), 0.95)),
    )


def _buckets(histograms: Iterable[Histogram], label: str | None = None) -> Counts:
    columns = [
        series.counts
        for histogram in histograms
        for labels, series in histogram.values.items()
        if label is None or label in labels
    ]
    return tuple(map(sum, zip(*columns, strict=True)))


def _more(then: Counts, now: Counts) -> Counts:
    # A worker that started anew counts from zero.
    before = then or (0.0,) * len(now)
    return tuple(max(b - a, 0.0) for a, b in zip(before, now, strict=False))


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _sum(gauges: Iterable[Gauge]) -> float | None:
    values = [value for gauge in gauges for value in gauge.values.values()]
    return math.fsum(values) if values else None


def _largest(gauges: Iterable[Gauge], label: str | None = None) -> float | None:
    # Every worker tells of the same outbox.
    values = [
        value
        for gauge in gauges
        for labels, value in gauge.values.items()
        if label is None or label in labels
    ]
    return max(values, default=None)
