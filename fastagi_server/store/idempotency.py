"""Clients' names for their requests, and what each request made; one table for calls and rooms."""

from datetime import datetime, timedelta

from sqlalchemy import Table, bindparam, delete, insert, select, tuple_

from fastagi_server.calls.errors import KeyReusedError
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.store.connection import Connection

KEY_LIFETIME = timedelta(days=7)
"""How long a repetition is recognised; longer than anybody keeps trying to deliver one."""

MAX_FORGOTTEN = 10
"""Keys that go when one comes: they become fewer, and no request pays for many."""


class IdempotencyTable:
    """The keys in `table`, whose column `record` refers to what was made under each."""

    def __init__(self, table: Table, record: str) -> None:
        keys = table.c
        self._record = record
        self._by_key = select(keys[record], keys.fingerprint).where(
            keys.identity == bindparam("identity"), keys.key == bindparam("key")
        )
        self._add = insert(table)
        old = (
            select(keys.identity, keys.key)
            .where(keys.created_at < bindparam("horizon"))
            .order_by(keys.created_at)
            .limit(MAX_FORGOTTEN)
            # Those that another request is about to forget are its business.
            .with_for_update(skip_locked=True)
        )
        self._forget = delete(table).where(tuple_(keys.identity, keys.key).in_(old))

    def find(self, connection: Connection, key: IdempotencyKey | None) -> str | None:
        """The id of what was made under this key. Raises KeyReusedError for another request's."""
        if key is None:
            return None
        row = connection.row(self._by_key, {"identity": key.identity, "key": key.key})
        if row is None:
            return None
        record_id: str
        record_id, fingerprint = row
        if fingerprint != key.fingerprint:
            raise KeyReusedError
        return record_id

    def add(
        self, connection: Connection, key: IdempotencyKey | None, record_id: str, at: datetime
    ) -> None:
        """Remember what was made under this key, and forget some of the keys that are too old."""
        if key is None:
            return
        connection.run(self._forget, {"horizon": at - KEY_LIFETIME})
        connection.run(
            self._add,
            {
                "identity": key.identity,
                "key": key.key,
                "fingerprint": key.fingerprint,
                self._record: record_id,
                "created_at": at,
            },
        )
