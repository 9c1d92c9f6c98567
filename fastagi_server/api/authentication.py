"""Finds out who sends a request, by API key.

A key comes as `X-API-Key: <key>` or as `Authorization: Bearer <key>`; where both are sent, the
first counts. Only digests are kept and compared, so neither memory nor timing gives a key away.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable

from fastagi_server.api.errors import ApiError
from fastagi_server.calls.identity import Identity, KeyRing, Scope

SERVICE = Identity("service", frozenset({Scope.SERVICE}))
"""Whoever holds the bootstrap key: the AGI side of the same installation."""

REMEMBERED_SECONDS = 2.0
"""How long a key that was found is not looked up again, and so how long it outlives its
revocation."""

MAX_REMEMBERED = 1024


class Authenticator:
    """Tells identities by the headers of a request.

    `bootstrap_key` is a key with service scope that no store needs to know; None for no such key.
    """

    def __init__(
        self,
        *,
        keys: KeyRing,
        bootstrap_key: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._bootstrap = _digest(bootstrap_key.encode()) if bootstrap_key else None
        self._clock = clock
        self._remembered: dict[bytes, tuple[float, Identity]] = {}

    async def identify(self, headers: Iterable[tuple[bytes, bytes]]) -> Identity:
        """The identity that these raw headers prove. Raises ApiError 401."""
        key = _presented_key(headers)
        if key is None:
            raise _unauthorized("No API key: send X-API-Key or Authorization: Bearer")
        digest = _digest(key)
        if self._bootstrap is not None and hmac.compare_digest(digest, self._bootstrap):
            return SERVICE
        identity = await self._find(digest)
        if identity is None:
            raise _unauthorized("The API key is unknown or revoked")
        return identity

    async def _find(self, digest: bytes) -> Identity | None:
        now = self._clock()
        known = self._remembered.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        self._remembered.pop(digest, None)
        identity = await self._keys.find(digest)
        if identity is not None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = (now + REMEMBERED_SECONDS, identity)
        return identity


def _presented_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    bearer = None
    for name, value in headers:
        if name == b"x-api-key" and value:
            return value
        if name == b"authorization":
            scheme, _, credential = value.partition(b" ")
            if scheme.lower() == b"bearer":
                bearer = credential.strip() or None
    return bearer


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, message, headers={"WWW-Authenticate": "Bearer"})
