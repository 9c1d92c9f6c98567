"""The measures in the text format of Prometheus."""

import pytest

from fastagi_server.telemetry.measures import (
    Counter,
    Gauge,
    Histogram,
    Measure,
    Measures,
)
from fastagi_server.telemetry.prometheus import CONTENT_TYPE, render, render_workers


def rendered(measures: Measures, name: str) -> list[str]:
    """The lines of one measure."""
    text = render(measures).decode()
    assert text.endswith("\n")
    return [line for line in text.splitlines() if name in line]


def test_content_type() -> None:
    """The type names the version of the format."""
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


def test_counter_with_labels() -> None:
    """Each combination of label values is a line under the help and the type."""
    measures = Measures()
    measures.registrations.add("REGISTERED", "none")
    measures.registrations.add("REGISTERED", "none")
    measures.registrations.add("QUEUED", "timeout")
    assert rendered(measures, "sge_voip_registrations_total") == [
        (
            "# HELP sge_voip_registrations_total Call registrations, by the status given to the"
            " dialplan and the error code"
        ),
        "# TYPE sge_voip_registrations_total counter",
        'sge_voip_registrations_total{status="REGISTERED",code="none"} 2',
        'sge_voip_registrations_total{status="QUEUED",code="timeout"} 1',
    ]


def test_unlabelled_measure_starts_at_zero() -> None:
    """A gauge that nothing has set is shown as 0."""
    measures = Measures()
    assert rendered(measures, "sge_voip_agi_sessions_open")[2:] == ["sge_voip_agi_sessions_open 0"]


def test_labelled_measure_starts_empty() -> None:
    """A counter whose label values are not known yet has no lines but its head."""
    assert len(rendered(Measures(), "sge_voip_registrations_total")) == 2


def test_histogram_is_cumulative() -> None:
    """Buckets count what lies at or under their bound, and the last holds everything."""
    measures = Measures()
    for seconds in (0.001, 0.003, 0.003, 60.0):
        measures.agi_session_seconds.observe(seconds, "register")
    lines = rendered(measures, "sge_voip_agi_session_duration_seconds")
    name = "sge_voip_agi_session_duration_seconds"
    assert lines[2:6] == [
        f'{name}_bucket{{route="register",le="0.001"}} 1',
        f'{name}_bucket{{route="register",le="0.0025"}} 1',
        f'{name}_bucket{{route="register",le="0.005"}} 3',
        f'{name}_bucket{{route="register",le="0.01"}} 3',
    ]
    assert lines[-4:] == [
        f'{name}_bucket{{route="register",le="10.0"}} 3',
        f'{name}_bucket{{route="register",le="+Inf"}} 4',
        f'{name}_sum{{route="register"}} 60.007',
        f'{name}_count{{route="register"}} 4',
    ]


def test_label_values_are_escaped() -> None:
    """A quote, a backslash and a line feed cannot break out of a label."""
    measures = Measures()
    measures.drops.add('a"b\\c\nd')
    assert rendered(measures, "sge_voip_drops_total")[2:] == [
        'sge_voip_drops_total{what="a\\"b\\\\c\\nd"} 1'
    ]


def test_help_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line feed or a backslash in a help text stays on its line; a quote needs no escape."""
    row = Measure("drops", "sge_voip_odd", "counter", 'a\nb\\c"d')
    measures = Measures()
    monkeypatch.setattr(measures, "rows", lambda: iter([(row, measures.drops)]))
    assert render(measures) == (
        b'# HELP sge_voip_odd a\\nb\\\\c"d\n# TYPE sge_voip_odd counter\nsge_voip_odd 0\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3.0, "3"),
        (0.25, "0.25"),
        (-1.0, "-1"),
        (1e21, "1000000000000000000000"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers(value: float, written: str) -> None:
    """Numbers are written so that Prometheus reads the same value."""
    measures = Measures()
    measures.sge_breaker_open.set(value)
    assert rendered(measures, "sge_voip_api_breaker_open")[2:] == [
        f"sge_voip_api_breaker_open {written}"
    ]


def test_present_value_that_is_not_known() -> None:
    """A present value is not shown before it was brought, for 0 would be a lie."""
    measures = Measures()
    assert len(rendered(measures, "sge_voip_mos ")) == 2
    measures.mos.set(4.4)
    assert rendered(measures, "sge_voip_mos ")[2:] == ["sge_voip_mos 4.4"]


def test_histogram_of_scores() -> None:
    """A histogram is shown with its own bounds."""
    measures = Measures()
    measures.mos_samples.observe(4.25, "from")
    lines = rendered(measures, "sge_voip_mos_samples_bucket")
    assert lines[11:14] == [
        'sge_voip_mos_samples_bucket{direction="from",le="4.2"} 0',
        'sge_voip_mos_samples_bucket{direction="from",le="4.3"} 1',
        'sge_voip_mos_samples_bucket{direction="from",le="4.4"} 1',
    ]


def test_workers_are_told_apart() -> None:
    """Series of several processes stand together under one head, each with its worker."""
    first, second = Measures(), Measures()
    first.registrations.add("REGISTERED", "none")
    second.registrations.add("REGISTERED", "none", amount=2)
    text = render_workers({"0": first, "1": second}).decode()
    lines = [line for line in text.splitlines() if "registrations_total" in line]
    assert lines[1:] == [
        "# TYPE sge_voip_registrations_total counter",
        'sge_voip_registrations_total{status="REGISTERED",code="none",worker="0"} 1',
        'sge_voip_registrations_total{status="REGISTERED",code="none",worker="1"} 2',
    ]
    assert 'sge_voip_agi_sessions_open{worker="1"} 0' in text.splitlines()


def test_every_row_has_its_object() -> None:
    """Each declared measure has an object of its kind and labels fit for exposition."""
    kinds = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
    for measure, values in Measures().rows():
        assert isinstance(values, kinds[measure.kind])
        assert measure.name.startswith(
            "process_" if "process" in measure.attribute else "sge_voip_"
        )
        assert measure.name.endswith("_total") == (measure.kind == "counter")
