"""Laws of tokens: what was not signed as it is speaks for nobody, and nothing breaks the reader."""

import asyncio
import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.identities.identity import TRUSTED, is_user_name
from fastagi_server.identities.proofs import TokenError
from fastagi_server.identities.token_keys import TokenKeyError, from_jwks
from fastagi_server.identities.tokens import ALGORITHMS, TokenVerifier
from tests.unit.identities.token_samples import ALICE, FixedKeys, token, trusted

KEYS = FixedKeys(*map(trusted, sorted(ALGORITHMS)))
VERIFIER = TokenVerifier(KEYS)
TOKENS = {algorithm: token(algorithm=algorithm) for algorithm in sorted(ALGORITHMS)}

algorithms = st.sampled_from(sorted(ALGORITHMS))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(text: bytes) -> str | None:
    """The name in a token; None when it is not believed."""
    try:
        identity, _ = asyncio.run(VERIFIER.read(text))
    except TokenError:
        return None
    return identity.name


@given(algorithms, st.integers(min_value=0), st.binary(min_size=1, max_size=3))
def test_a_changed_token_is_not_believed(algorithm: str, place: int, change: bytes) -> None:
    """Whatever is put in the place of whatever part, the token is worth nothing."""
    text = TOKENS[algorithm]
    start = place % len(text)
    changed = text[:start] + change + text[start + len(change) :]
    assert read(changed) is None or changed == text


@given(algorithms, st.integers(min_value=0, max_value=2), st.integers(min_value=1))
def test_a_flipped_bit_is_not_believed(algorithm: str, part: int, place: int) -> None:
    """One bit of header, claims or signature that is another makes the token worth nothing."""
    parts = TOKENS[algorithm].split(b".")
    content = bytearray(base64.urlsafe_b64decode(parts[part] + b"=="))
    content[place // 8 % len(content)] ^= 1 << place % 8
    parts[part] = base64.urlsafe_b64encode(content).rstrip(b"=")
    assert read(b".".join(parts)) is None


@given(algorithms, algorithms)
def test_parts_of_two_tokens(first: str, second: str) -> None:
    """The parts of two good tokens together make a good one only if they are the same parts."""
    other = token({**ALICE, "sub": "bob"}, algorithm=second)
    header, claims, signature = TOKENS[first].split(b".")
    assert read(b".".join((header, other.split(b".")[1], signature))) is None
    assert read(b".".join((header, claims, other.split(b".")[2]))) is None


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=60), max_size=4).map(b".".join))
def test_any_bytes(text: bytes) -> None:
    """Bytes that nobody signed are refused in the one way that refusals have."""
    assert read(text) is None


@given(st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ"]), json_values))
def test_any_header(header: dict[str, object]) -> None:
    """No header makes the reader fail, or a signature good that is none."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    assert read(head + b"." + TOKENS["HS256"].partition(b".")[2]) is None


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["sub", "exp", "nbf", "iat", "scope", "roles"]), json_values)
)
def test_any_signed_claims(claims: dict[str, object]) -> None:
    """Claims of any kind under a good signature give a user, or a refusal."""
    try:
        identity, _ = asyncio.run(VERIFIER.read(token({**ALICE, **claims})))
    except TokenError:
        return
    assert is_user_name(identity.name)
    assert TRUSTED.isdisjoint(identity.scopes)


@given(
    st.lists(
        json_values
        | st.dictionaries(
            st.sampled_from(["kty", "n", "e", "crv", "x", "y", "kid", "use", "alg"]),
            json_values | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB"]),
        )
    )
)
def test_any_key_set(listed: list[object]) -> None:
    """A key set of nonsense is refused; nothing else happens."""
    with pytest.raises(TokenKeyError):
        from_jwks(json.dumps({"keys": listed}).encode())
