"""What the registrar and the relay need from outside, and how it may fail."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastagi_server.registration.models import Ending, RegisteredCall, Registration, Statement


class CallsApiError(Exception):
    """The API did not do what it was asked.

        CallsApiError
        ├── RefusedError        a definite no: asking again is useless
        └── UnavailableError    not now: asking again later may help

    `code` is one of `registration.codes`.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class RefusedError(CallsApiError):
    """The API said a definite no."""


class UnavailableError(CallsApiError):
    """The API cannot take it now.

    `retry_after_seconds` is what the API asked for, or None; `attempted` is False when the
    request was not sent at all because the API is being left alone.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after_seconds: float | None = None,
        attempted: bool = True,
    ) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds
        self.attempted = attempted


class CallsApi(Protocol):
    """The SGE API; every method may raise `CallsApiError` and nothing else.

    `deadline` is an instant of the loop's clock.
    """

    async def register(self, registration: Registration, *, deadline: float) -> RegisteredCall:
        """Create the call or find the one that has the registration's key."""
        ...

    async def accept(self, call_id: str, answered_at: datetime | None, *, deadline: float) -> None:
        """Say that the call was answered."""
        ...

    async def end(self, call_id: str, ending: Ending, *, deadline: float) -> None:
        """Say that the call is over."""
        ...

    async def status(self, call_id: str, *, deadline: float) -> str:
        """The status of the call in the API's words: lower snake case."""
        ...


class OutboxError(Exception):
    """The outbox cannot do what it was asked; `code` is one of `registration.codes`."""

    code = "outbox_failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the outbox knows about a registration.

    `waits` says whether anything about it is undelivered, `call_id` is the real one when its
    registration was delivered from the outbox within about a day.
    """

    waits: bool
    call_id: str | None


class Outbox(Protocol):
    """The registrar's side of the outbox; every method may raise `OutboxError`."""

    def append(self, statement: Statement) -> Awaitable[None]:
        """Keep `statement`; when the result is awaited it is on the disk.

        The statement is on its way once this function has returned, so that a cancelled waiter
        takes nothing back. A statement of a kind that already waits for the same key is dropped.
        """
        ...

    async def standing(self, provisional_id: str) -> Standing:
        """What is known about the registration whose provisional call id this is."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An undelivered statement: `number` orders all entries, `attempts` counts failures so far.

    `statement` is None when the stored form cannot be read; `call_id` is the real one of the
    call, when an earlier delivery brought it.
    """

    number: int
    kind: str
    key: str
    statement: Statement | None
    call_id: str | None
    attempts: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """A look at the outbox: what to deliver now, and the figures operators watch.

    `due` holds at most one entry a key, the oldest; `next_due_seconds` is the time until another
    entry becomes due, None when none will.
    """

    due: tuple[Entry, ...]
    next_due_seconds: float | None
    pending: int
    dead: int
    oldest_seconds: float


class Deliveries(Protocol):
    """The relay's side of the outbox; every method may raise `OutboxError`."""

    async def backlog(self, limit: int) -> Backlog:
        """The oldest deliverable entries, at most `limit`."""
        ...

    async def delivered(self, entry: Entry, call_id: str) -> None:
        """Forget `entry` and remember `call_id` for its key, in one step."""
        ...

    async def postponed(self, entry: Entry, seconds: float, code: str) -> None:
        """Offer `entry` again after `seconds`, with one more attempt counted."""
        ...

    async def died(self, entry: Entry, code: str) -> None:
        """Set `entry` aside as a dead letter."""
        ...


class Leadership(Protocol):
    """Which of several processes delivers, and how it learns that there is work."""

    def leading(self) -> AbstractAsyncContextManager[None]:
        """Wait until this process is the one that delivers; it stays so within the context."""
        ...

    def when_appended(self, wake: Callable[[], None]) -> None:
        """Have `wake` called on the loop after each append by this process."""
        ...
