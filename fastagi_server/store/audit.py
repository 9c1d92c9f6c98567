"""The audit in the database: identities.audit.AuditRecords."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select

from fastagi_server.identities.audit import AuditQuery, AuditRecord
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database

_audit = schema.audit.c

NEWEST = 2**62
"""Above every number that a record will have."""

# In the order in which AuditRecord takes them.
_COLUMNS = (
    _audit.at,
    _audit.identity,
    _audit.credential,
    _audit.operation,
    _audit.subject,
    _audit.address,
    _audit.request_id,
    _audit.status,
    _audit.code,
    _audit.id,
)
_PAGE = (
    select(*_COLUMNS)
    .where(_audit.id < bindparam("before"))
    .order_by(_audit.id.desc())
    .limit(bindparam("limit"))
)
_OF_IDENTITY = _audit.identity == bindparam("of_identity")
_OF_SUBJECT = _audit.subject == bindparam("of_subject")
_PAGES: dict[tuple[bool, bool], Select[*tuple[Any, ...]]] = {
    (False, False): _PAGE,
    (True, False): _PAGE.where(_OF_IDENTITY),
    (False, True): _PAGE.where(_OF_SUBJECT),
    (True, True): _PAGE.where(_OF_IDENTITY, _OF_SUBJECT),
}
_ADD = insert(schema.audit)
_OLDEST = (
    select(_audit.id)
    .where(_audit.at < bindparam("horizon"))
    .order_by(_audit.at)
    .limit(bindparam("limit"))
)
_FORGET = delete(schema.audit).where(_audit.id == bindparam("number"))


class StoredAudit:
    """The audit records in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Keep these records, all or none."""
        rows = [_to_row(record) for record in records]
        await self._database.write(lambda connection: connection.run(_ADD, *rows))

    async def page(
        self, query: AuditQuery, before: int | None, limit: int
    ) -> Sequence[AuditRecord]:
        """At most `limit` records, newest first, with numbers below `before`."""
        return await self._database.read(lambda connection: _page(connection, query, before, limit))

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Delete at most `limit` records older than this moment; returns how many there were."""
        return await self._database.write(lambda connection: _forget(connection, horizon, limit))


def _page(
    connection: Connection, query: AuditQuery, before: int | None, limit: int
) -> Sequence[AuditRecord]:
    values: dict[str, Any] = {"before": NEWEST if before is None else before, "limit": limit}
    if query.identity is not None:
        values["of_identity"] = query.identity
    if query.subject is not None:
        values["of_subject"] = query.subject
    page = _PAGES[query.identity is not None, query.subject is not None]
    return [AuditRecord(*row) for row in connection.rows(page, values)]


def _forget(connection: Connection, horizon: datetime, limit: int) -> int:
    old = connection.rows(_OLDEST, {"horizon": horizon, "limit": limit})
    return connection.run(_FORGET, *({"number": number} for (number,) in old))


def _to_row(record: AuditRecord) -> dict[str, Any]:
    return {
        "at": record.at,
        "identity": record.identity,
        "credential": record.credential,
        "operation": record.operation,
        "subject": record.subject,
        "address": record.address,
        "request_id": record.request_id,
        "status": record.status,
        "code": record.code,
    }
