"""The SGE API as the service has it, and the part of the composition root that opens a remote one.

The embedded one is opened by `embedding`.
"""

import asyncio
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from fastagi_server import __version__
from fastagi_server.activation import GivenSockets
from fastagi_server.settings import Settings
from fastagi_server.sge.client import SgeClient, open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from fastagi_server.api.context import ApiServices
    from fastagi_server.browser_calls import BrowserCalls
    from fastagi_server.http import HttpServer
    from fastagi_server.presence.feed import PresenceFeed
    from fastagi_server.streaming import Streaming
    from fastagi_server.telephony import Telephony

_log = structlog.stdlib.get_logger("service")

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
    presence_feed: "PresenceFeed | None" = None
    browser_calls: "BrowserCalls | None" = None


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


def _ssl_context(ca_file: Path | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
