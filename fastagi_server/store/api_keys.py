"""API keys: made once, shown once, kept as digests."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from fastagi_server.calls.identity import Identity, Scope
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database

_keys = schema.api_keys.c
_FIND = select(_keys.name, _keys.scopes).where(
    _keys.digest == bindparam("sought"), _keys.revoked_at.is_(None)
)
_ADD = insert(schema.api_keys)
_REVOKE = update(schema.api_keys).where(
    _keys.name == bindparam("of_name"), _keys.revoked_at.is_(None)
)
_SCOPES = {str(scope): scope for scope in Scope}


class StoredKeys:
    """The API keys in a database."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def find(self, digest: bytes) -> Identity | None:
        """The owner of the key with this SHA-256 digest, or None when unknown or revoked."""
        return await self._database.read(lambda connection: _find(connection, digest))

    async def add(self, name: str, scopes: frozenset[Scope]) -> str:
        """Make a key for this name. The text that is returned exists nowhere else."""
        key = f"sk_{secrets.token_urlsafe(32)}"
        row = {
            "digest": hashlib.sha256(key.encode()).digest(),
            "name": name,
            "scopes": sorted(scopes),
            "created_at": self._now(),
        }
        await self._database.write(lambda connection: _add(connection, row))
        return key

    async def revoke(self, name: str) -> int:
        """Revoke every key of this name; returns how many there were."""
        moment = self._now()
        return await self._database.write(lambda connection: _revoke(connection, name, moment))


def _find(connection: Connection, digest: bytes) -> Identity | None:
    row = connection.row(_FIND, {"sought": digest})
    if row is None:
        return None
    name, scopes = row
    # A scope that a newer version wrote grants nothing here.
    return Identity(name, frozenset(_SCOPES[scope] for scope in scopes if scope in _SCOPES))


def _add(connection: Connection, row: Mapping[str, object]) -> None:
    connection.run(_ADD, row)


def _revoke(connection: Connection, name: str, moment: datetime) -> int:
    return connection.run(_REVOKE, {"of_name": name, "revoked_at": moment})
