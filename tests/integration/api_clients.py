"""Clients of the embedded API in this process."""

from collections.abc import Mapping

import httpx
from fastapi import FastAPI

BASE = "http://sge/api/v1/voip"


def client_of(
    app: FastAPI,
    headers: Mapping[str, str] | None = None,
    *,
    address: tuple[str, int] = ("127.0.0.1", 123),
) -> httpx.AsyncClient:
    """A client that sends these headers with every request, from this address."""
    transport = httpx.ASGITransport(app, client=address)
    return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
