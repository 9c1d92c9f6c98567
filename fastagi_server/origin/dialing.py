"""Open a TCP or TLS connection to a host, trying each of its addresses in turn."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the API listens; `tls` is the context to speak TLS with, None for plain TCP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


async def dial(
    origin: Origin,
    protocol_factory: Callable[[], ProtocolT],
    *,
    address_timeout_seconds: float,
    deadline: float,
) -> ProtocolT:
    """Connect to the first address of `origin` that answers, in the resolver's order.

    An address gets `address_timeout_seconds`, so that one that swallows packets (often IPv6
    without a route) does not use up the whole time; `deadline` is an instant of the loop's clock
    and ends all of it. The TLS handshake is part of connecting. Raises `httpx.ConnectTimeout` or
    `httpx.ConnectError` with the reason given by the last address.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await _dial_each(origin, protocol_factory, address_timeout_seconds)
    except TimeoutError as error:
        raise httpx.ConnectTimeout(f"no connection to {origin.host} in time") from error
    except OSError as error:
        raise httpx.ConnectError(f"no connection to {origin.host}: {error}") from error


async def _dial_each(
    origin: Origin, protocol_factory: Callable[[], ProtocolT], timeout_seconds: float
) -> ProtocolT:
    failure: OSError = OSError("the name has no address")
    for address in await _addresses(origin):
        try:
            async with asyncio.timeout(timeout_seconds):
                return await _connect(origin, address, protocol_factory)
        except OSError as error:
            failure = error
    raise failure


async def _addresses(origin: Origin) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM
    )
    return [str(sockaddr[0]) for *_, sockaddr in found]


async def _connect(
    origin: Origin, address: str, protocol_factory: Callable[[], ProtocolT]
) -> ProtocolT:
    _, protocol = await asyncio.get_running_loop().create_connection(
        protocol_factory,
        address,
        origin.port,
        ssl=origin.tls,
        server_hostname=origin.host if origin.tls is not None else None,
    )
    return protocol
