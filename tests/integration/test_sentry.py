"""Errors to Sentry, seen from a sink that parses real envelopes."""

import contextvars
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
import structlog
from sinks import Sink, open_sink

from fastagi_server.telemetry import subject
from fastagi_server.telemetry.logs import LineWriter, configure_logs
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.sentry import (
    BURST_EVENTS,
    QUEUE_EVENTS,
    Breadcrumbs,
    Sentry,
    open_sentry,
)
from fastagi_server.telemetry.spans import Span

SECRET = "hunter2-hunter2"


@pytest.fixture
def sink() -> Generator[Sink]:
    """A sink that answers at once."""
    with open_sink() as sink:
        yield sink


class Stage:
    """Logging with reports to a sink; `now` is the clock of the limit on reports."""

    def __init__(self, writer: LineWriter, sentry: Sentry, drops: Counter) -> None:
        self._writer = writer
        self._sentry = sentry
        self.drops = drops

    def close(self) -> None:
        """As at the end of the process."""
        self._writer.close()
        self._sentry.close()


Open = Callable[..., Stage]


@pytest.fixture
def opened(tmp_path: Path) -> Generator[Open]:
    """Set up logs with reports; what was set up before is restored at the end."""
    root, urllib3 = logging.getLogger(), logging.getLogger("urllib3")
    before = (root.handlers[:], root.level, urllib3.level)
    with (tmp_path / "log").open("ab") as stream:
        stages: list[Stage] = []

        def configure(dsn: str, **options: Any) -> Stage:
            drops = Counter()
            # The log shows personal data: Sentry gets none of it all the same.
            masker = Masker(key=b"k" * 16, secrets=[SECRET], personal=False)
            given: dict[str, Any] = {"environment": "test", "sample_rate": 1.0}
            given |= {"release": "fastagi-server@1", **options}
            sentry = open_sentry(dsn, masker=masker, drops=drops, **given)
            writer = configure_logs(
                "info", "json", drops, stream=stream, masker=masker, reports=sentry
            )
            stages.append(Stage(writer, sentry, drops))
            return stages[-1]

        yield configure
        for stage in stages:
            stage.close()
    root.handlers[:], root.level = before[0], before[1]
    urllib3.setLevel(before[2])
    threading.excepthook = threading.__excepthook__
    structlog.reset_defaults()


def fail(text: str) -> None:
    """Raise, with a local variable that must not be seen."""
    password = SECRET
    raise LookupError(f"{text} {password}")


def test_an_error_arrives(opened: Open, sink: Sink) -> None:
    """Level, logger, message, trace, ids as tags, the other fields; release and environment."""
    stage = opened(sink.dsn)
    try:
        fail("no such thing")
    except LookupError:
        structlog.get_logger("fastagi").exception(
            "route_failed", unique_id="17.4", call="c1", linked_id="", route="register"
        )
    sink.wait()
    stage.close()
    (event,) = sink.events
    assert event["level"] == "error"
    assert event["logger"] == "sge.voip.fastagi"
    assert event["logentry"] == {"message": "route_failed"}
    assert event["tags"] == {"unique_id": "17.4", "call": "c1"}
    assert event["extra"] == {"route": "register"}
    assert (event["release"], event["environment"]) == ("fastagi-server@1", "test")
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "no such thing ********")
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "vars" not in error["stacktrace"]["frames"][-1]
    assert event["sdk"]["integrations"] == []
    assert "f00dcafe" in sink.requests[0][1]["X-Sentry-Auth"]


def test_nothing_personal_and_nothing_secret(opened: Open, sink: Sink) -> None:
    """Messages, fields, breadcrumbs and chained errors are masked, whatever the log shows."""
    stage = opened(sink.dsn)
    log = structlog.get_logger()
    about = subject.Subject("17.4", personal=lambda: ("Anna Li", "1002"))

    def work() -> None:
        subject.current.set(about)
        log.warning("careful", reason=f"Anna Li dialled 1002 {SECRET}", caller_number="31337")
        try:
            try:
                fail("PJSIP/31337-0000002a of Anna Li")
            except LookupError as error:
                raise RuntimeError("1002 again") from error
        except RuntimeError as error:
            log.exception("failed", exc_info=error, participants=["SIP/31337"], text=f"= {SECRET}")

    contextvars.copy_context().run(work)
    sink.wait()
    stage.close()
    (event,) = sink.events
    for frames in (error["stacktrace"]["frames"] for error in event["exception"]["values"]):
        for frame in frames:
            for source in ("pre_context", "context_line", "post_context"):
                frame.pop(source, None)  # this test's own source, which names it all
    text = json.dumps(event)
    assert len(event["exception"]["values"]) == 2
    assert len(event["breadcrumbs"]["values"]) == 1
    for leak in ("Anna", "1002", "31337", SECRET):
        assert leak not in text


def test_breadcrumbs_are_of_this_call_only(opened: Open, sink: Sink) -> None:
    """Lines of the call before the error, under whichever id; none of another call."""
    stage = opened(sink.dsn)
    log = structlog.get_logger("calls")
    log.info("one", unique_id="17.4")
    log.info("of another", unique_id="18.1", call="c2")
    log.info("two", unique_id="17.4", call="c1")
    log.info("of none")
    log.error("failed", call="c1")
    sink.wait()
    stage.close()
    (event,) = sink.events
    crumbs = event["breadcrumbs"]["values"]
    assert [crumb["message"] for crumb in crumbs] == ["one", "two"]
    assert crumbs[0]["category"] == "sge.voip.calls"
    assert crumbs[0]["level"] == "info"
    assert crumbs[0]["timestamp"].endswith("Z")


def test_breadcrumbs_are_bounded() -> None:
    """In lines a call, and in ids altogether: the longest unused go first."""
    crumbs = Breadcrumbs(lines=2, ids=3)
    for number in range(5):
        crumbs.add({"event": f"line {number}", "call": "c1", "exc_info": ValueError()})
    assert crumbs.of({"call": "c1"}) == [
        {"event": "line 3", "call": "c1"},
        {"event": "line 4", "call": "c1"},
    ]
    for number in range(2, 5):
        crumbs.add({"event": "line", "call": f"c{number}"})
    assert crumbs.of({"call": "c1"}) == []
    assert len(crumbs.of({"call": "c4"})) == 1
    assert crumbs.of({}) == []


def test_levels(opened: Open, sink: Sink) -> None:
    """Only errors are sent, and what is critical is fatal there."""
    stage = opened(sink.dsn)
    log = structlog.get_logger()
    log.info("a")
    log.warning("b")
    log.error("c")
    log.critical("d")
    stage.close()
    assert [(event["logentry"]["message"], event["level"]) for event in sink.events] == [
        ("c", "error"),
        ("d", "fatal"),
    ]


def test_the_trace_is_named(opened: Open, sink: Sink) -> None:
    """An error of a traced call leads to its trace."""
    stage = opened(sink.dsn)
    span = Span("x", trace_id=0xABC, span_id=0xDEF)

    def work() -> None:
        subject.current.set(subject.Subject("17.4", span=span))
        structlog.get_logger().error("failed")

    contextvars.copy_context().run(work)
    stage.close()
    (event,) = sink.events
    assert event["contexts"]["trace"]["trace_id"] == f"{0xABC:032x}"
    assert event["contexts"]["trace"]["span_id"] == f"{0xDEF:016x}"


def test_errors_of_libraries_and_threads(opened: Open, sink: Sink) -> None:
    """What asyncio or a thread says of an error nobody caught is sent with its trace."""
    stage = opened(sink.dsn)
    try:
        fail("inside")
    except LookupError:
        logging.getLogger("asyncio").exception("never retrieved")
    thread = threading.Thread(target=fail, args=("in a thread",))
    thread.start()
    thread.join()
    stage.close()
    first, second = sink.events
    assert first["exception"]["values"][0]["value"] == "inside ********"
    assert second["exception"]["values"][0]["value"] == "in a thread ********"


def test_its_own_troubles_are_not_reported(opened: Open, sink: Sink) -> None:
    """An SDK that logs an error about sending an error would never stop."""
    stage = opened(sink.dsn)
    logging.getLogger("sentry_sdk.errors").error("cannot send")
    logging.getLogger("urllib3.connectionpool").error("cannot connect")
    stage.close()
    assert sink.events == []


def test_a_storm_is_limited(sink: Sink) -> None:
    """After a burst one a second; what is not sent is counted."""
    drops, now = Counter(), [0.0]
    client = sentry_sdk.Client(sink.dsn, default_integrations=False)
    sentry = Sentry(client, Masker(key=b"k" * 16), drops, clock=lambda: now[0])
    line = {"event": "failed", "level": "error", "logger": "sge.voip", "timestamp": ""}
    for _ in range(BURST_EVENTS + 5):
        sentry.receive(line)
    assert drops.values == {("sentry_event",): 5.0}
    now[0] += 2.0
    for _ in range(3):
        sentry.receive(line)
    assert drops.values == {("sentry_event",): 6.0}
    sentry.close()
    assert len(sink.events) == BURST_EVENTS + 2


def test_sample_rate(opened: Open, sink: Sink) -> None:
    """A share of none is none."""
    stage = opened(sink.dsn, sample_rate=0.0)
    structlog.get_logger().error("failed")
    stage.close()
    assert sink.events == []


def test_sentry_is_unreachable(opened: Open, sink: Sink) -> None:
    """Nothing is raised and nothing waited for; what was lost is counted."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    stage = opened(f"http://key@127.0.0.1:{port}/1")
    structlog.get_logger().error("failed")
    stage.close()
    assert stage.drops.values[("sentry_event_unsent",)] == 1.0


def test_sentry_refuses(opened: Open, sink: Sink) -> None:
    """An answer that is no success is a loss, and no further error."""
    sink.status = 500
    stage = opened(sink.dsn)
    structlog.get_logger().error("failed")
    stage.close()
    assert stage.drops.values[("sentry_event_unsent",)] == 1.0
    assert len(sink.events) == 1


def test_sentry_hangs(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are taken as ever while nothing is answered, and the end does not wait for it."""
    monkeypatch.setattr("fastagi_server.telemetry.sentry.CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("fastagi_server.telemetry.sentry.EVENTS_A_SECOND", 1e9)
    with open_sink(open_gate=False) as sink:
        stage = opened(sink.dsn)
        log = structlog.get_logger()
        log.error("first")
        sink.wait()
        for _ in range(QUEUE_EVENTS + 7):
            log.error("next")
        stage.close()
        assert len(sink.events) == 1
        assert stage.drops.values[("sentry_event",)] == 7.0


def test_the_process_is_left_alone(opened: Open, sink: Sink) -> None:
    """No hook is set and no global client made."""
    hooks = (sys.excepthook, logging.Logger.callHandlers)
    opened(sink.dsn)
    assert hooks == (sys.excepthook, logging.Logger.callHandlers)
    assert not sentry_sdk.get_client().is_active()
