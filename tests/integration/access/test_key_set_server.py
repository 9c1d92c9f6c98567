"""Tokens that are checked with the key set of a real issuer, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fastagi_server.identities.proofs import TokenError, TokenKeysUnavailableError
from fastagi_server.identities.tokens import TokenVerifier
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.keys import KeyPlaces, open_keys
from tests.integration.service_process import free_port
from tests.unit.identities.token_samples import ALICE, jwk, jwks, token


class _Issuer:
    """A server that answers every request with its key set."""

    def __init__(self) -> None:
        self.port = free_port()
        self.keys = jwks(jwk("ES256", kid="first"))
        self.asked = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        length = str(len(self.keys)).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
            + length
            + b"\r\n\r\n"
            + self.keys
        )
        await writer.drain()
        writer.close()


@pytest.fixture
async def issuer() -> AsyncIterator[_Issuer]:
    """An issuer that is not there yet."""
    issuer = _Issuer()
    yield issuer
    await issuer.stop()


async def test_issuer_comes_and_goes(issuer: _Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens wait for an issuer that is away at first, and are good when it goes away again."""
    monkeypatch.setattr("fastagi_server.trust.key_sets.RETRY_SECONDS", 3600.0)
    monkeypatch.setattr("fastagi_server.trust.key_sets.UNKNOWN_KEY_SECONDS", 0.0)
    places = KeyPlaces(key_set_url=f"http://127.0.0.1:{issuer.port}/keys")
    async with open_keys(places, measures=Measures()) as keys:
        verifier = TokenVerifier(keys)
        first = token(ALICE, "ES256", "first")
        with pytest.raises(TokenKeysUnavailableError):
            await verifier.read(first)
        await issuer.start()
        assert (await verifier.read(first))[0].name == "alice"
        second = token(ALICE, "EdDSA", "second")
        with pytest.raises(TokenError):
            await verifier.read(second)
        issuer.keys = jwks(jwk("ES256", kid="first"), jwk("EdDSA", kid="second"))
        assert (await verifier.read(second))[0].name == "alice"
        await issuer.stop()
        assert (await verifier.read(first))[0].name == "alice"
        with pytest.raises(TokenError):
            await verifier.read(token(ALICE, "RS256", "third"))
