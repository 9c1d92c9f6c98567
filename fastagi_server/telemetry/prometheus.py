"""The measures in the text exposition format 0.0.4 of Prometheus.

Rules of the format used here: a backslash and a line feed are escaped in help texts, and a double
quote too in label values; histogram buckets are cumulative and end with `le="+Inf"`; series of
one measure stand together. A measure without labels that nothing has counted yet is shown as 0,
so that a rate over it exists from the start; a present value that is not known is not shown.
"""

from collections.abc import Iterator, Mapping

from fastagi_server.telemetry.kinds import Counter, Gauge, Histogram, Labels, Measure, Series
from fastagi_server.telemetry.measures import Measures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

WORKER = "worker"
"""Label that tells the processes of one service apart: each counts from 0 when it starts anew."""

Pairs = list[tuple[str, str]]


def render(measures: Measures) -> bytes:
    """All measures of one process as one document."""
    return _document([([], measures)])


def render_workers(workers: Mapping[str, Measures]) -> bytes:
    """All measures of several processes as one document; a label has the name of each."""
    return _document([([(WORKER, name)], measures) for name, measures in workers.items()])


def _document(processes: list[tuple[Pairs, Measures]]) -> bytes:
    lines: list[str] = []
    for rows in zip(*(measures.rows() for _, measures in processes), strict=True):
        measure = rows[0][0]
        lines.append(f"# HELP {measure.name} {_help(measure.meaning)}")
        lines.append(f"# TYPE {measure.name} {measure.kind}")
        for (pairs, _), (_, values) in zip(processes, rows, strict=True):
            lines.extend(_series(measure, values, pairs))
    return "".join(f"{line}\n" for line in lines).encode()


def _series(measure: Measure, values: Counter | Gauge | Histogram, process: Pairs) -> Iterator[str]:
    if isinstance(values, Histogram):
        bounds = (*map(repr, values.bounds), "+Inf")
        for labels, series in values.values.items():
            yield from _histogram(measure, _pairs(measure, labels, process), series, bounds)
        return
    if not measure.labels and not values.values and not measure.is_present:
        yield f"{measure.name}{_labels(process)} 0"
    for labels, value in values.values.items():
        yield f"{measure.name}{_labels(_pairs(measure, labels, process))} {_number(value)}"


def _histogram(
    measure: Measure, pairs: Pairs, series: Series, bounds: tuple[str, ...]
) -> Iterator[str]:
    count = 0
    for bound, in_bucket in zip(bounds, series.counts, strict=True):
        count += in_bucket
        yield f"{measure.name}_bucket{_labels([*pairs, ('le', bound)])} {count}"
    yield f"{measure.name}_sum{_labels(pairs)} {_number(series.total)}"
    yield f"{measure.name}_count{_labels(pairs)} {count}"


def _pairs(measure: Measure, labels: Labels, process: Pairs) -> Pairs:
    return [*zip(measure.labels, labels, strict=True), *process]


def _labels(pairs: Pairs) -> str:
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
