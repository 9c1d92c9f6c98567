"""Client certificates that were revoked; real certificates, lists, sockets and clients."""

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from structlog.testing import capture_logs
from tls_stage import client_side, get, server_side, serving

from fastagi_server.store.opening import Store
from fastagi_server.trust import server_tls
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.server_tls import ClientAuth, ServerTls

BOOTSTRAP = {"X-API-Key": "bootstrap"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that everybody trusts."""
    return Authority(tmp_path)


async def refusal(address: str, context: ssl.SSLContext) -> str:
    """What the log says of a client that is refused in the handshake."""
    with capture_logs() as lines, pytest.raises(httpx.TransportError):
        await get(address, context, **BOOTSTRAP)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("client_certificate_refused", "warning")
    reason: str = line["reason"]
    return reason


@pytest.mark.parametrize("client_auth", ["optional", "required"])
async def test_revoked_certificate(
    store: Store, authority: Authority, client_auth: ClientAuth
) -> None:
    """A certificate on the list gets its client nowhere, whatever else he has; others go on."""
    good = client_side(authority, *authority.sign("reception", serial=7))
    revoked = client_side(authority, *authority.sign("stolen", serial=8))
    tls = server_side(authority, client_auth, authority.revoke(8, 9))
    async with serving(store, tls) as address:
        assert await refusal(address, revoked) == "certificate revoked"
        assert (await get(address, good)).status_code == 200


async def test_no_certificate_needs_no_list(store: Store, authority: Authority) -> None:
    """Where certificates are optional, a client without one is not looked up."""
    tls = server_side(authority, "optional", authority.revoke())
    async with serving(store, tls) as address:
        assert (await get(address, client_side(authority), **BOOTSTRAP)).status_code == 200


async def test_newly_revoked_certificate(store: Store, authority: Authority) -> None:
    """A list that has changed is read again, and a wrong one changes nothing."""
    client = client_side(authority, *authority.sign("reception", serial=7))
    path = authority.revoke(8)
    tls = server_side(authority, "required", path)
    async with serving(store, tls) as address:
        assert not tls.look_at_lists()
        assert (await get(address, client)).status_code == 200
        authority.revoke(7, 8, number=2)
        assert tls.look_at_lists()
        assert await refusal(address, client) == "certificate revoked"
        path.write_text("no list")
        with capture_logs() as lines:
            assert not tls.look_at_lists()
        assert lines[0]["event"] == "revocation_list_unreadable"
        assert await refusal(address, client) == "certificate revoked"
        authority.revoke(8, number=3)
        assert tls.look_at_lists()
        assert (await get(address, client)).status_code == 200


async def test_connections_end_with_a_new_list(
    store: Store, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of before the new list does not outlive it: its client has to prove again."""
    monkeypatch.setattr(server_tls, "LOOK_EVERY_SECONDS", 0.0)
    context = client_side(authority, *authority.sign("reception", serial=7))
    tls = server_side(authority, "required", authority.revoke())
    looked, gate = _gated(tls, monkeypatch)
    async with (
        serving(store, tls) as address,
        httpx.AsyncClient(verify=context, base_url=f"{address}/api/v1/voip") as client,
    ):
        first = await client.get("/calls")
        assert first.status_code == 200
        authority.revoke(7, number=2)
        gate.set()
        async with asyncio.timeout(10):
            await looked.wait()
        with pytest.raises(httpx.TransportError):
            await client.get("/calls")


def _gated(tls: ServerTls, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Lets the server see new lists once the gate is open; tells when connections were let go."""
    look: Callable[[], bool] = tls.look_at_lists
    keep_fresh = tls.keep_fresh
    looked, gate = asyncio.Event(), asyncio.Event()

    def look_if_open() -> bool:
        return gate.is_set() and look()

    async def watched(on_revocations: Callable[[], None]) -> None:
        def let_go() -> None:
            on_revocations()
            looked.set()

        await keep_fresh(let_go)

    monkeypatch.setattr(tls, "look_at_lists", look_if_open)
    monkeypatch.setattr(tls, "keep_fresh", watched)
    return looked, gate


async def test_sessions_are_not_taken_up_again(store: Store, authority: Authority) -> None:
    """A client gets no ticket, with which he would come back without his certificate."""
    context = client_side(authority, *authority.sign("reception"))
    async with serving(store, server_side(authority, "required", authority.revoke())) as address:
        answer = await get(address, context)
        stream = answer.extensions["network_stream"].get_extra_info("ssl_object")
        assert stream.session is None or not stream.session.has_ticket


async def test_list_that_is_out_of_date(store: Store, authority: Authority) -> None:
    """Nobody is let in by a list that should have been replaced: he may be on the next one."""
    client = client_side(authority, *authority.sign("reception", serial=7))
    tls = server_side(authority, "required", authority.revoke(days=-1))
    async with serving(store, tls) as address:
        assert await refusal(address, client) == "CRL has expired"


async def test_authority_without_a_list(store: Store, authority: Authority, tmp_path: Path) -> None:
    """Certificates of an authority that has no list in the file are refused."""
    client = client_side(authority, *authority.sign("reception", serial=7))
    tls = server_side(authority, "required", Authority(tmp_path, "other").revoke())
    async with serving(store, tls) as address:
        assert await refusal(address, client) == "unable to get certificate CRL"


async def test_list_that_somebody_else_signed(
    store: Store, authority: Authority, tmp_path: Path
) -> None:
    """A list in the authority's name that it did not sign counts for nothing."""
    client = client_side(authority, *authority.sign("reception", serial=7))
    forger = tmp_path / "forger"
    forger.mkdir()
    tls = server_side(authority, "required", Authority(forger).revoke())
    async with serving(store, tls) as address:
        assert await refusal(address, client) == "unable to get certificate CRL"


def test_files_that_are_no_lists(authority: Authority, tmp_path: Path) -> None:
    """What would make nobody revoked, or somebody trusted, is refused at the start, in words."""
    with pytest.raises(TrustError, match=r"missing.crl: No such file"):
        server_side(authority, "required", tmp_path / "missing.crl")
    empty = tmp_path / "empty.crl"
    empty.touch()
    with pytest.raises(TrustError, match=r"empty.crl: "):
        server_side(authority, "required", empty)
    with pytest.raises(TrustError, match="revocation lists and nothing else"):
        server_side(authority, "required", authority.file)
    both = tmp_path / "both.crl"
    both.write_bytes(authority.revoke().read_bytes() + authority.file.read_bytes())
    with pytest.raises(TrustError, match="revocation lists and nothing else"):
        server_side(authority, "required", both)
    huge = tmp_path / "huge.crl"
    huge.touch()
    os.truncate(huge, 9 * 1024 * 1024)
    with pytest.raises(TrustError, match="more than 8388608 bytes"):
        server_side(authority, "required", huge)
