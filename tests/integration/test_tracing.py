"""Traces, seen from a collector that decodes real OTLP."""

import importlib.util
import socket
import sys
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from sinks import PATIENCE_SECONDS, Sink, open_sink

from fastagi_server.telemetry import tracing
from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.otlp import ExportQueue
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.tracing import Tracing, TracingError, headers_of, open_tracing

STARTED = datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)
ENDED = datetime(2026, 11, 22, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
def sink() -> Generator[Sink]:
    """A collector that answers at once."""
    with open_sink() as sink:
        yield sink


def opened(url: str, *, ratio: float = 1.0, drops: Counter | None = None) -> Tracing:
    """Tracing to a collector."""
    return open_tracing(
        url,
        headers={"x-token": "abc"},
        ratio=ratio,
        version="1.2",
        instance="pbx-0",
        drops=drops or Counter(),
    )


def spans_in(sink: Sink) -> list[OtlpSpan]:
    """All spans that came."""
    return [
        span
        for _, _, body in sink.requests
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_spans_arrive(sink: Sink) -> None:
    """Ids, parent, kind, name, times, attributes and outcome are those of the span."""
    traces = opened(sink.url)
    span = Span("AGI register", "server", 0xABC, 0xDEF, parent_id=0x123, started_ns=1_000)
    traces.end(span, error="hangup", attributes={"unique_id": "17.4"})
    traces.close()
    ((path, headers, body),) = sink.requests
    assert (path, headers["x-token"]) == ("/v1/traces", "abc")
    (came,) = spans_in(sink)
    assert came.trace_id.hex() == f"{0xABC:032x}"
    assert came.span_id.hex() == f"{0xDEF:016x}"
    assert came.parent_span_id.hex() == f"{0x123:016x}"
    assert (came.name, came.kind) == ("AGI register", OtlpSpan.SPAN_KIND_SERVER)
    assert came.start_time_unix_nano == 1_000
    assert came.end_time_unix_nano > came.start_time_unix_nano
    assert {each.key: each.value.string_value for each in came.attributes} == {
        "unique_id": "17.4",
        "error.type": "hangup",
    }
    assert came.status.code == 2
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes} == {
        "service.name": "fastagi-server",
        "service.version": "1.2",
        "service.instance.id": "pbx-0",
    }


def test_a_call_is_the_root_of_its_trace(sink: Sink) -> None:
    """The span written at the end is the one that the sessions named as their parent."""
    traces = opened(sink.url)
    session = Span("AGI register")
    session.join("agi-pbx-17.4")
    traces.end(session)
    traces.call_ended("agi-pbx-17.4", STARTED, ENDED, {"hangup_cause": 16})
    traces.close()
    first, root = spans_in(sink)
    assert first.parent_span_id == root.span_id
    assert first.trace_id == root.trace_id
    assert root.parent_span_id == b""
    assert root.name == "call"
    assert root.start_time_unix_nano == 1_795_341_600_250_000_000
    assert root.end_time_unix_nano == 1_795_341_660_000_000_000
    assert root.status.code == 0


def test_a_share_of_the_calls_is_traced_as_a_whole(sink: Sink) -> None:
    """The trace's id decides, so that no part of a kept call is missing."""
    traces = opened(sink.url, ratio=0.5)
    low, high = Span("low", trace_id=2**62), Span("high", trace_id=2**63)
    for span in (low, high, low.child("of low"), high.child("of high")):
        traces.end(span)
    traces.close()
    assert [span.name for span in spans_in(sink)] == ["low", "of low"]


def test_nothing_is_sent_of_a_share_of_none(sink: Sink) -> None:
    """A ratio of 0 traces no call."""
    traces = opened(sink.url, ratio=0.0)
    traces.end(Span("x"))
    traces.close()
    assert sink.requests == []


def test_the_collector_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised; what was lost is counted."""
    monkeypatch.setattr("fastagi_server.telemetry.otlp.EXPORT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    drops = Counter()
    traces = opened(f"http://127.0.0.1:{port}", drops=drops)
    traces.end(Span("x"))
    traces.close()
    assert drops.values[("span_unsent",)] == 1.0


def test_the_collector_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are taken as ever, and the end does not wait for the answer."""
    monkeypatch.setattr("fastagi_server.telemetry.otlp.CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("fastagi_server.telemetry.otlp.GATHER_SECONDS", 0.0)
    with open_sink(open_gate=False) as sink:
        traces = opened(sink.url)
        traces.end(Span("x"))
        sink.wait()
        traces.end(Span("y"))
        traces.close()


class Exporter(SpanExporter):
    """Takes nothing until its gate is opened."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.sizes: list[int] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep how many there were."""
        self.sizes.append(len(spans))
        self.asked.set()
        self.gate.wait(PATIENCE_SECONDS)
        return SpanExportResult.SUCCESS


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot hold is dropped and counted, and so is what comes after the end."""
    monkeypatch.setattr("fastagi_server.telemetry.otlp.GATHER_SECONDS", 0.0)
    exporter, drops = Exporter(), Counter()
    queue = ExportQueue(exporter, drops, limit=3)
    span = ReadableSpan("x")
    queue.on_end(span)
    assert exporter.asked.wait(PATIENCE_SECONDS)
    for _ in range(5):
        queue.on_end(span)
    assert drops.values[("span",)] == 2.0
    exporter.gate.set()
    queue.shutdown()
    assert exporter.sizes == [1, 3]
    queue.on_end(span)
    assert drops.values == {("span",): 3.0, ("span_unsent",): 0.0}


def test_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said which package is missing."""
    monkeypatch.delitem(sys.modules, "fastagi_server.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(TracingError, match=r"pip install 'fastagi-server\[tracing\]'"):
        opened("http://127.0.0.1:1")


def test_whether_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out without importing it."""
    assert tracing.is_tracing_installed()

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(tracing, "find_spec", missing)
    assert not tracing.is_tracing_installed()
    assert importlib.util.find_spec("opentelemetry") is not None


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("api-key=abc", {"api-key": "abc"}),
        (" a=1 , b=x=y,", {"a": "1", "b": "x=y"}),
    ],
)
def test_headers(text: str, headers: dict[str, str]) -> None:
    """Written as OpenTelemetry has it."""
    assert headers_of(text) == headers


@pytest.mark.parametrize("text", ["abc", "=abc", "a=1,b"])
def test_headers_that_are_none(text: str) -> None:
    """What has no name or no value is refused, without being repeated."""
    with pytest.raises(ValueError, match="name=value"):
        headers_of(text)
