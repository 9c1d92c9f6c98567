"""What the scenario of a busy Asterisk makes of the service's metrics page."""

import math

import pytest

from benchmarks.processes import BenchmarkError
from benchmarks.supervision import LAG, Busy, bound_of_99, busy, samples

LAGS = "sge_voip_ami_event_lag_seconds_bucket"
RECORD_LAGS = "sge_voip_call_record_lag_seconds_bucket"


def lags(quick: int, slow: int, endless: int) -> dict[str, float]:
    """A histogram's samples: so many within 10 ms, within a second, and beyond that."""
    return {
        f'{LAGS}{{link="ami",le="0.01"}}': quick,
        f'{LAGS}{{link="ami",le="1.0"}}': quick + slow,
        f'{LAGS}{{link="ami",le="+Inf"}}': quick + slow + endless,
    }


def calls(begun: int) -> dict[str, float]:
    """The samples after so many calls of one AGI session and two events each."""
    return {
        'sge_voip_calls_total{event="adopted"}': begun,
        'sge_voip_calls_total{event="ended"}': begun,
        'sge_voip_agi_sessions_total{route="register",outcome="completed"}': begun,
        'sge_voip_ami_events_total{type="Newchannel"}': begun,
        'sge_voip_ami_events_total{type="Hangup"}': begun,
        f'{RECORD_LAGS}{{le="0.25"}}': begun,
        f'{RECORD_LAGS}{{le="+Inf"}}': begun,
        **lags(begun, 0, 0),
    }


def test_a_metrics_page_is_read() -> None:
    """Each sample by its name and labels; comments are passed over."""
    page = '# HELP a Words\n# TYPE a counter\na{b="c d"} 3.0\ne 0.5\n'
    assert samples(page) == {'a{b="c d"}': 3.0, "e": 0.5}


def test_the_bound_of_most_values() -> None:
    """One value of a hundred may be above it, two may not."""
    assert bound_of_99(LAG, {}, lags(99, 1, 0)) == 0.01
    assert bound_of_99(LAG, {}, lags(98, 2, 0)) == 1.0
    assert bound_of_99(LAG, {}, lags(90, 8, 2)) == math.inf


def test_earlier_values_do_not_count() -> None:
    """Only what came between the two pages is looked at."""
    assert bound_of_99(LAG, lags(0, 0, 500), lags(100, 0, 500)) == 0.01


def test_no_value_is_no_bound() -> None:
    """A histogram that nothing was added to says nothing."""
    with pytest.raises(BenchmarkError, match="no value"):
        bound_of_99(LAG, lags(5, 0, 0), lags(5, 0, 0))


def test_rates_are_per_second() -> None:
    """Of what was counted between the two pages."""
    assert busy(64, 10.0, calls(50), calls(450)) == Busy(
        crowd=64,
        calls_a_second=40.0,
        sessions_a_second=40.0,
        events_a_second=80.0,
        lag=0.01,
        record_lag=0.25,
        drops={},
    )


def test_every_drop_counts() -> None:
    """Whatever was dropped, and whenever: the page after tells all of it."""
    dropped = {
        'sge_voip_drops_total{what="ami_event"}': 2.0,
        'sge_voip_drops_total{what="call_report"}': 1.0,
    }
    assert busy(1, 1.0, calls(0) | dropped, calls(9) | dropped).drops == {
        "ami_event": 2,
        "call_report": 1,
    }


def test_an_asterisk_without_calls_is_no_figure() -> None:
    """Then nothing was measured."""
    with pytest.raises(BenchmarkError, match="no call"):
        busy(64, 10.0, calls(50), calls(50))
