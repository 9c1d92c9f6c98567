"""Keys from secrets, PEM files and key sets."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fastagi_server.identities.token_keys import (
    TokenKeyError,
    from_jwks,
    from_pem,
    from_secret,
)
from tests.unit.identities.token_samples import jwk, jwks, pem, private_key


def encoded(key: Any) -> bytes:
    """A public key in PEM form."""
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text


def test_secret() -> None:
    """A secret is the key of HS256."""
    key = from_secret(b"s" * 32)
    assert (key.algorithm, key.key, key.kid) == ("HS256", b"s" * 32, None)


@pytest.mark.parametrize("secret", [b"", b"s" * 31, b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 64])
def test_bad_secret(secret: bytes) -> None:
    """A secret that can be guessed, or that is somebody's public key, is refused."""
    with pytest.raises(TokenKeyError):
        from_secret(secret)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_pem(algorithm: str) -> None:
    """The kind of a public key decides its one algorithm."""
    assert from_pem(pem(algorithm)).algorithm == algorithm


def test_certificate() -> None:
    """The key in a certificate is as good."""
    key = private_key("ES256")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert from_pem(certificate.public_bytes(Encoding.PEM)).algorithm == "ES256"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        encoded(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        encoded(ec.generate_private_key(ec.SECP384R1())),
    ],
)
def test_bad_pem(text: bytes) -> None:
    """What is no key, too weak, or of a curve without an allowed algorithm, is refused."""
    with pytest.raises(TokenKeyError):
        from_pem(text)


def test_key_set() -> None:
    """A key set gives each key its name and its algorithm."""
    keys = from_jwks(
        jwks(jwk("RS256", kid="r", use="sig"), jwk("ES256", kid="e", alg="ES256"), jwk("EdDSA"))
    )
    assert [(key.algorithm, key.kid) for key in keys] == [
        ("RS256", "r"),
        ("ES256", "e"),
        ("EdDSA", None),
    ]


@pytest.mark.parametrize(
    "unusable",
    [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "o"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "weak"},
        {"kty": "RSA", "kid": "empty"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "XYZ"},
        {},
        {"kty": ["RSA"]},
        "a text",
        None,
        7,
        jwk("RS256", use="enc"),
        jwk("RS256", alg="RS512"),
        jwk("RS256", kid=7),
        jwk("RS256", kid="k" * 257),
    ],
)
def test_unusable_keys_of_a_set_are_left_out(unusable: Any) -> None:
    """A shared secret, a weak key or nonsense in a set does not hurt the keys beside it."""
    keys = from_jwks(jwks(unusable, jwk("EdDSA", kid="good")))
    assert [key.kid for key in keys] == ["good"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}]}).encode(),
    ],
)
def test_bad_key_set(text: bytes) -> None:
    """What is no key set, or holds no usable key, is refused."""
    with pytest.raises(TokenKeyError):
        from_jwks(text)


def test_key_set_is_bounded() -> None:
    """Only the first hundred keys are looked at."""
    keys = from_jwks(jwks(*[{"kty": "oct"}] * 99, jwk("EdDSA", kid="a"), jwk("EdDSA", kid="b")))
    assert [key.kid for key in keys] == ["a"]
