"""Which call a statement is about, for log lines, errors and traces."""

from datetime import UTC, datetime, timedelta

from fastagi_server.registration.models import Acceptance, Ending, Registration, Statement
from fastagi_server.registration.ports import Entry
from fastagi_server.telemetry import subject


def tell(statement: Statement) -> subject.Subject:
    """Add what a statement says of its call to the subject of the running task, and return that.

    Where there is none, a subject that nobody looks at.
    """
    about = subject.current.get()
    if about is None:
        return subject.Subject()
    if isinstance(statement, Registration):
        about.linked_id = statement.linked_id
    else:
        about.call = statement.call_id or ""
        if isinstance(statement, Ending):
            about.linked_id = statement.registration.linked_id
    if about.span is not None:
        about.span.join(statement.key)
    return about


def subject_of(entry: Entry) -> subject.Subject:
    """The subject of a delivery from the outbox."""
    registration = _registration(entry.statement)
    call = entry.call_id or _call_id(entry.statement)
    if registration is None:
        return subject.Subject(call=call)
    return subject.Subject(
        registration.unique_id,
        linked_id=registration.linked_id,
        call=call,
        personal=lambda: (
            *(registration.caller_number, registration.caller_name, registration.extension),
            *registration.participants,
        ),
    )


def times_of(ending: Ending) -> tuple[datetime, datetime]:
    """When the call ended, and when it began as far as its ending tells."""
    ended = ending.ended_at or datetime.now(UTC)
    return ended, ended - timedelta(milliseconds=(ending.ring_ms or 0) + (ending.answered_ms or 0))


def attributes_of(ending: Ending) -> dict[str, str | int]:
    """What the span of a whole call says of how it went."""
    told = {
        "unique_id": ending.registration.unique_id,
        "linked_id": ending.registration.linked_id,
        "call": ending.call_id,
        "hangup_cause": ending.hangup_cause,
        "dial_status": ending.dial_status,
    }
    return {name: value for name, value in told.items() if value is not None and value != ""}


def _registration(statement: Statement | None) -> Registration | None:
    match statement:
        case Registration():
            return statement
        case Ending():
            return statement.registration
        case _:
            return None


def _call_id(statement: Statement | None) -> str:
    match statement:
        case Ending() | Acceptance():
            return statement.call_id or ""
        case _:
            return ""
