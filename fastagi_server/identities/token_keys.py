"""Keys that tokens are checked with: from a shared secret, a PEM file or a JWK set.

Every key is good for one algorithm only, so that a token cannot choose how a key is used: a public
key is never taken for the secret of an HMAC. What a set holds beyond that (other key types, keys
for encryption, private or weak keys) is left out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt import PyJWK, PyJWTError

MIN_SECRET_BYTES = 32
"""A secret must not be easier to guess than the SHA-256 it keys (RFC 7518, 3.2)."""

MIN_RSA_BITS = 2048
"""RFC 7518, 3.3."""

MAX_KEYS = 100
"""Keys of one set that are looked at; the sets of real issuers have fewer than ten."""

MAX_KID_LENGTH = 256

_PUBLIC_KEY_TYPES = ("RSA", "EC", "OKP")

Key = bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class TokenKeyError(ValueError):
    """What should be a key cannot be used as one; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key, the one algorithm it is good for, and its name in the set, if it has one."""

    algorithm: str
    key: Key
    kid: str | None = None


class TokenKeys(Protocol):
    """Where the keys are found that a token may have been signed with."""

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        """The keys that may have made a signature of this algorithm under this name.

        Raises TokenKeysUnavailableError (of proofs) when there are none to choose from yet.
        """
        ...


def from_secret(secret: bytes) -> TokenKey:
    """The key of HS256. Raises TokenKeyError for a secret that is short, or a key in disguise."""
    if len(secret) < MIN_SECRET_BYTES:
        raise TokenKeyError(f"the secret must have at least {MIN_SECRET_BYTES} bytes")
    if b"-----BEGIN" in secret:
        raise TokenKeyError("the secret is a key or a certificate in PEM form")
    return TokenKey("HS256", secret)


def from_pem(text: bytes) -> TokenKey:
    """The key in a PEM file, a public key or a certificate. Raises TokenKeyError."""
    try:
        if b"-----BEGIN CERTIFICATE" in text:
            key: object = load_pem_x509_certificate(text).public_key()
        else:
            key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise TokenKeyError("there is no public key in PEM form") from None
    return _from_public_key(key, None)


def from_jwks(text: bytes) -> tuple[TokenKey, ...]:
    """The usable keys of a JWK set (RFC 7517). Raises TokenKeyError when there are none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise TokenKeyError("the key set is not JSON") from None
    listed = cast("Mapping[str, Any]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise TokenKeyError("the key set has no list of keys")
    keys = tuple(_usable(cast("list[object]", listed)[:MAX_KEYS]))
    if not keys:
        raise TokenKeyError("the key set has no key for RS256, ES256 or EdDSA")
    return keys


def _usable(listed: Iterable[object]) -> Iterable[TokenKey]:
    for entry in listed:
        if not isinstance(entry, dict):
            continue
        jwk = cast("dict[str, Any]", entry)
        if jwk.get("kty") not in _PUBLIC_KEY_TYPES or jwk.get("use", "sig") != "sig":
            continue
        try:
            key = _from_public_key(PyJWK(jwk).key, _kid(jwk))
        except (PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if jwk.get("alg", key.algorithm) == key.algorithm:
            yield key


def _kid(jwk: Mapping[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if kid is None or (isinstance(kid, str) and len(kid) <= MAX_KID_LENGTH):
        return kid
    raise TokenKeyError("the key's name is no short text")


def _from_public_key(key: object, kid: str | None) -> TokenKey:
    match key:
        case RSAPublicKey():
            if key.key_size < MIN_RSA_BITS:
                raise TokenKeyError(f"an RSA key must have at least {MIN_RSA_BITS} bits")
            return TokenKey("RS256", key, kid)
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return TokenKey("ES256", key, kid)
        case Ed25519PublicKey():
            return TokenKey("EdDSA", key, kid)
        case _:
            raise TokenKeyError("the key is none for RS256, ES256 (P-256) or EdDSA (Ed25519)")
