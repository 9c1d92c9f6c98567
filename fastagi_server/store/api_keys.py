"""API keys: made once, shown once, kept as digests."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database

MAX_LISTED = 10_000

_FINGERPRINT_DIGITS = 12

_keys = schema.api_keys.c
_FIND = select(_keys.name, _keys.scopes).where(
    _keys.digest == bindparam("sought"), _keys.revoked_at.is_(None)
)
_ALL = (
    select(_keys.digest, _keys.name, _keys.scopes, _keys.created_at, _keys.revoked_at)
    .order_by(_keys.created_at, _keys.digest)
    .limit(MAX_LISTED)
)
_OF_NAME = select(_keys.digest).where(
    _keys.name == bindparam("of_name"), _keys.revoked_at.is_(None)
)
_ADD = insert(schema.api_keys)
_REVOKE = update(schema.api_keys).where(_keys.digest == bindparam("of_digest"))
_SCOPES = {str(scope): scope for scope in Scope}


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key; `fingerprint` names it, and is no part of it."""

    fingerprint: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None


class StoredKeys:
    """The API keys in a database."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def find(self, digest: bytes) -> Identity | None:
        """The owner of the key with this SHA-256 digest, or None when unknown or revoked."""
        return await self._database.read(lambda connection: _find(connection, digest))

    async def all(self) -> Sequence[KeyRecord]:
        """Every key that was ever made, oldest first, at most 10,000."""
        return await self._database.read(_all)

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

    async def revoke(self, name: str, fingerprint: str | None = None) -> int:
        """Revoke every key of this name, or one of them; returns how many there were."""
        moment = self._now()
        return await self._database.write(
            lambda connection: _revoke(connection, name, fingerprint, moment)
        )


def _find(connection: Connection, digest: bytes) -> Identity | None:
    row = connection.row(_FIND, {"sought": digest})
    if row is None:
        return None
    name, scopes = row
    return Identity(name, _known(scopes))


def _all(connection: Connection) -> Sequence[KeyRecord]:
    return [
        KeyRecord(_fingerprint(digest), name, _known(scopes), created_at, revoked_at)
        for digest, name, scopes, created_at, revoked_at in connection.rows(_ALL, {})
    ]


def _add(connection: Connection, row: Mapping[str, object]) -> None:
    connection.run(_ADD, row)


def _revoke(connection: Connection, name: str, fingerprint: str | None, moment: datetime) -> int:
    good = [digest for (digest,) in connection.rows(_OF_NAME, {"of_name": name})]
    revoked = [
        {"of_digest": digest, "revoked_at": moment}
        for digest in good
        if fingerprint in {None, _fingerprint(digest)}
    ]
    return connection.run(_REVOKE, *revoked) if revoked else 0


def _known(scopes: Sequence[Any]) -> frozenset[Scope]:
    # A scope that a newer version wrote grants nothing here.
    return frozenset(_SCOPES[scope] for scope in scopes if scope in _SCOPES)


def _fingerprint(digest: bytes) -> str:
    return bytes(digest).hex()[:_FINGERPRINT_DIGITS]
