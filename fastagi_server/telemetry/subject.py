"""Which call the work under way is about: what its log lines, errors and traces carry.

The subject lies in a context variable, which every task copies from the one that made it. So the
lines that a session's registration, its request to the SGE API and the embedded API's handler
write carry the ids of the call, without any of them being told.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar

from fastagi_server.telemetry.spans import Span

IDS = ("unique_id", "linked_id", "call")
"""Asterisk's id of the channel, its id of the channels that belong together, and SGE's of the call:
the names of these fields in every log line, error and trace."""


class Subject:
    """What is known of the call so far; empty where nothing is.

    `personal` gives the numbers and names that this call's lines may hold, None when there are
    none; it is asked only when a line with free text is masked. `span` is the open span of the
    trace, None while nothing is traced.
    """

    __slots__ = ("call", "linked_id", "personal", "span", "unique_id")

    def __init__(
        self,
        unique_id: str = "",
        personal: Callable[[], Iterable[str]] | None = None,
        *,
        linked_id: str = "",
        call: str = "",
        span: Span | None = None,
    ) -> None:
        self.unique_id = unique_id
        self.linked_id = linked_id
        self.call = call
        self.personal = personal
        self.span = span


current: ContextVar[Subject | None] = ContextVar("subject", default=None)
"""The subject of the running task; set by who begins the work, for the rest of its task."""


def learn(*, linked_id: str = "", call: str = "") -> None:
    """Add what the work of the running task found out; empty values change nothing."""
    subject = current.get()
    if subject is None:
        return
    if linked_id:
        subject.linked_id = linked_id
    if call:
        subject.call = call


def ids_in(subject: Subject) -> dict[str, str]:
    """What is known of a call, under the names of `IDS`."""
    return {name: value for name in IDS if (value := getattr(subject, name))}
