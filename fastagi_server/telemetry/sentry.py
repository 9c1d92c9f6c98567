"""Errors to Sentry: what the log says at level `error` and above, with the call's lines before it.

The SDK is used as a client without any of its integrations: it patches nothing, reads no request
and no local variable, and sends from a thread of its own through a bounded queue. Everything that
leaves is masked, whatever the log shows, because it goes to another party.

Nothing of it is imported before `open_sentry`; with it the process takes some 7 MB more.
"""

import logging
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, cast

import sentry_sdk
from sentry_sdk.scope import Scope
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import event_from_exception, exc_info_from_error

from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.subject import IDS, current

QUEUE_EVENTS = 100
"""Events that may wait for Sentry."""

SEND_SECONDS = 5
"""How long one event may take to be sent."""

CLOSE_SECONDS = 2.0
"""How long the end of the program waits for what is still to be sent."""

BURST_EVENTS = 20
EVENTS_A_SECOND = 1.0
"""An event costs a millisecond of the loop: a storm of errors must not cost calls more."""

BREADCRUMBS = 20
"""Earlier lines of the call that an event shows."""

REMEMBERED_IDS = 3000
"""Ids whose lines are kept, three a call; the longest unused are forgotten first."""

OWN_LOGGERS = ("sge.voip.sentry_sdk", "sge.voip.urllib3")
"""What the SDK logs of its own troubles; to report that would never end."""

_LEVELS = {"error": "error", "exception": "error", "critical": "fatal", "fatal": "fatal"}
_NO_EXTRA = frozenset({"event", "level", "logger", "timestamp", "exc_info", *IDS})
_CRUMB_LEVELS = {"exception": "error", "critical": "fatal"}
_LOST, _UNSENT = "sentry_event", "sentry_event_unsent"


class Breadcrumbs:
    """The last lines of each call, found by any of its ids; bounded in lines and in ids."""

    def __init__(self, *, lines: int = BREADCRUMBS, ids: int = REMEMBERED_IDS) -> None:
        self._lines = lines
        self._limit = ids
        self._of: OrderedDict[str, deque[dict[str, Any]]] = OrderedDict()

    def add(self, event: Mapping[str, Any]) -> None:
        """Keep a line, if it is about a call."""
        ids = _ids(event)
        if not ids:
            return
        known = [self._of[each] for each in ids if each in self._of]
        lines = known[0] if known else deque[dict[str, Any]](maxlen=self._lines)
        lines.append({name: value for name, value in event.items() if name != "exc_info"})
        for each in ids:
            self._of[each] = lines
            self._of.move_to_end(each)
        while len(self._of) > self._limit:
            self._of.popitem(last=False)

    def of(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The lines of the call that a line is about, oldest first."""
        known = [self._of[each] for each in _ids(event) if each in self._of]
        return list(known[0]) if known else []


class Sentry:
    """Implements `logs.ErrorReports`; see `open_sentry`."""

    def __init__(
        self,
        client: sentry_sdk.Client,
        masker: Masker,
        drops: Counter,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._masker = masker
        self._drops = drops
        self._clock = clock
        self._breadcrumbs = Breadcrumbs()
        self._allowed = float(BURST_EVENTS)
        self._counted_at = clock()

    def receive(self, event: Mapping[str, Any]) -> None:
        """Keep a line as a breadcrumb, and report it if it is an error."""
        if str(event["logger"]).startswith(OWN_LOGGERS):
            return
        level = _LEVELS.get(event["level"])
        if level is None:
            self._breadcrumbs.add(event)
        elif self._is_allowed():
            self._report(event, level)
        else:
            self._drops.add(_LOST)

    def close(self) -> None:
        """Send what waits, within two seconds."""
        self._client.close(timeout=CLOSE_SECONDS)

    def _is_allowed(self) -> bool:
        now = self._clock()
        earned = (now - self._counted_at) * EVENTS_A_SECOND
        self._allowed = min(self._allowed + earned, float(BURST_EVENTS))
        self._counted_at = now
        if self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True

    def _report(self, event: Mapping[str, Any], level: str) -> None:
        report, hint = self._exception(event)
        report["level"] = level
        report["logger"] = event["logger"]
        report["logentry"] = {"message": self._masker.text(str(event["event"]))}
        report["tags"] = {name: event[name] for name in IDS if event.get(name)}
        report["extra"] = self._masker.field("extra", _extra(event))
        crumbs = [self._crumb(line) for line in self._breadcrumbs.of(event)]
        report["breadcrumbs"] = {"values": crumbs}
        report["contexts"] = _trace_context()
        self._client.capture_event(cast("Any", report), hint, scope=Scope())
        self._breadcrumbs.add(event)

    def _exception(self, event: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        raised = _raised(event.get("exc_info"))
        if raised is None:
            return {}, {}
        report, hint = event_from_exception(
            exc_info_from_error(raised),
            client_options=self._client.options,
            mechanism={"type": "structlog", "handled": True},
        )
        for each in cast("Any", report)["exception"]["values"]:
            each["value"] = self._masker.text(str(each["value"]))
        return dict(report), hint

    def _crumb(self, line: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "timestamp": line["timestamp"],
            "category": line["logger"],
            "level": _CRUMB_LEVELS.get(line["level"], line["level"]),
            "message": self._masker.text(str(line["event"])),
            "data": self._masker.field("data", _extra(line)),
        }


class _Transport(HttpTransport):
    """The SDK's transport, which tells what it could not send."""

    TIMEOUT = SEND_SECONDS
    drops: Counter | None = None

    def on_dropped_event(self, _reason: str) -> None:
        # Of a full queue the loop's thread tells, of all else the sender's: each has its series.
        if self.drops is not None:
            self.drops.add(_LOST if _reason == "full_queue" else _UNSENT)


def open_sentry(
    dsn: str,
    *,
    environment: str,
    sample_rate: float,
    release: str,
    masker: Masker,
    drops: Counter,
) -> Sentry:
    """Report errors to the project that `dsn` names.

    `sample_rate` of them are sent, 0 to 1. `drops` counts under "sentry_event" what came too fast
    and under "sentry_event_unsent" what Sentry did not take. Raises `ValueError` for a bad DSN.
    """
    # It says for each attempt what is counted here anyway.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    client = sentry_sdk.Client(
        dsn,
        transport=_Transport,
        transport_queue_size=QUEUE_EVENTS,
        environment=environment,
        sample_rate=sample_rate,
        release=release,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        enable_metrics=False,
        include_local_variables=False,
        propagate_traces=False,
        send_client_reports=False,
        spotlight=False,
    )
    drops.add(_UNSENT, amount=0.0)  # a series of the sender's must be there from the start
    cast("_Transport", client.transport).drops = drops
    return Sentry(client, masker.strict(), drops)


def _ids(event: Mapping[str, Any]) -> list[str]:
    return [event[name] for name in IDS if event.get(name)]


def _extra(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in _NO_EXTRA}


def _raised(given: object) -> BaseException | None:
    """What `exc_info` of a line stands for: an exception, what is handled now, or a triple."""
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        given = cast("tuple[object, ...]", given)[1]
    return given if isinstance(given, BaseException) else None


def _trace_context() -> dict[str, Any]:
    subject = current.get()
    if subject is None or subject.span is None:
        return {}
    span = subject.span
    return {"trace": {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}}
