"""Counters, gauges and histograms."""

from fastagi_server.telemetry.kinds import MOS_BUCKETS, Counter, Gauge, Histogram


def test_counter_takes_over_a_count() -> None:
    """A count that the kernel keeps replaces the one before."""
    counter = Counter()
    counter.become(7.5)
    counter.become(9.0)
    assert counter.values == {(): 9.0}


def test_gauge_has_the_series_that_there_are() -> None:
    """A status that no call has any more is gone."""
    gauge = Gauge()
    gauge.become({"ringing": 2, "connected": 5})
    gauge.become({"connected": 6})
    assert gauge.values == {("connected",): 6}


def test_gauge_that_is_not_known() -> None:
    """A cleared gauge has no series."""
    gauge = Gauge()
    gauge.set(4.2)
    gauge.clear()
    assert gauge.values == {}


def test_histogram_with_bounds_of_its_own() -> None:
    """A score is counted in the bucket whose bound is not under it."""
    histogram = Histogram(MOS_BUCKETS)
    histogram.observe(4.4, "from")
    histogram.observe(5.0, "from")
    series = histogram.values[("from",)]
    assert len(series.counts) == 16
    assert [number for number, count in enumerate(series.counts) if count] == [13, 15]
    assert series.total == 9.4
