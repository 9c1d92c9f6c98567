"""Every figure the program keeps about itself: one table, read by all exporters.

A measure is declared once, in `TABLE`, with its unit and its meaning. Code that counts holds a
`Measures` object and names the attribute, so that a misspelt measure is an error of the type
checker and an undeclared one cannot exist.

Counting must cost the call path nothing worth naming: a counter is a dictionary of label values
to numbers, without a lock, because all counting happens on the event loop's thread.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; the first ones are where a healthy AGI session lies."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table: `name` is what Prometheus shows, `meaning` what an operator reads."""

    attribute: str
    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()


TABLE: tuple[Measure, ...] = (
    Measure(
        "agi_sessions",
        "sge_voip_agi_sessions_total",
        "counter",
        "AGI sessions that ended, by route and by how they ended",
        ("route", "outcome"),
    ),
    Measure(
        "agi_session_seconds",
        "sge_voip_agi_session_duration_seconds",
        "histogram",
        "Seconds from the connection to the end of an AGI session",
        ("route",),
    ),
    Measure(
        "agi_sessions_open",
        "sge_voip_agi_sessions_open",
        "gauge",
        "AGI connections open at this moment",
    ),
    Measure(
        "agi_refused",
        "sge_voip_agi_refused_total",
        "counter",
        "AGI connections answered with `failure` before a route ran, by reason",
        ("reason",),
    ),
    Measure(
        "agi_protocol_errors",
        "sge_voip_agi_protocol_errors_total",
        "counter",
        "AGI bytes that broke the protocol, by kind",
        ("kind",),
    ),
    Measure(
        "registrations",
        "sge_voip_registrations_total",
        "counter",
        "Call registrations, by the status given to the dialplan and the error code",
        ("status", "code"),
    ),
    Measure(
        "sge_requests",
        "sge_voip_api_requests_total",
        "counter",
        "Requests sent to the SGE API, by operation and outcome",
        ("operation", "outcome"),
    ),
    Measure(
        "sge_request_seconds",
        "sge_voip_api_request_duration_seconds",
        "histogram",
        "Seconds from sending a request to the SGE API to its answer or failure",
        ("operation",),
    ),
    Measure(
        "sge_breaker_open",
        "sge_voip_api_breaker_open",
        "gauge",
        "1 while the circuit breaker keeps requests away from the SGE API",
    ),
    Measure(
        "outbox_depth",
        "sge_voip_outbox_depth",
        "gauge",
        "Entries in the outbox, by state (pending, dead)",
        ("state",),
    ),
    Measure(
        "outbox_oldest_seconds",
        "sge_voip_outbox_oldest_age_seconds",
        "gauge",
        "Age of the oldest entry that waits for delivery",
    ),
    Measure(
        "outbox_entries",
        "sge_voip_outbox_entries_total",
        "counter",
        "Outbox entries, by operation and by what became of them",
        ("operation", "outcome"),
    ),
    Measure(
        "calls",
        "sge_voip_calls_total",
        "counter",
        "Calls of the embedded API, by what happened to them (created, adopted, accepted, ended)",
        ("event",),
    ),
    Measure(
        "rooms",
        "sge_voip_rooms_total",
        "counter",
        "What happened to rooms of the embedded API (created, joined, entered, left, closed, ...)",
        ("event",),
    ),
    Measure(
        "http_requests",
        "sge_voip_http_requests_total",
        "counter",
        "Requests answered by the embedded API, by operation and HTTP status",
        ("operation", "status"),
    ),
    Measure(
        "http_request_seconds",
        "sge_voip_http_request_duration_seconds",
        "histogram",
        "Seconds from the head of a request to the end of its answer by the embedded API",
        ("operation",),
    ),
    Measure(
        "ari_request_seconds",
        "sge_voip_ari_request_duration_seconds",
        "histogram",
        "Seconds from an ARI operation's request to its answer, by operation and outcome",
        ("operation", "outcome"),
    ),
    Measure(
        "ari_link_up",
        "sge_voip_ari_link_up",
        "gauge",
        "1 while the event socket is connected and reconciled, by link",
        ("link",),
    ),
    Measure(
        "ari_link_changes",
        "sge_voip_ari_link_changes_total",
        "counter",
        "Changes of an event socket's state, by link and by the state it went to",
        ("link", "state"),
    ),
    Measure(
        "ari_events",
        "sge_voip_ari_events_total",
        "counter",
        "Events received from Asterisk, by type",
        ("type",),
    ),
    Measure(
        "ari_event_lag_seconds",
        "sge_voip_ari_event_lag_seconds",
        "histogram",
        "Seconds from an event's time in Asterisk to its reading here, by link",
        ("link",),
    ),
    Measure(
        "http_limited",
        "sge_voip_http_limited_total",
        "counter",
        "Requests refused with 429, by limit (requests of a user, failures of an address)",
        ("limit",),
    ),
    Measure(
        "key_set_fetches",
        "sge_voip_key_set_fetches_total",
        "counter",
        "Attempts to fetch the key set that tokens are checked with, by outcome",
        ("outcome",),
    ),
    Measure(
        "audit_records",
        "sge_voip_audit_records_total",
        "counter",
        "Audit records written to the store",
    ),
    Measure(
        "drops",
        "sge_voip_drops_total",
        "counter",
        "Things given up because a limit was reached, by what was dropped",
        ("what",),
    ),
)

Labels = tuple[str, ...]


class Counter:
    """Counts up; `values` maps label values, in the table's order, to the count."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[Labels, float] = {}

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Add `amount` to the series of these label values."""
        self.values[labels] = self.values.get(labels, 0.0) + amount


class Gauge:
    """Holds the present value; `values` maps label values to it."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[Labels, float] = {}

    def set(self, value: float, *labels: str) -> None:
        """Replace the value of the series of these label values."""
        self.values[labels] = value

    def add(self, amount: float, *labels: str) -> None:
        """Move the value of the series by `amount`, which may be negative."""
        self.values[labels] = self.values.get(labels, 0.0) + amount


class Series:
    """One histogram series: a count per bucket (the last one is +Inf) and the sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self.total = 0.0


class Histogram:
    """Distribution of durations in seconds over `LATENCY_BUCKETS`."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[Labels, Series] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one duration in the series of these label values."""
        series = self.values.get(labels)
        if series is None:
            series = self.values[labels] = Series()
        series.counts[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        series.total += seconds


class Measures:
    """One object per row of `TABLE`, under the row's attribute name."""

    def __init__(self) -> None:
        self.agi_sessions = Counter()
        self.agi_session_seconds = Histogram()
        self.agi_sessions_open = Gauge()
        self.agi_refused = Counter()
        self.agi_protocol_errors = Counter()
        self.registrations = Counter()
        self.sge_requests = Counter()
        self.sge_request_seconds = Histogram()
        self.sge_breaker_open = Gauge()
        self.outbox_depth = Gauge()
        self.outbox_oldest_seconds = Gauge()
        self.outbox_entries = Counter()
        self.calls = Counter()
        self.rooms = Counter()
        self.http_requests = Counter()
        self.http_request_seconds = Histogram()
        self.ari_request_seconds = Histogram()
        self.ari_link_up = Gauge()
        self.ari_link_changes = Counter()
        self.ari_events = Counter()
        self.ari_event_lag_seconds = Histogram()
        self.http_limited = Counter()
        self.key_set_fetches = Counter()
        self.audit_records = Counter()
        self.drops = Counter()

    def rows(self) -> Iterator[tuple[Measure, Counter | Gauge | Histogram]]:
        """Each declared measure with the object that holds its values."""
        for measure in TABLE:
            yield measure, getattr(self, measure.attribute)
