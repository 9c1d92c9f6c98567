"""Keys and tokens to try: made once, because an RSA key takes a while."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from fastagi_server.identities.token_keys import TokenKey, from_pem, from_secret

SECRET = b"a secret of thirty-two bytes or more"
FOR_EVER = 4_102_444_800
"""The year 2100."""

ALICE = {"sub": "alice", "exp": FOR_EVER}


def private_key(algorithm: str, number: int = 0) -> Any:
    """A private key for this algorithm; another one for each number."""
    return _private_key(algorithm, number)


@cache
def _private_key(algorithm: str, number: int) -> Any:
    del number
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


@cache
def pem(algorithm: str, number: int = 0) -> bytes:
    """The public key of `private_key` in PEM form."""
    public = private_key(algorithm, number).public_key()
    text: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text


def jwk(algorithm: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """The public key of `private_key` as a JWK with these fields added."""
    public = private_key(algorithm, number).public_key()
    to_jwk = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[algorithm].to_jwk
    return {**json.loads(to_jwk(public)), **fields}


def jwks(*keys: Mapping[str, Any]) -> bytes:
    """A key set."""
    return json.dumps({"keys": keys}).encode()


def trusted(algorithm: str) -> TokenKey:
    """The key that tokens of `token` with this algorithm are checked with."""
    return from_secret(SECRET) if algorithm == "HS256" else from_pem(pem(algorithm))


def token(
    claims: Mapping[str, Any] = ALICE, algorithm: str = "HS256", kid: str | None = None
) -> bytes:
    """A token signed with the secret, or with the private key of its algorithm."""
    key = SECRET if algorithm == "HS256" else private_key(algorithm)
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers=headers).encode()


class FixedKeys:
    """Keys that are always all offered, whatever was asked for."""

    def __init__(self, *keys: TokenKey) -> None:
        self.keys = keys
        self.asked: list[tuple[str, str | None]] = []

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        """All keys."""
        self.asked.append((algorithm, kid))
        return self.keys
