"""ARI's operations, as methods: what goes wrong with any of them is an `AriError`.

Operations that can only mean "let it be gone" take a 404 for success. Nothing is repeated here
but what a closing connection interrupted; `AriError.outcome_unknown` says when to look first.
"""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from fastagi_server.ari.address import normalise_ari_url
from fastagi_server.ari.bridges import BridgeOperations
from fastagi_server.ari.channels import ChannelOperations
from fastagi_server.ari.counting import CountOperations
from fastagi_server.ari.media import MediaOperations
from fastagi_server.ari.requester import Exchange, Requester
from fastagi_server.ari.system import SystemOperations
from fastagi_server.origin.transport import OriginTransport
from fastagi_server.telemetry.measures import Measures

CONNECTIONS = 10
"""No more than Asterisk's listening socket keeps waiting at once: a burst beyond it loses its first
packets, and with them a second. Its http.conf lets in 100 (`sessionlimit`)."""

MAX_ANSWER_BYTES = 33_554_432
"""A list of some 50,000 channels."""


class AriClient(
    ChannelOperations, MediaOperations, BridgeOperations, SystemOperations, CountOperations
):
    """One Asterisk's ARI. `base_url` is a normalised one (`ari.address`).

    Every operation ends within `timeout_seconds`. `username` and `password` are of a user in
    ari.conf. The event socket (`ari.link`) takes address, login and `ssl_context`, which https
    needs, from here.
    """

    def __init__(
        self,
        exchange: Exchange,
        base_url: httpx.URL,
        *,
        username: str,
        password: str,
        measures: Measures,
        timeout_seconds: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url
        self.username = username
        self.password = password
        self.ssl_context = ssl_context
        self._requester = Requester(
            exchange,
            base_url,
            username=username,
            password=password,
            measures=measures,
            timeout_seconds=timeout_seconds,
        )


@asynccontextmanager
async def open_ari(
    url: str,
    *,
    username: str,
    password: str,
    measures: Measures,
    timeout_seconds: float = 5.0,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncGenerator[AriClient]:
    """A client for the ARI at `url`, with connections of its own that are closed at the end.

    `ssl_context` is for https, httpx's default when None. Raises `AriAddressError`.
    """
    base_url = normalise_ari_url(url)
    if base_url.scheme == "https":
        ssl_context = ssl_context or httpx.create_ssl_context()
    transport = OriginTransport(
        base_url,
        measures=measures,
        ssl_context=ssl_context,
        limit=CONNECTIONS,
        max_response_bytes=MAX_ANSWER_BYTES,
        refused_as="ari_request_waiting",
    )
    async with transport:
        yield AriClient(
            transport,
            base_url,
            username=username,
            password=password,
            measures=measures,
            timeout_seconds=timeout_seconds,
            ssl_context=ssl_context,
        )
