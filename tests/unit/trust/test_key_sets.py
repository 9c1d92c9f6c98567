"""The key set of an issuer, and what becomes of tokens when the issuer fails."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from fastagi_server.identities.proofs import TokenKeysUnavailableError
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust import key_sets
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.key_sets import FetchedKeys, open_key_set
from tests.unit.identities.token_samples import jwk, jwks

URL = "https://issuer.example/keys"
FIRST = jwks(jwk("EdDSA", kid="first"))
SECOND = jwks(jwk("EdDSA", 1, kid="second"))


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class _Issuer:
    """Answers with its key set, or with whatever it is told."""

    def __init__(self) -> None:
        self.answer = httpx.Response(200, content=FIRST)
        self.error: Exception | None = None
        self.asked = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert str(request.url) == URL
        if self.error is not None:
            raise self.error
        return self.answer


@pytest.fixture
def issuer() -> _Issuer:
    """An issuer with one key."""
    return _Issuer()


@pytest.fixture
def clock() -> _Clock:
    """The clock of the key set."""
    return _Clock()


@pytest.fixture
def measures() -> Measures:
    """The measures of the key set."""
    return Measures()


@pytest.fixture
async def keys(
    issuer: _Issuer, clock: _Clock, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FetchedKeys]:
    """A key set that fetches when it is told to, or when a key is unknown."""

    async def never(_keys: FetchedKeys) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(FetchedKeys, "keep_fresh", never)
    transport = httpx.MockTransport(issuer)
    async with open_key_set(URL, measures=measures, transport=transport, clock=clock) as keys:
        yield keys


async def names(keys: FetchedKeys, kid: str | None, algorithm: str = "EdDSA") -> list[str | None]:
    """The names of the keys that are found."""
    return [key.kid for key in await keys.find(algorithm, kid)]


async def test_first_token_fetches(keys: FetchedKeys, issuer: _Issuer, measures: Measures) -> None:
    """A token that comes before the first fetch waits for it."""
    assert await names(keys, "first") == ["first"]
    assert await names(keys, None) == ["first"]
    assert issuer.asked == 1
    assert measures.key_set_fetches.values == {("fetched",): 1}


async def test_unknown_key_is_asked_for_once(
    keys: FetchedKeys, issuer: _Issuer, clock: _Clock
) -> None:
    """Unknown names make one fetch in thirty seconds, however many there are."""
    await keys.refresh()
    assert [await names(keys, f"made-up-{number}") for number in range(50)] == [[]] * 50
    assert issuer.asked == 2
    clock.seconds += 29.9
    assert await names(keys, "made-up") == []
    assert issuer.asked == 2
    clock.seconds += 0.1
    assert await names(keys, "made-up") == []
    assert issuer.asked == 3


async def test_roll_over(keys: FetchedKeys, issuer: _Issuer) -> None:
    """The first token with a new key is good at once; the old key goes with the set."""
    await keys.refresh()
    issuer.answer = httpx.Response(200, content=SECOND)
    assert await names(keys, "second") == ["second"]
    assert await names(keys, "first") == []


async def test_other_algorithm(keys: FetchedKeys) -> None:
    """A key is not found for an algorithm that is not its own."""
    assert await names(keys, "first", "RS256") == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://evil.example/keys"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b'{"keys": []}'),
        httpx.Response(200, content=b" " * (256 * 1024) + SECOND),
    ],
)
async def test_bad_answer_leaves_the_keys(
    keys: FetchedKeys, issuer: _Issuer, measures: Measures, answer: httpx.Response
) -> None:
    """An issuer that fails, redirects or talks nonsense changes nothing."""
    await keys.refresh()
    issuer.answer = answer
    assert not await keys.refresh()
    assert await names(keys, "first") == ["first"]
    assert measures.key_set_fetches.values == {("fetched",): 1, ("failed",): 1}


async def test_unreachable_issuer_leaves_the_keys(keys: FetchedKeys, issuer: _Issuer) -> None:
    """An issuer that cannot be reached changes nothing."""
    await keys.refresh()
    issuer.error = httpx.ConnectError("refused")
    assert not await keys.refresh()
    assert await names(keys, "first") == ["first"]


async def test_never_fetched(keys: FetchedKeys, issuer: _Issuer) -> None:
    """Until the first set was fetched, nothing can be said about a token."""
    issuer.error = httpx.ConnectError("refused")
    with pytest.raises(TokenKeysUnavailableError):
        await keys.find("EdDSA", "first")
    with pytest.raises(TokenKeysUnavailableError):
        await keys.find("EdDSA", None)
    assert issuer.asked == 1


async def test_issuer_that_never_ends(
    keys: FetchedKeys, issuer: _Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch has a deadline for the whole answer."""

    async def drip() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(key_sets, "FETCH_SECONDS", 0.01)
    issuer.answer = httpx.Response(200, content=drip())
    assert not await keys.refresh()


async def test_background(issuer: _Issuer, measures: Measures) -> None:
    """The set is fetched without any token having come, and no more after the end."""
    fetched = asyncio.Event()
    serve = issuer.__call__

    async def answer(request: httpx.Request) -> httpx.Response:
        fetched.set()
        return await serve(request)

    async with open_key_set(URL, measures=measures, transport=httpx.MockTransport(answer)):
        async with asyncio.timeout(10):
            await fetched.wait()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "key-set"]


@pytest.mark.parametrize(
    "url",
    ["http://issuer.example/keys", "file:///etc/passwd", "ftp://x/", "issuer", "https://", ""],
)
async def test_addresses_that_cannot_be_trusted(url: str) -> None:
    """Keys come over https, or from this machine."""
    with pytest.raises(TrustError, match="the address of the key set"):
        async with open_key_set(url, measures=Measures()):
            pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/k", "http://localhost/k", "http://[::1]/k"])
def test_loopback(url: str) -> None:
    """An issuer on this machine needs no certificate."""
    assert str(key_sets.check_address(url)) == url
