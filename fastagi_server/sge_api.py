"""The part of the composition root that opens the SGE API: a remote one, or one in this process."""

import asyncio
import secrets
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog

from fastagi_server import __version__
from fastagi_server.activation import GivenSockets
from fastagi_server.settings import Settings
from fastagi_server.sge.client import SgeClient, open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fastagi_server.api.access import Access
    from fastagi_server.api.context import ApiServices
    from fastagi_server.http import HttpServer
    from fastagi_server.store.opening import Store
    from fastagi_server.streaming import Streaming
    from fastagi_server.telephony import Telephony

_log = structlog.stdlib.get_logger("service")

EMBEDDED_URL = "http://embedded/api/v1/voip"
"""Address of the embedded API inside the process; it never reaches a resolver."""

WARM_SECONDS = 1.0


class StartError(ValueError):
    """The service cannot start; the text says why."""


@dataclass(frozen=True, slots=True)
class SgeApi:
    """The client for the SGE API, and the parts of the embedded one in the first worker."""

    client: SgeClient
    http: "HttpServer | None" = None
    telephony: "Telephony | None" = None
    services: "ApiServices | None" = None
    streaming: "Streaming | None" = None


async def open_remote(
    stack: AsyncExitStack,
    settings: Settings,
    exposition: Exposition,
    tracing: Tracing | None,
    sockets: GivenSockets,
) -> SgeApi:
    """The API that the settings name; its first connection is made. Raises `SgeError`."""
    scheme, value, path = settings.credential
    client = await stack.enter_async_context(
        open_client(
            settings.sge_api_url,
            credentials=open_credentials(scheme, value=value, path=path),
            measures=exposition.measures,
            ssl_context=_ssl_context(settings.sge_ca_file),
            user_agent=f"fastagi-server/{__version__}",
            trace=settings.fastagi_log_level == "debug",
            tracing=tracing,
        )
    )
    await client.warm(deadline=asyncio.get_running_loop().time() + WARM_SECONDS)
    if sockets.http is not None:
        _log.warning("socket_not_served", name="http", reason="the SGE API is a remote one")
    return SgeApi(client)


async def open_embedded(
    stack: AsyncExitStack,
    settings: Settings,
    exposition: Exposition,
    tracing: Tracing | None,
    sockets: GivenSockets,
    *,
    worker: int,
    recent: RecentLines | None = None,
) -> SgeApi:
    """The API in this process, warm; the first worker serves it over HTTP and leads calls.

    Raises `StartError` and what `access.open_access` and `telephony.open_telephony` raise.
    """
    from fastagi_server.access import open_access, open_http  # noqa: PLC0415 - not for the AGI role
    from fastagi_server.store.census import StoreCensus  # noqa: PLC0415

    _, value, path = settings.credential
    key = value or (path.read_text().strip() if path else "") or secrets.token_urlsafe(32)
    store = await _open_store(stack, settings, tracing)
    access = await stack.enter_async_context(open_access(settings, store, exposition.measures))
    streaming = await _open_streaming(stack, settings, store, exposition, worker)
    telephony = await _open_telephony(stack, settings, store, exposition, streaming)
    app = _application(
        store,
        access,
        telephony,
        exposition,
        tracing,
        key,
        recent,
        _board_masker(settings),
        streaming,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    await _warm(transport, key)
    client = await stack.enter_async_context(
        open_client(
            EMBEDDED_URL,
            credentials=open_credentials("api_key", value=key),
            measures=exposition.measures,
            transport=transport,
            trace=settings.fastagi_log_level == "debug",
            tracing=tracing,
        )
    )
    if worker > 0:
        return SgeApi(client)
    StoreCensus(store.database, exposition.measures)
    http = await stack.enter_async_context(open_http(app, settings, listener=sockets.http))
    return SgeApi(client, http, telephony, app.state.services, streaming)


async def _open_store(
    stack: AsyncExitStack, settings: Settings, tracing: Tracing | None
) -> "Store":
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415 - not for the AGI role
    from fastagi_server.store.opening import open_store  # noqa: PLC0415

    try:
        return await stack.enter_async_context(
            open_store(
                settings.database_url,
                connections=settings.fastagi_database_connections,
                tracing=tracing,
            )
        )
    except StoreError as error:
        raise StartError(f"the embedded API's database cannot be used: {error}") from error


def _application(
    store: "Store",
    access: "Access",
    telephony: "Telephony | None",
    exposition: Exposition,
    tracing: Tracing | None,
    key: str,
    recent: RecentLines | None,
    board_masker: Masker | None,
    streaming: "Streaming | None",
) -> "FastAPI":
    from fastagi_server.api.application import create_app  # noqa: PLC0415 - not for the AGI role

    return create_app(
        store=store,
        measures=exposition.measures,
        bootstrap_key=key,
        version=__version__,
        access=access,
        exposition=exposition,
        tracing=tracing,
        control=None if telephony is None else telephony.switchboard,
        room_desk=None if telephony is None else telephony.room_desk,
        asterisk_view=None if telephony is None else telephony.ari,
        link=None if telephony is None else telephony.link,
        switchboard=None if telephony is None else telephony.switchboard,
        watch=None if telephony is None else telephony.watch,
        recent=recent,
        board_masker=board_masker,
        event_hub=None if streaming is None else streaming.hub,
    )


def _board_masker(settings: Settings) -> Masker | None:
    if settings.fastagi_wallboard_personal_data == "show":
        return None
    return Masker(key=secrets.token_bytes(16))


async def _open_streaming(
    stack: AsyncExitStack, settings: Settings, store: "Store", exposition: Exposition, worker: int
) -> "Streaming | None":
    if worker > 0:
        return None
    from fastagi_server.streaming import open_streaming  # noqa: PLC0415 - not for the AGI role

    return await stack.enter_async_context(open_streaming(settings, store, exposition.measures))


async def _open_telephony(
    stack: AsyncExitStack,
    settings: Settings,
    store: "Store",
    exposition: Exposition,
    streaming: "Streaming | None",
) -> "Telephony | None":
    # One event socket a node: another one would take the applications away from this one.
    if streaming is None:
        return None
    from fastagi_server.telephony import open_telephony  # noqa: PLC0415 - not for the AGI role

    opened = open_telephony(settings, store, exposition.measures, streaming.tell)
    return await stack.enter_async_context(opened)


async def _warm(transport: httpx.AsyncBaseTransport, key: str) -> None:
    """Ask the embedded API something: its first answer takes 0.1 s, which no caller shall wait."""
    question = httpx.Request("GET", f"{EMBEDDED_URL}/calls?limit=1", headers={"X-API-Key": key})
    response = await transport.handle_async_request(question)
    await response.aclose()


def _ssl_context(ca_file: Path | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
