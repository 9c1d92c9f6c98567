"""API keys on every kind of database."""

import hashlib

from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store.opening import Store

USER = frozenset({Scope.CALLS})


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


async def test_key_is_found_by_its_digest(store: Store) -> None:
    """A key tells its owner and scopes; no other key does."""
    key = await store.api_keys.add("pbx", frozenset({Scope.SERVICE, Scope.OPERATOR}))
    found = await store.api_keys.find(digest(key))
    assert found == Identity("pbx", frozenset({Scope.SERVICE, Scope.OPERATOR}))
    assert await store.api_keys.find(digest(key + "x")) is None


async def test_list(store: Store) -> None:
    """Keys are listed oldest first under a fingerprint that is no part of them."""
    keys = [await store.api_keys.add(name, USER) for name in ("alice", "bob")]
    await store.api_keys.revoke("alice")
    first, second = await store.api_keys.all()
    assert [first.name, second.name] == ["alice", "bob"]
    assert [first.fingerprint, second.fingerprint] == [digest(key).hex()[:12] for key in keys]
    assert first.scopes == USER
    assert second.revoked_at is None
    assert first.revoked_at is not None
    assert first.revoked_at >= first.created_at


async def test_revoking(store: Store) -> None:
    """Keys are revoked by name, or one of them by fingerprint, and stay as they were revoked."""
    one, two = [await store.api_keys.add("alice", USER) for _ in range(2)]
    bobs = await store.api_keys.add("bob", USER)
    assert await store.api_keys.revoke("bob", digest(one).hex()[:12]) == 0
    assert await store.api_keys.revoke("alice", digest(one).hex()[:12]) == 1
    assert await store.api_keys.find(digest(one)) is None
    assert await store.api_keys.find(digest(two)) is not None
    revoked_at = {key.fingerprint: key.revoked_at for key in await store.api_keys.all()}
    assert await store.api_keys.revoke("alice") == 1
    assert await store.api_keys.revoke("alice") == 0
    assert await store.api_keys.find(digest(two)) is None
    assert await store.api_keys.find(digest(bobs)) is not None
    again = {key.fingerprint: key.revoked_at for key in await store.api_keys.all()}
    assert again[digest(one).hex()[:12]] == revoked_at[digest(one).hex()[:12]]
