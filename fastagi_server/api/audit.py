"""The audit: one record for every request that changes something, or that tried to.

A record goes to the log at once and to the store within a second: it waits in a bounded queue, and
what has gathered is stored in one transaction, so that no request waits for its own record. What
happened to a call is in the call's log in the same transaction as the change; see ADR 0015.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import structlog

from fastagi_server.api.context import CALLER, SUBJECT
from fastagi_server.api.errors import CODE, REQUEST_ID
from fastagi_server.identities.audit import AuditRecord, AuditRecords
from fastagi_server.identities.identity import Identity
from fastagi_server.identities.rates import RateLimiter, origin_of
from fastagi_server.store.errors import StoreError, StoreRefusedError
from fastagi_server.telemetry.measures import Measures

MAX_WAITING = 10_000
"""Records that wait for the store: some seconds of the highest rate, a few megabytes."""

MAX_BATCH = 100
"""Records in one transaction: about a millisecond, which registrations may have to wait for."""

FLUSH_SECONDS = 0.25
"""How long records gather: one transaction for many."""

RETRY_SECONDS = 2.0
"""After the store failed."""

CLOSE_SECONDS = 5.0
"""How long the end of the program waits for the store to take what is left."""

MAX_ADDRESS_LENGTH = 64

TURNED_AWAY = frozenset({401, 429})
TURNED_AWAY_PER_MINUTE = 60
"""Records of one user, or of one address that proves nobody, about requests that were turned away
with these: a stranger must not be able to fill the disk."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SUBJECTS = ("call_id", "room_id")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_log = structlog.stdlib.get_logger("audit")

Scope = MutableMapping[str, Any]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuditTrail:
    """Keeps audit records in `records`; entered before requests come.

    Leaving the context stores what still waits. Records that do not fit the queue are dropped and
    counted under "audit", and so are those that the store did not take by the end.
    """

    def __init__(
        self,
        records: AuditRecords,
        *,
        measures: Measures,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._records = records
        self._measures = measures
        self._now = now
        self._turned_away = RateLimiter(TURNED_AWAY_PER_MINUTE)
        self._waiting: deque[AuditRecord] = deque()
        self._some = asyncio.Event()
        self._at_work = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._storing = asyncio.create_task(self._store(), name="audit")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(CLOSE_SECONDS):
                # A transaction that is cut off may take effect, and would be repeated here.
                async with self._at_work:
                    await self._stop()
                while self._waiting:
                    await self._store_batch()
        await self._stop()
        if self._waiting:
            self._measures.drops.add("audit", amount=len(self._waiting))

    def note(self, scope: Scope, status: int) -> None:
        """Keep a record of this answered request, if it is one that the audit is about.

        Requests that read, and those for a path or a method that does not exist, are not. Of a
        flood of requests that are turned away the first are kept, and the rest is counted.
        """
        operation = getattr(scope.get("route"), "name", None)
        if scope["method"] in _READING or operation is None:
            return
        record = self._record(scope, operation, status)
        if status in TURNED_AWAY and self._turned_away.take(_source(record)):
            self._measures.drops.add("audit_flood")
            return
        _log.info(
            "audit",
            identity=record.identity,
            credential=record.credential,
            operation=operation,
            subject=record.subject,
            address=record.address,
            request_id=record.request_id,
            status=status,
            code=record.code,
        )
        if len(self._waiting) >= MAX_WAITING:
            self._measures.drops.add("audit")
            return
        self._waiting.append(record)
        self._some.set()

    def _record(self, scope: Scope, operation: str, status: int) -> AuditRecord:
        caller: Identity | None = scope.get(CALLER)
        client = scope.get("client")
        return AuditRecord(
            at=self._now(),
            identity=caller.name if caller else None,
            credential=caller.credential if caller else None,
            operation=operation,
            subject=scope.get(SUBJECT) or _subject(scope.get("path_params", {})),
            # A trusted proxy may have passed on any text.
            address=client[0][:MAX_ADDRESS_LENGTH] if client else "",
            request_id=scope[REQUEST_ID],
            status=status,
            code=scope.get(CODE),
        )

    async def _stop(self) -> None:
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.gather(self._storing, return_exceptions=True)

    async def _store(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(FLUSH_SECONDS)
            while self._waiting:
                try:
                    await self._store_batch()
                except StoreError as error:
                    _log.error("audit_not_stored", reason=str(error), waiting=len(self._waiting))
                    await asyncio.sleep(RETRY_SECONDS)

    async def _store_batch(self) -> None:
        async with self._at_work:
            batch = [self._waiting[place] for place in range(min(len(self._waiting), MAX_BATCH))]
            try:
                await self._records.append(batch)
            except StoreRefusedError as error:
                # It will be refused each time, and must not keep back what comes after it.
                _log.error("audit_refused", reason=str(error), records=len(batch))
                self._measures.drops.add("audit", amount=len(batch))
            else:
                self._measures.audit_records.add(amount=len(batch))
            for _ in batch:
                self._waiting.popleft()


def _source(record: AuditRecord) -> str:
    return record.identity or origin_of(record.address)


def _subject(parameters: Mapping[str, str]) -> str | None:
    for name in _SUBJECTS:
        text = parameters.get(name)
        if text is not None:
            # Whatever else a client writes there is no id, and is not repeated.
            return text if _PLAIN_ID.fullmatch(text) else None
    return None
