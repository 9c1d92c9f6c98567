"""Sends spans as OTLP over HTTP, by the SDK of OpenTelemetry; imported only where traces are on.

No call waits for it: spans go through a bounded queue to a thread of their own, which sends them in
batches. What the queue cannot hold is dropped, what the collector does not take is lost, and both
are counted.
"""

import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.spans import Span, ids_of
from fastagi_server.telemetry.tracing import NO_ATTRIBUTES, Attributes

QUEUE_SPANS = 4096
"""Spans that may wait: about a second of the highest call rate."""

BATCH_SPANS = 512
EXPORT_SECONDS = 5.0
"""How long one batch may take to be sent, repetitions included."""

GATHER_SECONDS = 1.0
CLOSE_SECONDS = 2.0
"""How long the end of the program waits for what is still to be sent."""

NAME = "fastagi-server"

_SPAN, _UNSENT = "span", "span_unsent"
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
}


class OtlpTracing:
    """Implements `tracing.Tracing`; see `tracing.open_tracing`. Used by one thread."""

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str],
        ratio: float,
        version: str,
        instance: str,
        drops: Counter,
    ) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces",
            headers=headers,
            timeout=EXPORT_SECONDS,
        )
        self._ids = _GivenIds()
        self._queue = ExportQueue(exporter, drops)
        resource = Resource(
            {"service.name": NAME, "service.version": version, "service.instance.id": instance}
        )
        provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer(NAME, version)
        self._kept_below = int(ratio * 2**64)

    def end(self, span: Span, *, error: str = "", attributes: Attributes = NO_ATTRIBUTES) -> None:
        """See `Tracing`."""
        self._record(span, error, attributes, None)

    def call_ended(
        self, key: str, started: datetime, ended: datetime, attributes: Attributes = NO_ATTRIBUTES
    ) -> None:
        """See `Tracing`."""
        trace_id, span_id = ids_of(key)
        root = Span("call", "internal", trace_id, span_id, started_ns=_nanoseconds(started))
        self._record(root, "", attributes, _nanoseconds(ended))

    def close(self) -> None:
        """See `Tracing`."""
        self._queue.shutdown()

    def _record(self, span: Span, error: str, attributes: Attributes, ended_ns: int | None) -> None:
        if span.trace_id % 2**64 >= self._kept_below:
            return
        self._ids.span = span
        recorded = self._tracer.start_span(
            span.name,
            context=trace.set_span_in_context(_parent_of(span)),
            kind=_KINDS[span.kind],
            attributes=dict(attributes),
            start_time=span.started_ns,
        )
        if error:
            recorded.set_attribute("error.type", error)
            recorded.set_status(trace.StatusCode.ERROR)
        recorded.end(ended_ns)


class _GivenIds(IdGenerator):
    """Gives the SDK the ids that a span has had since it began."""

    span = Span("none")

    def generate_span_id(self) -> int:
        return self.span.span_id

    def generate_trace_id(self) -> int:
        return self.span.trace_id


class ExportQueue(SpanProcessor):
    """A bounded queue in front of an exporter, which a thread of its own feeds.

    The SDK's own batch processor drops without counting.
    """

    def __init__(self, exporter: SpanExporter, drops: Counter, *, limit: int = QUEUE_SPANS) -> None:
        self._exporter = exporter
        self._drops = drops
        self._limit = limit
        self._spans: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        drops.add(_UNSENT, amount=0.0)  # a series of the thread's must be there from the start
        self._thread = threading.Thread(target=self._run, name="span-exporter", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take one span; never waits."""
        if len(self._spans) >= self._limit or self._closing:
            self._drops.add(_SPAN)
            return
        self._spans.append(span)
        if not self._wake.is_set():
            self._wake.set()

    def shutdown(self) -> None:
        """Send what waits, within `CLOSE_SECONDS`."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._hurry.wait(GATHER_SECONDS)  # let spans gather: one request for many
            self._wake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(len(self._spans), BATCH_SPANS))]
            if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
                self._drops.add(_UNSENT, amount=float(len(batch)))


def _parent_of(span: Span) -> trace.Span:
    if span.parent_id is None:
        return trace.INVALID_SPAN
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=flags)
    return trace.NonRecordingSpan(context)


def _nanoseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000) * 1000
