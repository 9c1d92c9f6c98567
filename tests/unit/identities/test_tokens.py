"""Who a token speaks for, and which tokens are not believed."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest

from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.identities.proofs import TokenError
from fastagi_server.identities.token_keys import from_secret
from fastagi_server.identities.tokens import TokenVerifier
from tests.unit.identities.token_samples import (
    ALICE,
    FOR_EVER,
    SECRET,
    FixedKeys,
    pem,
    private_key,
    token,
    trusted,
)

ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"]


def verifier(**expected: str) -> TokenVerifier:
    """A verifier that trusts one key of each algorithm."""
    return TokenVerifier(FixedKeys(*map(trusted, ALGORITHMS)), **expected)


def part(content: object) -> bytes:
    """One part of a token."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


async def refused(text: bytes, **expected: str) -> str:
    """Why the token is not believed."""
    with pytest.raises(TokenError) as refusal:
        await verifier(**expected).read(text)
    return str(refusal.value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_algorithm(algorithm: str) -> None:
    """A token signed with a trusted key tells the user and until when it counts."""
    identity, until = await verifier().read(token(algorithm=algorithm))
    assert identity == Identity("alice", frozenset({Scope.CALLS}))
    assert identity.credential == "token"
    assert until == FOR_EVER + 10


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, {Scope.CALLS}),
        ({"scope": "openid email"}, {Scope.CALLS}),
        ({"scope": "openid voip.operator"}, {Scope.OPERATOR}),
        ({"scopes": ["voip.call", "voip.service"]}, {Scope.CALLS, Scope.SERVICE}),
        ({"permissions": ["voip.call.initiate"]}, {Scope.CALLS}),
        ({"scp": ["voip.room.join"], "roles": ["voip.operator"]}, {Scope.CALLS, Scope.OPERATOR}),
        ({"roles": ["operator", "service", "admin"]}, {Scope.CALLS}),
        ({"scope": 7, "roles": [1, None, {"voip.operator": 1}]}, {Scope.CALLS}),
    ],
)
async def test_scopes(claims: dict[str, Any], scopes: set[Scope]) -> None:
    """Scopes come from words about telephony only; without any the holder is a user."""
    identity, _ = await verifier().read(token({**ALICE, **claims}))
    assert identity.scopes == scopes


async def test_key_is_asked_for_by_name() -> None:
    """The algorithm and the name of the key are what chooses among the trusted keys."""
    keys = FixedKeys(trusted("HS256"))
    await TokenVerifier(keys).read(token(kid="2026-11"))
    assert keys.asked == [("HS256", "2026-11")]


async def test_several_keys_of_an_algorithm_are_tried() -> None:
    """While keys are rolled over, tokens of both are good."""
    other = jwt.encode(ALICE, b"another secret of thirty-two bytes ...", "HS256").encode()
    keys = FixedKeys(trusted("HS256"))
    both = TokenVerifier(keys)
    with pytest.raises(TokenError):
        await both.read(other)
    keys.keys = (trusted("HS256"), from_secret(b"another secret of thirty-two bytes ..."))
    assert (await both.read(other))[0].name == "alice"


async def test_audience_and_issuer() -> None:
    """Where they are expected, a token must name both, among others perhaps."""
    expected = {"audience": "voip", "issuer": "https://id.example"}
    good = {**ALICE, "aud": ["mail", "voip"], "iss": "https://id.example"}
    assert (await verifier(**expected).read(token(good)))[0].name == "alice"
    elsewhere = "The token is for another audience or by another issuer"
    assert await refused(token({**good, "aud": "mail"}), **expected) == elsewhere
    assert await refused(token({**good, "iss": "https://id.example.evil"}), **expected) == elsewhere
    for missing in ("aud", "iss"):
        claims = {name: value for name, value in good.items() if name != missing}
        assert await refused(token(claims), **expected) == "The token's claims cannot be read"


async def test_audience_is_not_checked_unless_expected() -> None:
    """A token for some audience is good where none is set."""
    identity, _ = await verifier().read(token({**ALICE, "aud": "mail"}))
    assert identity.name == "alice"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "The token has expired"),
        ({"nbf": FOR_EVER}, "The token is not valid yet"),
        ({"exp": None}, "The token's claims cannot be read"),
        ({"exp": "soon"}, "The token's claims cannot be read"),
        ({"sub": None}, "The token's claims cannot be read"),
        ({"sub": ""}, "The token's subject is not a user id"),
        ({"sub": "al ice"}, "The token's subject is not a user id"),
        ({"sub": "SIP/1001"}, "The token's subject is not a user id"),
        ({"sub": "a" * 257}, "The token's subject is not a user id"),
        ({"sub": "service"}, "The token's subject is not a user id"),
        ({"sub": "Asterisk"}, "The token's subject is not a user id"),
    ],
)
async def test_bad_claims(claims: dict[str, Any], reason: str) -> None:
    """A token must be in force, and its subject a user whom the system is not itself."""
    merged = {name: value for name, value in {**ALICE, **claims}.items() if value is not None}
    assert await refused(token(merged)) == reason


@pytest.mark.parametrize("claims", [b'{"exp":1e999,"sub":"a"}', b"[1]", b"\xff", b"{" * 3000])
async def test_claims_that_are_no_claims(claims: bytes) -> None:
    """Even what a trusted key signed is refused when it cannot be read."""
    signed = part({"alg": "HS256"}) + b"." + part(claims)
    signature = part(hmac.digest(SECRET, signed, "sha256"))
    assert await refused(signed + b"." + signature) == "The token's claims cannot be read"


def forged(header: dict[str, Any], secret: bytes) -> bytes:
    """A token with this header whose signature is an HMAC under `secret`."""
    signed = part(header) + b"." + part(ALICE)
    return signed + b"." + part(hmac.new(secret, signed, hashlib.sha256).digest())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_public_key_is_no_secret(algorithm: str) -> None:
    """A token whose HMAC was made with a public key, which all know, is not believed."""
    text = forged({"alg": "HS256"}, pem(algorithm))
    with pytest.raises(TokenError, match="not signed with a trusted key"):
        await TokenVerifier(FixedKeys(trusted(algorithm))).read(text)


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "HS512", "HS384", "RS512", "PS256", "ES384", "", None, 1, ["HS256"]],
)
async def test_other_algorithms(algorithm: object) -> None:
    """Only the four algorithms of the list are taken, spelt as they are."""
    text = forged({"alg": algorithm}, SECRET)
    assert await refused(text) in {
        "The token's algorithm is not allowed",
        "The token is malformed",
    }


async def test_unsigned_token() -> None:
    """A token without a signature is malformed, whatever its header says."""
    text = part({"alg": "none"}) + b"." + part(ALICE) + b"."
    assert await refused(text) == "The token is malformed"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
    ],
)
async def test_keys_in_the_header_are_not_used(header: dict[str, Any]) -> None:
    """A token cannot bring its own key or say where one is."""
    text = forged({"alg": "HS256", **header}, b"A" * 32)
    assert await refused(text) == "The token is not signed with a trusted key"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a.b",
        b"a.b.c",
        b"..",
        b"a.b.c.d",
        b"\xff.\xff.\xff",
        token() + b"=",
        token() + b" ",
        token().replace(b".", b"..", 1),
        part({"alg": "HS256", "kid": 7}) + b".e30.AA",
        part({"alg": "HS256", "kid": "k" * 257}) + b".e30.AA",
        part({"alg": "HS256", "crit": ["exp"]}) + b".e30.AA",
        part(b"[" * 4000) + b".e30.AA",
        part([]) + b".e30.AA",
    ],
)
async def test_malformed(text: bytes) -> None:
    """What is not a token in compact form is refused without a look at any key."""
    assert await refused(text) == "The token is malformed"


async def test_size_limit() -> None:
    """A token of more than 8 KiB is not even parsed."""
    assert await refused(token({**ALICE, "x": "y" * 8192})) == "The token is longer than 8192 bytes"


async def test_no_keys() -> None:
    """Without a key no token is good."""
    with pytest.raises(TokenError, match="not signed with a trusted key"):
        await TokenVerifier(FixedKeys()).read(token())


async def test_stranger_of_the_same_algorithm() -> None:
    """A token signed by somebody else's key of an allowed algorithm is not believed."""
    text = jwt.encode(ALICE, private_key("EdDSA", 1), algorithm="EdDSA").encode()
    assert await refused(text) == "The token is not signed with a trusted key"
