"""All keys that tokens are checked with, whatever they come from."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastagi_server.identities.proofs import TokenKeysUnavailableError
from fastagi_server.identities.token_keys import (
    TokenKey,
    TokenKeyError,
    TokenKeys,
    from_jwks,
    from_pem,
    from_secret,
)
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.files import WatchedFile
from fastagi_server.trust.key_sets import open_key_set


class LocalKeys:
    """The keys of files."""

    def __init__(self, files: Sequence[WatchedFile[tuple[TokenKey, ...]]]) -> None:
        self._files = files

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        """The keys of this algorithm that have this name, or no name."""
        return [
            key
            for file in self._files
            for key in file.value()
            if key.algorithm == algorithm and (kid is None or key.kid in {kid, None})
        ]


class AllKeys:
    """The keys of several sources."""

    def __init__(self, sources: Sequence[TokenKeys]) -> None:
        self._sources = sources

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        """The keys of the first source that has any.

        Raises TokenKeysUnavailableError when none has, and one could not be asked.
        """
        unavailable = False
        for source in self._sources:
            try:
                found = list(await source.find(algorithm, kid))
            except TokenKeysUnavailableError:
                unavailable = True
                continue
            if found:
                return found
        if unavailable:
            raise TokenKeysUnavailableError
        return ()


class SecretKey:
    """The one key of HS256, given as a text."""

    def __init__(self, secret: str) -> None:
        try:
            self._key = from_secret(secret.encode())
        except TokenKeyError as error:
            raise TrustError(f"SGE_JWT_SECRET: {error}") from None

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:  # noqa: ARG002 - nameless
        """The key, if the algorithm is its own."""
        return (self._key,) if algorithm == self._key.algorithm else ()


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """Where keys are: a secret or its file, a PEM file, key sets in a file and at an address."""

    secret: str = ""
    secret_file: Path | None = None
    public_key_file: Path | None = None
    key_set_file: Path | None = None
    key_set_url: str = ""


def local_keys(places: KeyPlaces) -> list[TokenKeys]:
    """The keys that are on this machine. Raises TrustError."""
    files: list[WatchedFile[tuple[TokenKey, ...]]] = []
    if places.secret_file is not None:
        files.append(WatchedFile(places.secret_file, lambda text: (from_secret(text.strip()),)))
    if places.public_key_file is not None:
        files.append(WatchedFile(places.public_key_file, lambda text: (from_pem(text),)))
    if places.key_set_file is not None:
        files.append(WatchedFile(places.key_set_file, from_jwks))
    sources: list[TokenKeys] = [SecretKey(places.secret)] if places.secret else []
    if files:
        sources.append(LocalKeys(files))
    return sources


@asynccontextmanager
async def open_keys(places: KeyPlaces, *, measures: Measures) -> AsyncGenerator[TokenKeys]:
    """The keys of every place that is given. Raises TrustError.

    Local keys are tried before the issuer's, so that a token of ours never waits for the issuer.
    """
    sources = local_keys(places)
    if not places.key_set_url:
        yield AllKeys(sources)
        return
    async with open_key_set(places.key_set_url, measures=measures) as fetched:
        yield AllKeys([*sources, fetched])
