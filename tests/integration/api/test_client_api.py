"""The client library as it is served."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server import web
from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.calls.outbound import OutboundPolicy
from fastagi_server.identities.browsers import BrowserEndpoint
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

MODULES = sorted(path.name for path in (web.FOLDER / "client").glob("*.js"))


@pytest.fixture
async def reader(store: Store, measures: Measures) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole server, without credentials."""
    app: FastAPI = create_app(
        store=store, measures=measures, bootstrap_key="bootstrap", version="1.2.3"
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("name", MODULES)
async def test_modules_are_scripts_for_everybody(reader: httpx.AsyncClient, name: str) -> None:
    """Each module is JavaScript that needs no credential and is nothing else to a browser."""
    answer = await reader.get(f"/client/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


async def test_types_are_text(reader: httpx.AsyncClient) -> None:
    """The types are served beside it, and are no film."""
    answer = await reader.get("/client/sge-voip.d.ts")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "export class AsteriskVoIPClient" in answer.text


async def test_a_browser_asks_whether_it_is_still_the_same(reader: httpx.AsyncClient) -> None:
    """What has not changed is not sent again."""
    first = await reader.get("/client/sge-voip.js")
    assert first.headers["cache-control"] == "public, no-cache"
    again = await reader.get(
        "/client/sge-voip.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, no-cache"


async def test_the_softphone_knows_its_endpoint(store: Store, measures: Measures) -> None:
    """The page says by which endpoint of Asterisk's it is rung."""
    outbound = OutboundPolicy(browsers=BrowserEndpoint("web.phones"))
    app: FastAPI = create_app(
        store=store,
        measures=measures,
        bootstrap_key="bootstrap",
        version="1.2.3",
        access=Access(outbound=outbound),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/phone")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<meta name="gateway" content="web.phones">' in page.text


@pytest.mark.parametrize("path", ["/client", "/client/", "/client/nothing.js", "/client/../phone"])
async def test_there_is_nothing_else(reader: httpx.AsyncClient, path: str) -> None:
    """The folder is neither listed nor left."""
    answer = await reader.get(path)
    assert answer.status_code in {404, 405} or "<title>" in answer.text
