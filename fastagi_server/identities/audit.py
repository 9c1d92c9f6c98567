"""What is kept of every request that changes something, or that tried to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what, to what, from where, when, and what came of it.

    `identity` and `credential` are None for a request that proved nobody; `subject` is the id of
    the call or the room, `address` the peer's, `status` HTTP's, and `code` that of the refusal.
    `number` counts records in the order in which they were stored; None before that.
    """

    at: datetime
    identity: str | None
    credential: str | None
    operation: str
    subject: str | None
    address: str
    request_id: str
    status: int
    code: str | None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records are wanted; None for all."""

    identity: str | None = None
    subject: str | None = None


class AuditRecords(Protocol):
    """Where audit records are kept. Every method may raise the store's error."""

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Keep these records, all or none."""
        ...

    async def page(
        self, query: AuditQuery, before: int | None, limit: int
    ) -> Sequence[AuditRecord]:
        """At most `limit` records, newest first, with numbers below `before`."""
        ...
