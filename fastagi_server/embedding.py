"""The part of the composition root that opens the SGE API in this process.

store -> access -> event stream -> telephony -> signaling -> API -> HTTP -> browser calls

Imported only where there is an embedded API: what it brings costs 40 MB.
"""

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from fastagi_server import __version__
from fastagi_server.access import open_access, open_http
from fastagi_server.activation import GivenSockets
from fastagi_server.api.access import Access
from fastagi_server.api.application import create_app
from fastagi_server.api.parts import BrowserParts, PbxParts
from fastagi_server.browser_calls import BrowserCalls, open_browser_calls
from fastagi_server.events.models import CALL_DISCARDED, CALL_ENDED, Event
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.presenting import Presenting, make_presenting
from fastagi_server.settings import Settings
from fastagi_server.sge.client import SgeClient, open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.sge_api import SgeApi, StartError
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.ice import IceBook
from fastagi_server.store.census import StoreCensus
from fastagi_server.store.errors import StoreError
from fastagi_server.store.opening import Store, open_store
from fastagi_server.streaming import Streaming, open_streaming
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing
from fastagi_server.telephony import Telephony, open_telephony

EMBEDDED_URL = "http://embedded/api/v1/voip"
"""Address of the embedded API inside the process; it never reaches a resolver."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every worker's API stands on. `key` is the one that the AGI side asks with."""

    settings: Settings
    store: Store
    access: Access
    exposition: Exposition
    tracing: Tracing | None
    key: str

    @property
    def measures(self) -> Measures:
        return self.exposition.measures


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
    ground = await _open_ground(stack, settings, exposition, tracing)
    if worker > 0:
        # One event socket a node: another one would take the applications away from this one.
        return SgeApi(await _open_client(stack, ground, _application(ground)))
    measures, store = ground.measures, ground.store
    streaming = await stack.enter_async_context(open_streaming(settings, store, measures))
    users = ExtensionTable(settings.sge_extensions).users
    presenting = make_presenting(ground.access.directory, measures, users)
    is_reachable = presenting.desk.book.is_reachable
    telephony = await stack.enter_async_context(
        open_telephony(settings, store, measures, streaming.tell, is_reachable)
    )
    exchange = _exchange(ground, streaming, presenting)
    app = _application(ground, streaming, telephony, exchange, presenting, recent)
    client = await _open_client(stack, ground, app)
    StoreCensus(store.database, measures)
    http = await stack.enter_async_context(
        open_http(app, settings, measures, listener=sockets.http)
    )
    feed = presenting.feed(store, telephony.watch)
    streaming.hub.listen(feed.hear)
    browser_calls = await _open_browser_calls(
        stack, ground, streaming, telephony, exchange, presenting
    )
    return SgeApi(client, http, telephony, app.state.services, streaming, feed, browser_calls)


async def _open_ground(
    stack: AsyncExitStack, settings: Settings, exposition: Exposition, tracing: Tracing | None
) -> _Ground:
    _, value, path = settings.credential
    key = value or (path.read_text().strip() if path else "") or secrets.token_urlsafe(32)
    opened = open_store(
        settings.database_url, connections=settings.fastagi_database_connections, tracing=tracing
    )
    try:
        store = await stack.enter_async_context(opened)
    except StoreError as error:
        raise StartError(f"the embedded API's database cannot be used: {error}") from error
    access = await stack.enter_async_context(open_access(settings, store, exposition.measures))
    return _Ground(settings, store, access, exposition, tracing, key)


def _application(
    ground: _Ground,
    streaming: Streaming | None = None,
    telephony: Telephony | None = None,
    exchange: Exchange | None = None,
    presenting: Presenting | None = None,
    recent: RecentLines | None = None,
) -> FastAPI:
    settings = ground.settings
    shows_all = settings.fastagi_wallboard_personal_data == "show"
    return create_app(
        store=ground.store,
        measures=ground.measures,
        bootstrap_key=ground.key,
        version=__version__,
        access=ground.access,
        exposition=ground.exposition,
        tracing=ground.tracing,
        pbx=PbxParts() if telephony is None else _pbx_parts(telephony),
        browsers=BrowserParts(
            exchange=exchange,
            ice=_ice(settings),
            presence_desk=None if presenting is None else presenting.desk,
            max_sockets=settings.ws_max_connections,
        ),
        event_hub=None if streaming is None else streaming.hub,
        recent=recent,
        board_masker=None if shows_all else Masker(key=secrets.token_bytes(16)),
    )


def _pbx_parts(telephony: Telephony) -> PbxParts:
    return PbxParts(
        control=telephony.switchboard,
        room_desk=telephony.room_desk,
        view=telephony.ari,
        link=telephony.link,
        switchboard=telephony.switchboard,
        watch=telephony.watch,
    )


def _ice(settings: Settings) -> IceBook:
    return IceBook(
        stun_urls=settings.sge_stun_urls,
        turn_urls=settings.sge_turn_urls,
        secret=settings.turn_secret,
        seconds=settings.sge_turn_seconds,
    )


async def _open_client(stack: AsyncExitStack, ground: _Ground, app: FastAPI) -> SgeClient:
    """The AGI side's way to the application, without a socket."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    await _warm(transport, ground.key)
    return await stack.enter_async_context(
        open_client(
            EMBEDDED_URL,
            credentials=open_credentials("api_key", value=ground.key),
            measures=ground.measures,
            transport=transport,
            trace=ground.settings.fastagi_log_level == "debug",
            tracing=ground.tracing,
        )
    )


async def _warm(transport: httpx.AsyncBaseTransport, key: str) -> None:
    """Ask the embedded API something: its first answer takes 0.1 s, which no caller shall wait."""
    question = httpx.Request("GET", f"{EMBEDDED_URL}/calls?limit=1", headers={"X-API-Key": key})
    response = await transport.handle_async_request(question)
    await response.aclose()


def _exchange(ground: _Ground, streaming: Streaming, presenting: Presenting) -> Exchange:
    """The exchange of signaling messages, which hears of the ends of calls."""
    exchange = Exchange(
        calls=ground.store.calls,
        directory=ground.access.directory,
        measures=ground.measures,
        push=presenting.push,
        attendance=presenting.desk.book,
    )

    def hear(event: Event) -> None:
        if event.call is not None and event.type == CALL_ENDED:
            exchange.end(event.call)
        elif event.call is not None and event.type == CALL_DISCARDED:
            exchange.forget(event.call)

    streaming.hub.listen(hear)
    return exchange


async def _open_browser_calls(
    stack: AsyncExitStack,
    ground: _Ground,
    streaming: Streaming,
    telephony: Telephony,
    exchange: Exchange,
    presenting: Presenting,
) -> BrowserCalls | None:
    """The gateway, which the exchange hands messages for Asterisk from now on."""
    if not ground.settings.sge_gateway_listen:
        return None
    if telephony.switchboard is None:
        raise StartError("SGE_GATEWAY_LISTEN needs ASTERISK_ARI_URL, to lead calls from browsers")
    opened = open_browser_calls(
        ground.settings,
        ground.store,
        ground.measures,
        mail=exchange,
        book=presenting.desk.book,
        led=telephony.switchboard,
    )
    try:
        browser_calls = await stack.enter_async_context(opened)
    except StoreError as error:
        raise StartError(f"the calls from browsers cannot be read: {error}") from error
    exchange.gateway = browser_calls.gateway
    streaming.hub.listen(browser_calls.hear)
    return browser_calls
