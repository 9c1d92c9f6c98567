"""Telling identities by the headers of a request."""

import base64
import hashlib
from typing import Any

import pytest

from fastagi_server.api import authentication
from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.errors import ApiError
from fastagi_server.api.limits import Limits
from fastagi_server.identities.certificates import CertificateTable
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.identities.proofs import (
    AccountsBusyError,
    TokenError,
    TokenKeysUnavailableError,
)
from fastagi_server.telemetry.measures import Measures

ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOB = Identity("bob", frozenset({Scope.CALLS}))
OLGA = Identity("olga", frozenset({Scope.OPERATOR}))
HEADER_OF_OLGA = (b"authorization", b"Basic " + base64.b64encode(b"olga:correct horse"))
CERTIFICATE = {"subject": ((("commonName", "reception"),),)}


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


class _Tokens:
    """One good token, and how often tokens were read."""

    def __init__(self, until: float = 1_000_000.0) -> None:
        self.until = until
        self.read_count = 0
        self.error: Exception | None = None

    async def read(self, token: bytes) -> tuple[Identity, float]:
        self.read_count += 1
        if self.error is not None:
            raise self.error
        if token != b"to.k.en":
            raise TokenError("The token is not signed with a trusted key")
        return BOB, self.until


class _Accounts:
    """One operator, whose password may be remembered."""

    def __init__(self) -> None:
        self.known: Identity | None = None
        self.checks = 0
        self.error: Exception | None = None

    def remembered(self, name: bytes, password: bytes) -> Identity | None:
        return self.known

    async def check(self, name: bytes, password: bytes) -> Identity | None:
        self.checks += 1
        if self.error is not None:
            raise self.error
        return OLGA if (name, password) == (b"olga", b"correct horse") else None


def authenticator(
    ring: _Ring, clock: _Clock, bootstrap_key: str | None = "boot", **others: Any
) -> Authenticator:
    """An authenticator with one stored key and a bootstrap key, and narrow limits.

    An address may be wrong twice and an account's password three times.
    """
    return Authenticator(
        keys=ring,
        bootstrap_key=bootstrap_key,
        limits=Limits(
            measures=Measures(),
            failures_per_minute=2,
            account_failures_per_minute=3,
            clock=clock,
        ),
        clock=clock,
        wall_clock=lambda: 1000.0 + clock.seconds,
        **others,
    )


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


BEARER = (b"authorization", b"Bearer to.k.en")


async def test_token() -> None:
    """A bearer credential in the form of a token is read as one; a key is none."""
    ring, tokens = _Ring(), _Tokens()
    both = authenticator(ring, _Clock(), tokens=tokens)
    assert await both.identify([BEARER]) == BOB
    assert await both.identify([(b"authorization", b"Bearer sk_alice")]) == ALICE
    assert tokens.read_count == 1
    assert ring.sought == 1


async def test_token_is_no_key() -> None:
    """A token in X-API-Key is looked up as a key, and so is one where no token is taken."""
    ring, tokens = _Ring(), _Tokens()
    with pytest.raises(ApiError, match="API key is unknown"):
        await authenticator(ring, _Clock(), tokens=tokens).identify([(b"x-api-key", b"to.k.en")])
    with pytest.raises(ApiError, match="API key is unknown"):
        await authenticator(ring, _Clock()).identify([BEARER])
    assert (ring.sought, tokens.read_count) == (2, 0)


async def test_bad_token() -> None:
    """The refusal of a token says why, for people and for programs."""
    keys = authenticator(_Ring(), _Clock(), tokens=_Tokens())
    with pytest.raises(ApiError, match="not signed with a trusted key") as refusal:
        await keys.identify([(b"authorization", b"Bearer fa.k.e")])
    assert refusal.value.status_code == 401
    assert refusal.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


async def test_token_that_cannot_be_checked() -> None:
    """While the issuer's keys are out of reach, a token is neither good nor bad."""
    tokens = _Tokens()
    tokens.error = TokenKeysUnavailableError()
    with pytest.raises(ApiError) as refusal:
        await authenticator(_Ring(), _Clock(), tokens=tokens).identify([BEARER])
    assert (refusal.value.status_code, refusal.value.code) == (503, "token_keys_unavailable")
    assert refusal.value.headers == {"Retry-After": "5"}


@pytest.mark.parametrize(("until", "remembered_for"), [(1_000_000.0, 2.0), (1001.5, 1.5)])
async def test_token_is_remembered_for_a_moment(until: float, remembered_for: float) -> None:
    """A good token is not read again for two seconds, and never beyond its own end."""
    clock, tokens = _Clock(), _Tokens(until)
    keys = authenticator(_Ring(), clock, tokens=tokens)
    await keys.identify([BEARER])
    clock.seconds = remembered_for - 0.1
    await keys.identify([BEARER])
    assert tokens.read_count == 1
    clock.seconds = remembered_for
    await keys.identify([BEARER])
    assert tokens.read_count == 2


async def test_password() -> None:
    """An operator's name and password are taken where the route takes them."""
    accounts = _Accounts()
    keys = authenticator(_Ring(), _Clock(), accounts=accounts)
    assert await keys.identify([HEADER_OF_OLGA], with_password=True) == OLGA
    with pytest.raises(ApiError, match="No API key"):
        await keys.identify([HEADER_OF_OLGA])
    accounts.known = OLGA
    assert await keys.identify([HEADER_OF_OLGA], with_password=True) == OLGA
    assert accounts.checks == 1


async def test_key_where_passwords_are_taken() -> None:
    """A route for operators takes keys and tokens as any other."""
    keys = authenticator(_Ring(), _Clock(), accounts=_Accounts(), tokens=_Tokens())
    assert await keys.identify([(b"x-api-key", b"sk_alice")], with_password=True) == ALICE
    assert await keys.identify([BEARER], with_password=True) == BOB


@pytest.mark.parametrize(
    "credential",
    [b"b2xnYTp3cm9uZw==", b"b2xnYQ==", b"!!!", b"Og==", b"b2xnYTpjb3JyZWN0IGhvcnNl Zg"],
)
async def test_wrong_password(credential: bytes) -> None:
    """A wrong password gets 401 and both ways to do it right."""
    keys = authenticator(_Ring(), _Clock(), accounts=_Accounts())
    with pytest.raises(ApiError, match="Name or password is wrong") as refusal:
        await keys.identify([(b"authorization", b"Basic " + credential)], with_password=True)
    assert refusal.value.status_code == 401
    assert refusal.value.headers == {
        "WWW-Authenticate": 'Bearer, Basic realm="sge", charset="UTF-8"'
    }


async def test_nothing_sent_where_passwords_are_taken() -> None:
    """Without credentials the answer names passwords only where there are any."""
    challenges: list[str] = []
    for accounts in (_Accounts(), None):
        keys = authenticator(_Ring(), _Clock(), accounts=accounts)
        with pytest.raises(ApiError) as refusal:
            await keys.identify([], with_password=True)
        challenges.append((refusal.value.headers or {})["WWW-Authenticate"])
    assert challenges == ['Bearer, Basic realm="sge", charset="UTF-8"', "Bearer"]


async def test_too_many_passwords_in_check() -> None:
    """When no more passwords can be checked, the same one may be tried again."""
    accounts = _Accounts()
    accounts.error = AccountsBusyError()
    keys = authenticator(_Ring(), _Clock(), accounts=accounts)
    with pytest.raises(ApiError) as refusal:
        await keys.identify([HEADER_OF_OLGA], with_password=True)
    assert (refusal.value.status_code, refusal.value.code) == (503, "busy")


async def test_certificate() -> None:
    """A certificate counts when nothing else is sent; other credentials go before it."""
    table = CertificateTable({"cn:reception": "bob"})
    keys = authenticator(_Ring(), _Clock(), certificates=table)
    assert await keys.identify([], certificate=CERTIFICATE) == BOB
    assert await keys.identify([(b"x-api-key", b"sk_alice")], certificate=CERTIFICATE) == ALICE
    with pytest.raises(ApiError, match="API key is unknown"):
        await keys.identify([(b"x-api-key", b"wrong")], certificate=CERTIFICATE)


async def test_unknown_certificate() -> None:
    """A certificate that no table names proves nobody."""
    with pytest.raises(ApiError, match="No API key"):
        await authenticator(_Ring(), _Clock()).identify([], certificate=CERTIFICATE)


async def status_of(keys: Authenticator, header: tuple[bytes, bytes], address: str) -> int:
    """The status that this header gets from this address; 200 when it is good."""
    try:
        await keys.identify([header], address=address, with_password=True)
    except ApiError as error:
        return error.status_code
    return 200


async def test_too_many_failures() -> None:
    """After two wrong credentials an address gets 429 for wrong ones, and others do not."""
    keys = authenticator(_Ring(), _Clock(), tokens=_Tokens())
    wrong = [(b"x-api-key", b"a"), (b"authorization", b"Bearer x.y.z"), (b"x-api-key", b"c")]
    assert [await status_of(keys, header, "192.0.2.1") for header in wrong] == [401, 401, 429]
    assert await status_of(keys, wrong[0], "192.0.2.2") == 401
    assert await status_of(keys, (b"x-api-key", b"sk_alice"), "192.0.2.1") == 200
    assert await status_of(keys, BEARER, "192.0.2.1") == 200


async def test_too_many_passwords() -> None:
    """After two wrong passwords none of that address is checked, until the minute is over."""
    clock, accounts = _Clock(), _Accounts()
    keys = authenticator(_Ring(), clock, accounts=accounts)
    wrong = (b"authorization", b"Basic b2xnYTp3cm9uZw==")
    assert [await status_of(keys, wrong, "192.0.2.1") for _ in range(3)] == [401, 401, 429]
    assert await status_of(keys, HEADER_OF_OLGA, "192.0.2.1") == 429
    assert accounts.checks == 2
    assert await status_of(keys, HEADER_OF_OLGA, "192.0.2.2") == 200
    accounts.known = OLGA
    assert await status_of(keys, HEADER_OF_OLGA, "192.0.2.1") == 200
    accounts.known = None
    clock.seconds = 60.0
    assert await status_of(keys, HEADER_OF_OLGA, "192.0.2.1") == 200


async def test_too_many_passwords_for_one_account() -> None:
    """An account that is tried from many addresses is checked no more, but for its own address."""
    accounts = _Accounts()
    keys = authenticator(_Ring(), _Clock(), accounts=accounts)
    assert await status_of(keys, HEADER_OF_OLGA, "198.51.100.1") == 200
    wrong = (b"authorization", b"Basic b2xnYTp3cm9uZw==")
    statuses = [await status_of(keys, wrong, f"192.0.2.{number}") for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert accounts.checks == 4
    assert await status_of(keys, HEADER_OF_OLGA, "192.0.2.99") == 429
    assert await status_of(keys, HEADER_OF_OLGA, "198.51.100.1") == 200
    other = (b"authorization", b"Basic b3R0bzp3cm9uZw==")
    assert await status_of(keys, other, "192.0.2.0") == 401


async def test_nothing_sent_is_no_failure() -> None:
    """A client that has not sent anything yet did not guess."""
    keys = authenticator(_Ring(), _Clock())
    statuses = [await status_of(keys, (b"host", b"x"), "192.0.2.1") for _ in range(4)]
    assert statuses == [401] * 4


async def test_bootstrap_key_is_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only digests of one length are compared, by a function that does not stop at a difference."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return False

    monkeypatch.setattr(authentication.hmac, "compare_digest", compare)
    with pytest.raises(ApiError):
        await authenticator(_Ring(), _Clock()).identify([(b"x-api-key", b"boot")])
    digest = hashlib.sha256(b"boot").digest()
    assert compared == [(digest, digest)]
