"""The API on a socket with TLS, and clients that show certificates."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from certificates import Authority

from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.http import HttpServer
from fastagi_server.identities.certificates import CertificateTable
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from fastagi_server.trust.server_tls import ClientAuth, ServerTls

TABLE = {"cn:reception": "alice", "uri:spiffe://example/pbx-2": "pbx-2 service"}


@asynccontextmanager
async def serving(
    store: Store, tls: ServerTls | None, proxies: tuple[str, ...] = ()
) -> AsyncGenerator[str]:
    """The API on a socket; its address."""
    app = create_app(
        store=store,
        measures=Measures(),
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(certificates=CertificateTable(TABLE), failures_per_minute=2),
    )
    async with HttpServer(app, "127.0.0.1", 0, tls=tls, trusted_proxies=proxies) as server:
        running = asyncio.create_task(server.run())
        try:
            yield "{}://{}:{}".format("https" if tls else "http", *server.address)
        finally:
            server.stop()
            await running


def server_side(
    authority: Authority, client_auth: ClientAuth = "none", client_crl: Path | None = None
) -> ServerTls:
    """The server's TLS, which knows the authority."""
    certificate, key = authority.sign_server()
    return ServerTls(
        certificate=certificate,
        key=key,
        client_ca=authority.file,
        client_auth=client_auth,
        client_crl=client_crl,
    )


def client_side(
    authority: Authority, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """A client's TLS, with a certificate to show if there is one."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


async def get(
    address: str, context: ssl.SSLContext, path: str = "/calls", **headers: str
) -> httpx.Response:
    """One request on a connection of its own."""
    async with httpx.AsyncClient(verify=context, headers=headers) as client:
        return await client.get(f"{address}/api/v1/voip{path}")
