"""Who a JSON Web Token speaks for.

A token is believed when its signature is good under a key that is trusted for just the algorithm
it names, it has not expired, and audience and issuer are the expected ones where any are expected.
Nothing in a token's header but `alg` and `kid` is used, and both only choose among trusted keys.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import jwt

from fastagi_server.identities.identity import Identity, Scope, is_user_name
from fastagi_server.identities.proofs import TokenError
from fastagi_server.identities.token_keys import MAX_KID_LENGTH, TokenKey, TokenKeys

ALGORITHMS = frozenset({"HS256", "RS256", "ES256", "EdDSA"})

MAX_TOKEN_BYTES = 8 * 1024
"""Several times the largest token in practice; a request's head may have 64 KiB."""

MAX_CANDIDATES = 4
"""Keys that one signature is tried with. A set names its keys, or has one for each algorithm."""

LEEWAY_SECONDS = 10
"""How far the issuer's clock may be from ours."""

SCOPE_CLAIMS = ("scope", "scopes", "scp", "permissions", "roles")
"""Where issuers say what a token is good for: words with spaces between, or a list."""

_SCOPES: Mapping[str, Scope] = {
    "voip.call": Scope.CALLS,
    "voip.call.initiate": Scope.CALLS,
    "voip.room.join": Scope.CALLS,
    "voip.moderate": Scope.CALLS,
    "voip.service": Scope.SERVICE,
    "voip.operator": Scope.OPERATOR,
}
"""Words of a token and what they grant. The plain words of our own scopes grant nothing: in an
issuer's list of roles, `operator` is likely to mean something else."""

_DEFAULT = frozenset({Scope.CALLS})
"""Of a token that has no word about telephony: its holder is a user."""

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""Three parts, each with something in it, without padding (RFC 7515, 7.1)."""


class TokenVerifier:
    """Reads tokens signed with one of `keys`.

    An empty `audience` or `issuer` is not checked; otherwise the claim must be there and match.
    """

    def __init__(self, keys: TokenKeys, *, audience: str = "", issuer: str = "") -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        required = ["exp", "sub"]
        required += ["aud"] if audience else []
        required += ["iss"] if issuer else []
        self._options: Any = {"require": required, "verify_aud": bool(audience)}

    async def read(self, token: bytes) -> tuple[Identity, float]:
        """See `proofs.TokenReader`."""
        algorithm, kid = _head(token)
        keys = [key for key in await self._keys.find(algorithm, kid) if key.algorithm == algorithm]
        claims = self._claims(token, keys[:MAX_CANDIDATES])
        subject = claims["sub"]
        if not is_user_name(subject):
            raise TokenError("The token's subject is not a user id")
        expires_at = float(claims["exp"])
        identity = Identity(subject, _scopes(claims), "token", expires_at)
        return identity, expires_at + LEEWAY_SECONDS

    def _claims(self, token: bytes, keys: Iterable[TokenKey]) -> dict[str, Any]:
        for key in keys:
            try:
                return jwt.decode(
                    token,
                    key.key,
                    algorithms=[key.algorithm],
                    options=self._options,
                    audience=self._audience or None,
                    issuer=self._issuer or None,
                    leeway=LEEWAY_SECONDS,
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise TokenError("The token has expired") from None
            except jwt.ImmatureSignatureError:
                raise TokenError("The token is not valid yet") from None
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
                raise TokenError("The token is for another audience or by another issuer") from None
            except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
                raise TokenError("The token's claims cannot be read") from None
        raise TokenError("The token is not signed with a trusted key")


def _head(token: bytes) -> tuple[str, str | None]:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError(f"The token is longer than {MAX_TOKEN_BYTES} bytes")
    if _COMPACT.fullmatch(token) is None:
        raise TokenError("The token is malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenError("The token is malformed") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenError("The token's algorithm is not allowed")
    if kid is not None and (not isinstance(kid, str) or len(kid) > MAX_KID_LENGTH):
        raise TokenError("The token is malformed")
    return algorithm, kid


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    words = (word for claim in SCOPE_CLAIMS for word in _words(claims.get(claim)))
    return frozenset(_SCOPES[word] for word in words if word in _SCOPES) or _DEFAULT


def _words(claim: object) -> list[str]:
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list):
        return [word for word in cast("list[object]", claim) if isinstance(word, str)]
    return []
