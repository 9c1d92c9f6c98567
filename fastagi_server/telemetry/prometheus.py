"""The measures in the text exposition format 0.0.4 of Prometheus.

Rules of the format used here: a backslash and a line feed are escaped in help texts, and a double
quote too in label values; histogram buckets are cumulative and end with `le="+Inf"`; series of
one measure stand together. A measure without labels that nothing has counted yet is shown as 0,
so that a rate over it exists from the start.
"""

from collections.abc import Iterator

from fastagi_server.telemetry.measures import (
    LATENCY_BUCKETS,
    Counter,
    Gauge,
    Histogram,
    Labels,
    Measure,
    Measures,
    Series,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (*(repr(bound) for bound in LATENCY_BUCKETS), "+Inf")


def render(measures: Measures) -> bytes:
    """All measures as one document."""
    lines = [line for measure, values in measures.rows() for line in _measure(measure, values)]
    return "".join(f"{line}\n" for line in lines).encode()


def _measure(measure: Measure, values: Counter | Gauge | Histogram) -> Iterator[str]:
    yield f"# HELP {measure.name} {_help(measure.meaning)}"
    yield f"# TYPE {measure.name} {measure.kind}"
    if isinstance(values, Histogram):
        for labels, series in values.values.items():
            yield from _histogram(measure, labels, series)
        return
    if not measure.labels and not values.values:
        yield f"{measure.name} 0"
    for labels, value in values.values.items():
        yield f"{measure.name}{_labels(_pairs(measure, labels))} {_number(value)}"


def _histogram(measure: Measure, labels: Labels, series: Series) -> Iterator[str]:
    pairs = _pairs(measure, labels)
    count = 0
    for bound, in_bucket in zip(_BOUNDS, series.counts, strict=True):
        count += in_bucket
        yield f"{measure.name}_bucket{_labels([*pairs, ('le', bound)])} {count}"
    yield f"{measure.name}_sum{_labels(pairs)} {_number(series.total)}"
    yield f"{measure.name}_count{_labels(pairs)} {count}"


def _pairs(measure: Measure, labels: Labels) -> list[tuple[str, str]]:
    return list(zip(measure.labels, labels, strict=True))


def _labels(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{_label(value)}"' for name, value in pairs) + "}"


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(meaning: str) -> str:
    return meaning.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)
