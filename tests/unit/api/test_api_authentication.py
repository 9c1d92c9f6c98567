"""Telling identities by the headers of a request."""

import hashlib

import pytest

from fastagi_server.api import authentication
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.errors import ApiError
from fastagi_server.calls.identity import Identity, Scope

ALICE = Identity("alice", frozenset({Scope.CALLS}))


class _Ring:
    """Two keys of one owner, and how often they were looked up."""

    def __init__(self) -> None:
        self.owner: Identity | None = ALICE
        self.sought = 0
        self.digests = {hashlib.sha256(key).digest() for key in (b"sk_alice", b"sk_other")}

    async def find(self, digest: bytes) -> Identity | None:
        self.sought += 1
        return self.owner if digest in self.digests else None


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def authenticator(ring: _Ring, clock: _Clock, bootstrap_key: str | None = "boot") -> Authenticator:
    """An authenticator with one stored key and a bootstrap key."""
    return Authenticator(keys=ring, bootstrap_key=bootstrap_key, clock=clock)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", b"sk_alice")],
        [(b"authorization", b"Bearer sk_alice")],
        [(b"authorization", b"bearer   sk_alice ")],
        [(b"host", b"x"), (b"x-api-key", b""), (b"authorization", b"Bearer sk_alice")],
        [(b"authorization", b"Bearer wrong"), (b"x-api-key", b"sk_alice")],
        [(b"authorization", b"Basic d3Jvbmc="), (b"x-api-key", b"sk_alice")],
    ],
)
async def test_stored_key(headers: list[tuple[bytes, bytes]]) -> None:
    """A key is taken from X-API-Key first, then from a bearer token, and tells its owner."""
    assert await authenticator(_Ring(), _Clock()).identify(headers) == ALICE


@pytest.mark.parametrize("header", [(b"x-api-key", b"boot"), (b"authorization", b"Bearer boot")])
async def test_bootstrap_key(header: tuple[bytes, bytes]) -> None:
    """The bootstrap key is the service itself, and no store is asked."""
    ring = _Ring()
    service = await authenticator(ring, _Clock()).identify([header])
    assert service == Identity("service", frozenset({Scope.SERVICE}))
    assert ring.sought == 0


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "No API key: send X-API-Key or Authorization: Bearer"),
        ([(b"x-api-key", b"")], "No API key: send X-API-Key or Authorization: Bearer"),
        ([(b"authorization", b"Bearer")], "No API key: send X-API-Key or Authorization: Bearer"),
        ([(b"authorization", b"Basic Ym9vdA==")], "No API key: send X-API-Key or Authorization"),
        ([(b"x-api-key", b"sk_bob")], "The API key is unknown or revoked"),
        ([(b"x-api-key", b"\xff\x00")], "The API key is unknown or revoked"),
    ],
)
async def test_no_identity(headers: list[tuple[bytes, bytes]], message: str) -> None:
    """Without a known key the answer is 401, with the way to authenticate."""
    with pytest.raises(ApiError, match=message) as refusal:
        await authenticator(_Ring(), _Clock()).identify(headers)
    assert refusal.value.status_code == 401
    assert refusal.value.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("bootstrap_key", [None, ""])
async def test_no_bootstrap_key(bootstrap_key: str | None) -> None:
    """Where no bootstrap key is set, an empty key opens nothing."""
    with pytest.raises(ApiError):
        await authenticator(_Ring(), _Clock(), bootstrap_key).identify([(b"x-api-key", b"")])


async def test_found_key_is_remembered_for_a_moment() -> None:
    """A key is looked up once in two seconds, so a revocation counts two seconds later."""
    ring, clock = _Ring(), _Clock()
    keys = authenticator(ring, clock)
    headers = [(b"x-api-key", b"sk_alice")]
    await keys.identify(headers)
    ring.owner = None
    clock.seconds = 1.9
    assert await keys.identify(headers) == ALICE
    clock.seconds = 2.0
    with pytest.raises(ApiError):
        await keys.identify(headers)
    assert ring.sought == 2


async def test_unknown_key_is_looked_up_each_time() -> None:
    """A key that is made after a refused try works at once."""
    ring = _Ring()
    keys = authenticator(ring, _Clock())
    ring.owner = None
    with pytest.raises(ApiError):
        await keys.identify([(b"x-api-key", b"sk_alice")])
    ring.owner = ALICE
    assert await keys.identify([(b"x-api-key", b"sk_alice")]) == ALICE


async def test_memory_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many keys are remembered, they are looked up again rather than kept."""
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 1)
    ring = _Ring()
    keys = authenticator(ring, _Clock())
    await keys.identify([(b"x-api-key", b"sk_alice")])
    await keys.identify([(b"x-api-key", b"sk_other")])
    ring.owner = None
    assert await keys.identify([(b"x-api-key", b"sk_other")]) == ALICE
    with pytest.raises(ApiError):
        await keys.identify([(b"x-api-key", b"sk_alice")])
