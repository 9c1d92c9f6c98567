"""The legs of browsers that are up: signaling.dialogs.DialogRecords in a database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from fastagi_server.signaling.dialogs import DialogRecord
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database

_dialogs = schema.sip_dialogs.c

_ALL = select(
    _dialogs.leg_id,
    _dialogs.call_id,
    _dialogs.user_id,
    _dialogs.is_caller,
    _dialogs.is_noted,
    _dialogs.snapshot,
).order_by(_dialogs.leg_id)
_ADD = insert(schema.sip_dialogs)
_REMOVE = delete(schema.sip_dialogs).where(_dialogs.leg_id == bindparam("of_leg"))


class StoredDialogs:
    """Dialogs in a database. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def kept(self) -> Sequence[DialogRecord]:
        """See DialogRecords."""
        rows = await self._database.read(lambda connection: connection.rows(_ALL, {}))
        return [DialogRecord(*row) for row in rows]

    async def save(self, record: DialogRecord) -> None:
        """See DialogRecords."""
        await self._database.write(lambda connection: _save(connection, record))

    async def remove(self, leg_id: str) -> None:
        """See DialogRecords."""
        await self._database.write(lambda connection: connection.run(_REMOVE, {"of_leg": leg_id}))


def _save(connection: Connection, record: DialogRecord) -> None:
    connection.run(_REMOVE, {"of_leg": record.leg_id})
    connection.run(
        _ADD,
        {
            "leg_id": record.leg_id,
            "call_id": record.call_id,
            "user_id": record.user,
            "is_caller": record.is_caller,
            "is_noted": record.is_noted,
            "snapshot": dict(record.snapshot),
        },
    )
