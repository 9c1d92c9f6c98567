"""Which call a statement is about."""

import contextvars
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fastagi_server.registration.models import Acceptance, Ending, Registration, Statement
from fastagi_server.registration.ports import Entry
from fastagi_server.registration.subjects import attributes_of, subject_of, tell, times_of
from fastagi_server.telemetry.spans import Span, ids_of
from fastagi_server.telemetry.subject import Subject, current, ids_in

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.0", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)
ENDED = datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


def within(about: Subject | None, work: Callable[[], object]) -> None:
    """Do something in a task about this call."""
    context = contextvars.copy_context()
    context.run(current.set, about)
    context.run(work)


@pytest.mark.parametrize(
    ("statement", "ids"),
    [
        (REGISTRATION, {"unique_id": "17.4", "linked_id": "17.0"}),
        (
            Ending(REGISTRATION, call_id="c1"),
            {"unique_id": "17.4", "linked_id": "17.0", "call": "c1"},
        ),
        (Ending(REGISTRATION), {"unique_id": "17.4", "linked_id": "17.0"}),
        (Acceptance("agi-pbx-17.4", "c1"), {"unique_id": "17.4", "call": "c1"}),
    ],
)
def test_a_statement_tells_the_ids(statement: Statement, ids: dict[str, str]) -> None:
    """The session knew its unique id; the rest comes with what is said."""
    about = Subject("17.4")
    within(about, lambda: tell(statement))
    assert ids_in(about) == ids


def test_a_statement_joins_the_trace() -> None:
    """From here on the session's span is part of the call's trace."""
    about = Subject("17.4", span=Span("AGI session"))
    within(about, lambda: tell(REGISTRATION))
    assert about.span is not None
    assert (about.span.trace_id, about.span.parent_id) == ids_of("agi-pbx-17.4")


def test_outside_of_any_call() -> None:
    """A statement nobody asked for in a session is told to nobody."""
    within(None, lambda: tell(REGISTRATION))


def entry(statement: Statement | None, call_id: str | None = None) -> Entry:
    """What the outbox keeps of it."""
    return Entry(1, "register", "agi-pbx-17.4", statement, call_id, 0, 0.0)


def test_the_subject_of_a_delivery() -> None:
    """All ids, and whose numbers and names its lines may hold."""
    about = subject_of(entry(Ending(REGISTRATION, call_id="queued-1"), "c1"))
    assert ids_in(about) == {"unique_id": "17.4", "linked_id": "17.0", "call": "c1"}
    assert about.personal is not None
    assert list(about.personal()) == ["1002", "Alice", "1001", "SIP/1001"]


def test_the_subject_of_what_tells_little() -> None:
    """An acceptance knows the call alone, and an unreadable entry nothing."""
    assert ids_in(subject_of(entry(Acceptance("agi-pbx-17.4", "c1")))) == {"call": "c1"}
    assert ids_in(subject_of(entry(None))) == {}


def test_when_a_call_was() -> None:
    """Its end, and before that how long it rang and was talked on, as far as is known."""
    ended = Ending(REGISTRATION, ring_ms=2_000, answered_ms=3_000, ended_at=ENDED)
    assert times_of(ended) == (ENDED, datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC))
    assert times_of(Ending(REGISTRATION, ended_at=ENDED)) == (ENDED, ENDED)
    end, start = times_of(Ending(REGISTRATION))
    assert end == start


def test_what_the_span_of_a_call_says() -> None:
    """Ids and how it went; no number and no name."""
    ending = Ending(REGISTRATION, call_id="c1", hangup_cause=16, dial_status="ANSWER")
    assert attributes_of(ending) == {
        "unique_id": "17.4",
        "linked_id": "17.0",
        "call": "c1",
        "hangup_cause": 16,
        "dial_status": "ANSWER",
    }
