"""HTTPS, and clients that show a certificate; real certificates, sockets and clients."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from cryptography import x509
from tls_stage import client_side, get, server_side, serving

from fastagi_server.store.opening import Store
from fastagi_server.trust import server_tls
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.server_tls import ClientAuth, ServerTls

CALL = {"participants": ["bob"], "call_type": "audio"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that everybody trusts."""
    return Authority(tmp_path)


@pytest.fixture
async def address(store: Store, authority: Authority) -> AsyncIterator[str]:
    """The API over HTTPS, where clients may show certificates."""
    async with serving(store, server_side(authority, "optional")) as address:
        yield address


async def test_https(address: str, authority: Authority) -> None:
    """With a certificate the API speaks HTTPS, and a key works over it."""
    answer = await get(address, client_side(authority), **{"X-API-Key": "bootstrap"})
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.extensions["network_stream"].get_extra_info("ssl_object").version() == "TLSv1.3"


async def test_nothing_older_than_tls_1_3(address: str, authority: Authority) -> None:
    """A client that knows TLS 1.2 only is refused in the handshake."""
    context = client_side(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        await get(address, context)


async def test_plain_http_is_not_spoken(address: str) -> None:
    """A key that is sent without TLS by mistake gets no answer."""
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(address.replace("https", "http"))


async def test_certificate_is_an_identity(address: str, authority: Authority) -> None:
    """A client's certificate stands for whom the table says, without any other credential."""
    context = client_side(authority, *authority.sign("reception"))
    async with httpx.AsyncClient(verify=context, base_url=f"{address}/api/v1/voip") as client:
        made = await client.post("/calls", json=CALL)
        again = await client.get(f"/calls/{made.json()['id']}")
    assert (made.status_code, made.json()["caller_id"]) == (201, "alice")
    assert again.status_code == 200


async def test_scopes_of_a_certificate(address: str, authority: Authority) -> None:
    """The table gives scopes too: another PBX may adopt channels."""
    uri = x509.UniformResourceIdentifier("spiffe://example/pbx-2")
    context = client_side(authority, *authority.sign("any", uri))
    async with httpx.AsyncClient(verify=context) as client:
        made = await client.post(
            f"{address}/api/v1/voip/calls",
            json={**CALL, "metadata": {"asterisk_call_id": "1.1", "asterisk_system": "pbx-2"}},
        )
    assert (made.status_code, made.json()["caller_id"]) == (201, "pbx-2")


async def test_certificate_of_nobody(address: str, authority: Authority) -> None:
    """A genuine certificate that the table does not know proves nothing, and spoils nothing."""
    context = client_side(authority, *authority.sign("stranger"))
    assert (await get(address, context)).status_code == 401
    assert (await get(address, context, **{"X-API-Key": "bootstrap"})).status_code == 200


async def test_no_certificate_where_it_is_optional(address: str, authority: Authority) -> None:
    """Without a certificate another credential is needed."""
    assert (await get(address, client_side(authority))).status_code == 401


@pytest.mark.parametrize("client_auth", ["optional", "required"])
async def test_certificates_that_are_not_genuine(
    store: Store, authority: Authority, tmp_path: Path, client_auth: ClientAuth
) -> None:
    """A certificate by somebody else, of the right name, or an expired one, is refused."""
    other = Authority(tmp_path, "other").sign("reception")
    expired = authority.sign("expired", days=-1)
    async with serving(store, server_side(authority, client_auth)) as address:
        for files in (other, expired):
            with pytest.raises(httpx.TransportError):
                await get(address, client_side(authority, *files))


async def test_required(store: Store, authority: Authority) -> None:
    """Where a certificate is required, nobody gets further without one."""
    files = authority.sign("reception")
    async with serving(store, server_side(authority, "required")) as address:
        with pytest.raises(httpx.TransportError):
            await get(address, client_side(authority), **{"X-API-Key": "bootstrap"})
        assert (await get(address, client_side(authority, *files))).status_code == 200


async def test_certificate_that_is_not_asked_for(store: Store, authority: Authority) -> None:
    """Where clients are not asked, a certificate that one has stands for nobody."""
    files = authority.sign("reception")
    async with serving(store, server_side(authority, "none")) as address:
        assert (await get(address, client_side(authority, *files))).status_code == 401


async def test_renewed_certificate(store: Store, authority: Authority) -> None:
    """A renewed certificate is shown to new clients without a restart; a wrong one never."""
    tls = server_side(authority)

    async def serial() -> str:
        answer = await get(address, client_side(authority))
        stream = answer.extensions["network_stream"].get_extra_info("ssl_object")
        number: str = stream.getpeercert()["serialNumber"]
        return number

    async with serving(store, tls) as address:
        assert await serial() == "02"
        _, key = authority.sign_server(serial=3)
        tls.look()
        assert await serial() == "03"
        key.write_text("not a key")
        tls.look()
        assert await serial() == "03"
        authority.sign_server(serial=4)
        tls.look()
        assert await serial() == "04"


async def test_renewal_is_looked_for(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked at again and again while the server runs."""
    monkeypatch.setattr(server_tls, "LOOK_EVERY_SECONDS", 0.0)
    looked = asyncio.Event()
    tls = server_side(authority)
    monkeypatch.setattr(tls, "look", looked.set)
    task = asyncio.create_task(tls.keep_fresh(lambda: None))
    async with asyncio.timeout(10):
        await looked.wait()
    task.cancel()


def test_files_that_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    """A missing file, a key of another certificate or a locked key is refused in words."""
    certificate, key = authority.sign_server()
    missing = tmp_path / "missing.pem"
    with pytest.raises(TrustError, match=r"missing.pem: No such file"):
        ServerTls(certificate=missing, key=key)
    _, other_key = authority.sign("other")
    with pytest.raises(TrustError, match="KEY_VALUES_MISMATCH"):
        ServerTls(certificate=certificate, key=other_key)
    locked = authority.sign("locked", password=b"secret")
    with pytest.raises(TrustError, match=r"locked.key"):
        ServerTls(certificate=locked[0], key=locked[1])
    with pytest.raises(TrustError, match=r"missing.pem: No such file"):
        ServerTls(certificate=certificate, key=key, client_ca=missing)
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(TrustError, match=r"empty.pem: "):
        ServerTls(certificate=certificate, key=key, client_ca=empty)


@pytest.mark.parametrize(
    ("proxies", "wrong_before_429"), [((), 2), (("127.0.0.1",), 4), (("10.0.0.0/8",), 2)]
)
async def test_proxies(store: Store, proxies: tuple[str, ...], wrong_before_429: int) -> None:
    """X-Forwarded-For is believed from a trusted proxy only; else one address stays one."""
    async with serving(store, None, proxies) as address, httpx.AsyncClient() as client:
        statuses = [
            (
                await client.get(
                    f"{address}/api/v1/voip/calls",
                    headers={"X-API-Key": "wrong", "X-Forwarded-For": f"192.0.2.{number}"},
                )
            ).status_code
            for number in range(4)
        ]
    assert statuses == [401] * wrong_before_429 + [429] * (4 - wrong_before_429)
