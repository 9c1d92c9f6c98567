"""All keys of an installation together."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from fastagi_server.identities.proofs import TokenKeysUnavailableError
from fastagi_server.identities.token_keys import TokenKey
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.keys import AllKeys, KeyPlaces, local_keys, open_keys
from tests.unit.identities.token_samples import SECRET, jwk, jwks, pem


class _Unavailable:
    """A source that cannot be asked."""

    async def find(self, algorithm: str, kid: str | None) -> Iterable[TokenKey]:
        raise TokenKeysUnavailableError


def file(folder: Path, content: bytes) -> Path:
    """A file with this content."""
    path = folder / f"{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return path


async def test_every_place(tmp_path: Path) -> None:
    """Keys of a secret, a PEM file and a key set are found by algorithm and name."""
    places = KeyPlaces(
        secret_file=file(tmp_path, SECRET + b"\n"),
        public_key_file=file(tmp_path, pem("RS256")),
        key_set_file=file(tmp_path, jwks(jwk("EdDSA", kid="a"), jwk("EdDSA", 1, kid="b"))),
    )
    async with open_keys(places, measures=Measures()) as keys:
        found = {
            (algorithm, kid): [key.kid for key in await keys.find(algorithm, kid)]
            for algorithm in ("HS256", "RS256", "ES256", "EdDSA")
            for kid in (None, "a")
        }
    assert found == {
        ("HS256", None): [None],
        ("HS256", "a"): [None],
        ("RS256", None): [None],
        ("RS256", "a"): [None],
        ("ES256", None): [],
        ("ES256", "a"): [],
        ("EdDSA", None): ["a", "b"],
        ("EdDSA", "a"): ["a"],
    }


async def test_secret_as_text() -> None:
    """A secret may be given itself, and is good for one algorithm only."""
    async with open_keys(KeyPlaces(secret=SECRET.decode()), measures=Measures()) as keys:
        assert [key.key for key in await keys.find("HS256", "x")] == [SECRET]
        assert list(await keys.find("RS256", None)) == []


async def test_rolled_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key set that is replaced is in use without a restart."""
    monkeypatch.setattr("fastagi_server.trust.files.LOOK_EVERY_SECONDS", 0.0)
    path = file(tmp_path, jwks(jwk("EdDSA", kid="a")))
    async with open_keys(KeyPlaces(key_set_file=path), measures=Measures()) as keys:
        assert [key.kid for key in await keys.find("EdDSA", None)] == ["a"]
        file(tmp_path, jwks(jwk("EdDSA", 1, kid="b"))).replace(path)
        assert [key.kid for key in await keys.find("EdDSA", None)] == ["b"]


async def test_source_that_cannot_be_asked() -> None:
    """Keys on this machine are good while the issuer is away; of others nothing can be said."""
    keys = AllKeys([*local_keys(KeyPlaces(secret=SECRET.decode())), _Unavailable()])
    assert len(list(await keys.find("HS256", None))) == 1
    with pytest.raises(TokenKeysUnavailableError):
        await keys.find("RS256", None)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (KeyPlaces(secret="short"), "SGE_JWT_SECRET: the secret must have at least 32 bytes"),
        (KeyPlaces(secret_file=Path("missing")), "missing: No such file or directory"),
        (KeyPlaces(key_set_url="http://issuer.example/"), "must begin with https://"),
    ],
)
async def test_faults(places: KeyPlaces, reason: str) -> None:
    """A place without a usable key is refused at the start, in words."""
    with pytest.raises(TrustError, match=reason):
        async with open_keys(places, measures=Measures()):
            pass


async def test_wrong_kind_of_file(tmp_path: Path) -> None:
    """A public key in the place of the secret is refused."""
    with pytest.raises(TrustError, match="the secret is a key or a certificate in PEM form"):
        local_keys(KeyPlaces(secret_file=file(tmp_path, pem("RS256"))))
