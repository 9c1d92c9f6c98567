"""The part of the composition root that decides who is let in to the embedded API, and how.

And how long the store remembers who was, and what they did.
"""

import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI

from fastagi_server.api.access import Access
from fastagi_server.api.audit import AuditTrail
from fastagi_server.http import HttpServer
from fastagi_server.http_sockets import SocketLimits
from fastagi_server.identities.certificates import CertificateTable
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.proofs import TokenReader
from fastagi_server.settings import Settings
from fastagi_server.store.opening import Store
from fastagi_server.store.retention import Forgetting, Retention, keep_forgetting
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telephony import browser_endpoint, outbound_policy
from fastagi_server.trust.operators import Operators
from fastagi_server.trust.server_tls import ServerTls

if TYPE_CHECKING:
    from fastagi_server.trust.keys import KeyPlaces


@asynccontextmanager
async def open_access(
    settings: Settings, store: Store, measures: Measures
) -> AsyncGenerator[Access]:
    """Who is let in, how often, and where it is kept; leaving stores what the audit still holds.

    Raises `ValueError` in words for what cannot be trusted.
    """
    async with AsyncExitStack() as stack:
        forgetting = Forgetting(_retentions(settings, store), measures=measures)
        await stack.enter_async_context(keep_forgetting(forgetting))
        yield Access(
            tokens=await _open_tokens(stack, settings, measures),
            accounts=_open_operators(settings),
            certificates=CertificateTable(settings.fastagi_api_certificates),
            requests_per_minute=settings.sge_rate_limit_per_minute,
            failures_per_minute=settings.sge_failures_per_minute,
            account_failures_per_minute=settings.sge_account_failures_per_minute,
            directory=ExtensionTable(settings.sge_extensions, browser_endpoint(settings)),
            max_calls=settings.sge_max_calls_per_user or None,
            outbound=outbound_policy(settings),
            audit=await stack.enter_async_context(AuditTrail(store.audit, measures=measures)),
        )


def _retentions(settings: Settings, store: Store) -> list[Retention]:
    rules = [Retention("audit", store.audit, timedelta(days=settings.sge_audit_days))]
    if settings.sge_call_retention_days:
        keep = timedelta(days=settings.sge_call_retention_days)
        rules.append(Retention("call", store.calls, keep))
    return rules


def open_http(
    app: FastAPI,
    settings: Settings,
    measures: Measures,
    *,
    listener: socket.socket | None = None,
) -> HttpServer:
    """The server of the API, not yet listening. Raises `ValueError` in words."""
    return HttpServer(
        app,
        settings.fastagi_api_host,
        settings.port,
        tls=_open_tls(settings),
        trusted_proxies=settings.fastagi_api_trusted_proxies,
        listener=listener,
        sockets=SocketLimits(
            heartbeat_seconds=settings.ws_heartbeat_interval,
            stall_seconds=settings.ws_message_timeout,
            max_message_bytes=settings.ws_max_message_size,
        ),
        on_drop=measures.drops.add,
    )


def _open_tls(settings: Settings) -> ServerTls | None:
    certificate, key = settings.fastagi_api_tls_cert_file, settings.fastagi_api_tls_key_file
    if certificate is None or key is None:
        return None
    return ServerTls(
        certificate=certificate,
        key=key,
        client_ca=settings.fastagi_api_tls_client_ca_file,
        client_auth=settings.fastagi_api_tls_client_auth,
        client_crl=settings.fastagi_api_tls_client_crl_file,
    )


def find_access_faults(settings: Settings) -> Iterator[str]:
    """What would keep the embedded API from starting, each in words with the setting to change."""
    trials: dict[str, Callable[[], object]] = {
        "FASTAGI_API_TLS": lambda: _open_tls(settings),
        "FASTAGI_API_CERTIFICATES": lambda: CertificateTable(settings.fastagi_api_certificates),
        "SGE_OPERATORS_FILE": lambda: _open_operators(settings),
        "SGE_JWT": lambda: _try_keys(settings),
    }
    for name, trial in trials.items():
        try:
            trial()
        except ValueError as error:
            yield f"{name}: {error}"


def _open_operators(settings: Settings) -> Operators | None:
    path = settings.sge_operators_file
    return None if path is None else Operators(path)


def _try_keys(settings: Settings) -> None:
    if settings.takes_tokens:
        from fastagi_server.trust.key_sets import check_address  # noqa: PLC0415 - cryptography
        from fastagi_server.trust.keys import local_keys  # noqa: PLC0415

        local_keys(_key_places(settings))
        if settings.sge_jwks_url:
            check_address(settings.sge_jwks_url)


async def _open_tokens(
    stack: AsyncExitStack, settings: Settings, measures: Measures
) -> TokenReader | None:
    if not settings.takes_tokens:
        return None
    # Without tokens nothing of cryptography is loaded, which would take some 10 MB.
    from fastagi_server.identities.tokens import TokenVerifier  # noqa: PLC0415
    from fastagi_server.trust.keys import open_keys  # noqa: PLC0415

    keys = await stack.enter_async_context(open_keys(_key_places(settings), measures=measures))
    return TokenVerifier(keys, audience=settings.sge_jwt_audience, issuer=settings.sge_jwt_issuer)


def _key_places(settings: Settings) -> "KeyPlaces":
    from fastagi_server.trust.keys import KeyPlaces  # noqa: PLC0415 - cryptography

    return KeyPlaces(
        secret=settings.sge_jwt_secret.get_secret_value(),
        secret_file=settings.sge_jwt_secret_file,
        public_key_file=settings.sge_jwt_public_key_file,
        key_set_file=settings.sge_jwks_file,
        key_set_url=settings.sge_jwks_url,
    )
