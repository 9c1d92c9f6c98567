"""Traces: what the program asks of them; `telemetry.otlp` sends them by OpenTelemetry.

Nothing of OpenTelemetry, an optional extra of the installation, is imported before `open_tracing`.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from types import MappingProxyType
from typing import Protocol

from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.spans import Span

Attributes = Mapping[str, str | int | float | bool]
"""What a span says besides its name and times; never personal data."""

NO_ATTRIBUTES: Attributes = MappingProxyType({})


NEEDS_EXTRA = "traces need the extra: pip install 'fastagi-server[tracing]'"


class TracingError(ValueError):
    """Traces cannot be sent as the settings ask for; the text says why."""


class Tracing(Protocol):
    """Takes finished spans; no method waits or raises."""

    def end(self, span: Span, *, error: str = "", attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Finish a span now; `error` is a code, empty for a success."""
        ...

    def call_ended(
        self, key: str, started: datetime, ended: datetime, attributes: Attributes = NO_ATTRIBUTES
    ) -> None:
        """Write the root span of the call with this idempotency key."""
        ...

    def close(self) -> None:
        """Send what waits, within two seconds."""
        ...


def open_tracing(
    endpoint: str,
    *,
    headers: Mapping[str, str],
    ratio: float,
    version: str,
    instance: str,
    drops: Counter,
) -> Tracing:
    """Send spans to `endpoint`, the base address of a collector, such as http://127.0.0.1:4318.

    `ratio` of the calls are traced, each as a whole; `instance` names this process. `drops` counts
    under "span" what came too fast and under "span_unsent" what the collector did not take. Raises
    `TracingError` where the extra is not installed.
    """
    try:
        from fastagi_server.telemetry.otlp import OtlpTracing  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise TracingError(NEEDS_EXTRA) from error
    return OtlpTracing(
        endpoint, headers=headers, ratio=ratio, version=version, instance=instance, drops=drops
    )


def is_tracing_installed() -> bool:
    """Whether the extra is there; imports nothing of it but its outermost package."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ImportError:
        return False


def headers_of(text: str) -> dict[str, str]:
    """Headers written as OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`; raises ValueError."""
    headers: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError("headers are name=value, with commas between them")
        headers[name.strip()] = value.strip()
    return headers
