"""The kinds of figures: a count, a present value, a distribution; and what a row of the table says.

Counting must cost the call path nothing worth naming: a counter is a dictionary of label values
to numbers, without a lock, because all counting happens on the event loop's thread.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Syntax = Literal["gauge", "counter64", "text"]

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; the first ones are where a healthy AGI session lies."""

MOS_BUCKETS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)
"""Upper bounds of opinion scores: nothing is above 4.5, and a good call hardly under 4."""


@dataclass(frozen=True, slots=True)
class SnmpObject:
    """A measure as an SNMP manager sees it: the sum of its series, at `.1.<arc>.1` of the base.

    With `where` only the series that have one of these label values are summed. `text` is a decimal
    number with two places, because SNMP has no fractions.
    """

    arc: int
    name: str
    syntax: Syntax
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table: `name` is what Prometheus shows, `meaning` what an operator reads.

    An `is_present` gauge tells how things stand when it is asked for, and is not shown while that
    is not known; any other measure without labels starts at 0.
    """

    attribute: str
    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    is_present: bool = False
    snmp: tuple[SnmpObject, ...] = ()


Labels = tuple[str, ...]


class Counter:
    """Counts up; `values` maps label values, in the table's order, to the count."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[Labels, float] = {}

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Add `amount` to the series of these label values."""
        self.values[labels] = self.values.get(labels, 0.0) + amount

    def become(self, total: float) -> None:
        """Take over a count that somebody else keeps, such as the kernel; without labels."""
        self.values[()] = total


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

    def become(self, values: Mapping[str, float]) -> None:
        """Have these series of one label and no other."""
        self.values = {(label,): value for label, value in values.items()}

    def clear(self) -> None:
        """Have no series: the value is not known."""
        self.values = {}


class Series:
    """One histogram series: a count per bucket (the last one is +Inf) and the sum."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total = 0.0


class Histogram:
    """Distribution of values, in seconds unless the measure says otherwise, over `bounds`."""

    __slots__ = ("bounds", "values")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BUCKETS) -> None:
        self.bounds = bounds
        self.values: dict[Labels, Series] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count one value in the series of these label values."""
        series = self.values.get(labels)
        if series is None:
            series = self.values[labels] = Series(len(self.bounds))
        series.counts[bisect_left(self.bounds, value)] += 1
        series.total += value
