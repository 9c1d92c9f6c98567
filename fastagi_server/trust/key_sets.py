"""The key set of an issuer of tokens, fetched from its address and kept fresh.

The set is fetched every five minutes, and once in between when a token names a key that is not in
it, as after a roll-over. A set that was fetched stays in use while the issuer cannot be reached:
tokens do not become bad because their issuer is down.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import httpx
import structlog

from fastagi_server.identities.proofs import TokenKeysUnavailableError
from fastagi_server.identities.token_keys import (
    TokenKey,
    TokenKeyError,
    from_jwks,
)
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.errors import TrustError

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 10.0
"""After a failure; both are drawn out by up to a fifth, so that many servers do not ask at once."""

UNKNOWN_KEY_SECONDS = 30.0
"""At most one fetch in this time for keys that are unknown: naming one costs a stranger nothing."""

FETCH_SECONDS = 5.0
"""For the whole answer."""

MAX_BYTES = 256 * 1024

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_log = structlog.stdlib.get_logger("trust")


class FetchedKeys:
    """The keys at `url`. Made by `open_key_set`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: httpx.URL,
        measures: Measures,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._url = url
        self._measures = measures
        self._clock = clock
        self._keys: tuple[TokenKey, ...] | None = None
        self._fetching = asyncio.Lock()
        self._next_for_unknown = 0.0

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        """The keys of this algorithm and name. Raises TokenKeysUnavailableError."""
        found = self._matching(algorithm, kid)
        if not found and self._may_ask_again():
            await self.refresh()
            found = self._matching(algorithm, kid)
        if self._keys is None:
            raise TokenKeysUnavailableError
        return found

    async def refresh(self) -> bool:
        """Fetch the set, and keep the old one if that fails; whether it worked. Never raises."""
        async with self._fetching:
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    self._keys = from_jwks(await self._fetch())
            except (httpx.HTTPError, TimeoutError, TokenKeyError) as error:
                self._measures.key_set_fetches.add("failed")
                _log.warning(
                    "key_set_not_fetched",
                    reason=str(error) or type(error).__name__,
                    keys_in_use=len(self._keys or ()),
                )
                return False
            self._measures.key_set_fetches.add("fetched")
            return True

    async def keep_fresh(self) -> None:
        """Fetch the set again and again; ends only by cancellation."""
        while True:
            worked = await self.refresh()
            pause = REFRESH_SECONDS if worked else RETRY_SECONDS
            await asyncio.sleep(pause * random.uniform(1.0, 1.2))  # noqa: S311 - no secret

    def _matching(self, algorithm: str, kid: str | None) -> list[TokenKey]:
        return [
            key
            for key in self._keys or ()
            if key.algorithm == algorithm and (kid is None or key.kid in {kid, None})
        ]

    def _may_ask_again(self) -> bool:
        now = self._clock()
        if now < self._next_for_unknown:
            return False
        self._next_for_unknown = now + UNKNOWN_KEY_SECONDS
        return True

    async def _fetch(self) -> bytes:
        content = bytearray()
        async with self._client.stream("GET", self._url) as response:
            if response.status_code != HTTPStatus.OK:
                raise TokenKeyError(f"the issuer answered {response.status_code}")
            async for chunk in response.aiter_bytes(16 * 1024):
                content += chunk
                if len(content) > MAX_BYTES:
                    raise TokenKeyError(f"the key set has more than {MAX_BYTES} bytes")
        return bytes(content)


@asynccontextmanager
async def open_key_set(
    url: str,
    *,
    measures: Measures,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[FetchedKeys]:
    """The key set at this address, fetched in the background from now on.

    The address is https, or http on loopback: whoever can change the set on its way can make
    tokens. Redirections are not followed. Raises TrustError for any other address; an issuer that
    cannot be reached is no reason not to start.
    """
    async with httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        headers={"Accept": "application/json"},
        timeout=FETCH_SECONDS,
    ) as client:
        keys = FetchedKeys(client, check_address(url), measures, clock)
        task = asyncio.create_task(keys.keep_fresh(), name="key-set")
        try:
            yield keys
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def check_address(url: str) -> httpx.URL:
    """The address of a key set, parsed. Raises TrustError unless keys from there can be trusted."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise TrustError("the address of the key set cannot be read") from None
    is_safe = parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in _LOOPBACK)
    if not is_safe or not parsed.host:
        raise TrustError("the address of the key set must begin with https://")
    return parsed
