"""Finds out who sends a request, by API key, token, operator's password or client certificate.

A key comes as `X-API-Key: <key>` or as `Authorization: Bearer <key>`, a JSON Web Token as the
latter; where both headers are sent, the first counts. A password (HTTP Basic) counts only where
the route says so. A certificate counts when nothing else is sent. Of keys and tokens only digests
are kept and compared, so neither memory nor timing gives one away.

Wrong credentials are counted by address. An address that sent too many gets 429 for further wrong
ones, and its passwords are not checked any more; keys and tokens that are good stay good, so that
nobody locks out the others behind his address. Wrong passwords are counted by account as well:
one that too many were tried for is checked only for addresses that it was opened from before.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from fastagi_server.api.errors import ApiError
from fastagi_server.api.limits import Limits
from fastagi_server.identities.certificates import CertificateTable
from fastagi_server.identities.identity import Identity, KeyRing, Scope
from fastagi_server.identities.proofs import (
    Accounts,
    AccountsBusyError,
    TokenError,
    TokenKeysUnavailableError,
    TokenReader,
    is_token,
)

SERVICE = Identity("service", frozenset({Scope.SERVICE}))
"""Whoever holds the bootstrap key: the AGI side of the same installation."""

REMEMBERED_SECONDS = 2.0
"""How long a key or token that was found good is not looked at again, and so how long it outlives
its revocation."""

MAX_REMEMBERED = 1024

_SOON = {"Retry-After": "5"}
_BEARER = "Bearer"
_BEARER_OR_BASIC = 'Bearer, Basic realm="sge", charset="UTF-8"'

Headers = Iterable[tuple[bytes, bytes]]


class Authenticator:
    """Tells identities by the headers of a request, or by its connection's certificate.

    `bootstrap_key` is a key with service scope that no store needs to know; None for no such key.
    Without `tokens` no token is good, and without `accounts` no password. `clock` is monotonic,
    `wall_clock` counts seconds since 1970.
    """

    def __init__(
        self,
        *,
        keys: KeyRing,
        bootstrap_key: str | None,
        limits: Limits,
        tokens: TokenReader | None = None,
        accounts: Accounts | None = None,
        certificates: CertificateTable | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._bootstrap = _digest(bootstrap_key.encode()) if bootstrap_key else None
        self._limits = limits
        self._tokens = tokens
        self._accounts = accounts
        self._certificates = certificates or CertificateTable({})
        self._clock = clock
        self._wall_clock = wall_clock
        self._remembered: dict[bytes, tuple[float, Identity]] = {}

    async def identify(
        self,
        headers: Headers,
        *,
        address: str = "",
        certificate: Mapping[str, Any] | None = None,
        with_password: bool = False,
    ) -> Identity:
        """The identity that is proved by these raw headers, else by this certificate.

        `certificate` is what `ssl.SSLObject.getpeercert` gives. Raises ApiError: 401, 429 for too
        many wrong credentials of this `address`, 503 when a credential cannot be checked now.
        """
        kind, credential = _presented(headers)
        if kind == b"basic" and with_password and self._accounts is not None:
            return await self._by_password(self._accounts, credential, address)
        if kind in {b"key", b"bearer"}:
            return await self._by_key_or_token(credential, address, is_bearer=kind == b"bearer")
        identity = None if certificate is None else self._certificates.find(certificate)
        if identity is None:
            challenge = _BEARER_OR_BASIC if with_password and self._accounts else _BEARER
            raise _unauthorized("No API key: send X-API-Key or Authorization: Bearer", challenge)
        return identity

    async def _by_key_or_token(
        self, credential: bytes, address: str, *, is_bearer: bool
    ) -> Identity:
        digest = _digest(credential)
        if self._bootstrap is not None and hmac.compare_digest(digest, self._bootstrap):
            return SERVICE
        now = self._clock()
        until, known = self._remembered.get(digest, (0.0, None))
        if known is not None and now < until:
            return known
        self._remembered.pop(digest, None)
        if is_bearer and self._tokens is not None and is_token(credential):
            identity, lifetime = await self._by_token(self._tokens, credential, address)
        else:
            found = await self._keys.find(digest)
            if found is None:
                self._refuse(address, "The API key is unknown or revoked", _BEARER)
            identity, lifetime = found, REMEMBERED_SECONDS
        self._remember(digest, identity, now + min(lifetime, REMEMBERED_SECONDS))
        return identity

    async def _by_token(
        self, tokens: TokenReader, token: bytes, address: str
    ) -> tuple[Identity, float]:
        try:
            identity, until = await tokens.read(token)
        except TokenError as error:
            self._refuse(address, str(error), f'{_BEARER} error="invalid_token"')
        except TokenKeysUnavailableError:
            raise ApiError(
                503, "Tokens cannot be checked now", code="token_keys_unavailable", headers=_SOON
            ) from None
        return identity, until - self._wall_clock()

    async def _by_password(self, accounts: Accounts, credential: bytes, address: str) -> Identity:
        name, password = _name_and_password(credential)
        identity = accounts.remembered(name, password)
        if identity is not None:
            return identity
        self._limits.check_failures(address)
        self._limits.check_account(name, address)
        try:
            identity = await accounts.check(name, password)
        except AccountsBusyError:
            raise ApiError(
                503, "Too many passwords are being checked", code="busy", headers=_SOON
            ) from None
        if identity is None:
            self._limits.count_account_failure(name)
            self._refuse(address, "Name or password is wrong", _BEARER_OR_BASIC)
        self._limits.note_account(name, address)
        return identity

    def _refuse(self, address: str, message: str, challenge: str) -> NoReturn:
        self._limits.count_failure(address)
        raise _unauthorized(message, challenge)

    def _remember(self, digest: bytes, identity: Identity, until: float) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (until, identity)


def _presented(headers: Headers) -> tuple[bytes, bytes]:
    """Kind (`key`, or an authentication scheme in lower case) and credential; empty for none."""
    presented = (b"", b"")
    for name, value in headers:
        if name == b"x-api-key" and value:
            return b"key", value
        if name == b"authorization":
            scheme, _, credential = value.partition(b" ")
            if credential.strip():
                presented = scheme.lower(), credential.strip()
    return presented


def _name_and_password(credential: bytes) -> tuple[bytes, bytes]:
    try:
        name, _, password = base64.b64decode(credential, validate=True).partition(b":")
    except binascii.Error:
        return b"", b""
    return name, password


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _unauthorized(message: str, challenge: str) -> ApiError:
    return ApiError(401, message, headers={"WWW-Authenticate": challenge})
