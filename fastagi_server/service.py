"""The composition root: makes every object, in the order it starts, and stops them in reverse.

    measures -> embedded SGE API or a remote one -> outbox -> registrar and relay -> FastAGI -> HTTP

Nothing else constructs a wire. With a remote SGE API nothing of FastAPI or SQLAlchemy is imported.
"""

import asyncio
import gc
import ipaddress
import resource
import secrets
import signal
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog

from fastagi_server import __version__
from fastagi_server.fastagi.admission import Admission
from fastagi_server.fastagi.endings import OnError
from fastagi_server.fastagi.router import Route, Router
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.registration.ports import OutboxError
from fastagi_server.registration.registrar import Registrar
from fastagi_server.registration.relay import Relay
from fastagi_server.routes import ROUTES
from fastagi_server.services import Health, Services
from fastagi_server.settings import Settings
from fastagi_server.sge.client import SgeClient, open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.measures import Measures

if TYPE_CHECKING:
    from fastagi_server.http import HttpServer
    from fastagi_server.store.opening import Store
    from fastagi_server.telephony import Telephony

_log = structlog.stdlib.get_logger("service")

EMBEDDED_URL = "http://embedded/api/v1/voip"
"""Address of the embedded API inside the process; it never reaches a resolver."""

GC_THRESHOLDS = (20_000, 20, 50)
"""Young collections rarer than Python's 700: sessions make many objects, and few cycles."""

WARM_SECONDS = 1.0


class StartError(ValueError):
    """The service cannot start; the text says why."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process's parts.

    `http` and `telephony` are None with a remote API, and in all workers but the first.
    """

    agi: FastAgiServer
    relay: Relay
    measures: Measures
    outbox: Outbox
    http: "HttpServer | None"
    telephony: "Telephony | None" = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a part that fails takes the whole process with it."""
        async with asyncio.TaskGroup() as tasks:
            relay = tasks.create_task(self.relay.run(), name="relay")
            if self.http is not None:
                tasks.create_task(self.http.run(), name="http")
            until_stopped = [relay]
            if self.telephony is not None:
                until_stopped.append(tasks.create_task(self.telephony.run(), name="telephony"))
            await stop.wait()
            for task in until_stopped:
                task.cancel()
            if self.http is not None:
                self.http.stop()


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    measures: Measures | None = None,
    routes: tuple[Route, ...] = ROUTES,
    worker: int = 0,
) -> AsyncGenerator[Service]:
    """Everything one process runs, listening when the context is entered.

    `worker` counts the processes that share the address; the first serves HTTP too. Raises
    `OSError`, `OutboxError`, `SgeError`, `StartError` or `UnprotectedBindError`, each in words.
    """
    measures = measures or Measures()
    _raise_file_limit()
    settings.fastagi_state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        client, http, telephony = await _open_api(stack, settings, measures, worker)
        outbox = await stack.enter_async_context(
            open_outbox(
                settings.fastagi_state_dir / "outbox.sqlite3",
                measures=measures,
                max_entries=settings.fastagi_outbox_max_entries,
            )
        )
        relay = Relay(
            client,
            outbox,
            outbox,
            measures=measures,
            max_age_seconds=settings.fastagi_outbox_max_age_seconds,
        )
        services = Services(
            registrar=Registrar(
                client,
                outbox,
                measures=measures,
                deadline_seconds=settings.sge_deadline_seconds,
            ),
            system_name=settings.fastagi_system_name,
            technology=settings.fastagi_technology,
            health=_health_check(measures, outbox),
        )
        policies = {
            path: OnError.from_text(text) for path, text in settings.fastagi_on_error.items()
        }
        agi = FastAgiServer(
            Router(routes, policies=policies),
            services,
            measures=measures,
            admission=admission_of(settings),
        )
        stack.push_async_callback(agi.close)
        for host, port in settings.listen_addresses:
            await agi.listen(host, port, reuse_port=settings.fastagi_workers > 1)
        yield Service(agi, relay, measures, outbox, http, telephony)


async def serve(settings: Settings, *, measures: Measures, worker: int = 0) -> None:
    """Run one process until SIGTERM or SIGINT; the second signal stops it at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    alone = settings.fastagi_workers == 1  # else Ctrl-C is the parent's, who says SIGTERM
    for number in (signal.SIGTERM, signal.SIGINT) if alone else (signal.SIGTERM,):
        loop.add_signal_handler(number, on_signal)
    async with open_service(settings, measures=measures, worker=worker) as service:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(service.run(drained), name="service")
            await stop.wait()
            _log.info("draining", sessions=service.agi.open_sessions)
            await _drain(service.agi, settings.fastagi_drain_seconds, hurry)
            drained.set()
    _log.info("stopped")


async def _drain(agi: FastAgiServer, seconds: float, hurry: asyncio.Event) -> None:
    draining = asyncio.create_task(agi.drain(seconds))
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, hurried):
        task.cancel()


async def _open_api(
    stack: AsyncExitStack, settings: Settings, measures: Measures, worker: int
) -> "tuple[SgeClient, HttpServer | None, Telephony | None]":
    """The client for the SGE API; the server of the embedded one, and its PBX, where it is ours."""
    scheme, value, path = settings.credential
    if not settings.embedded:
        client = await stack.enter_async_context(
            open_client(
                settings.sge_api_url,
                credentials=open_credentials(scheme, value=value, path=path),
                measures=measures,
                ssl_context=_ssl_context(settings.sge_ca_file),
                user_agent=f"fastagi-server/{__version__}",
                trace=settings.fastagi_log_level == "debug",
            )
        )
        await client.warm(deadline=asyncio.get_running_loop().time() + WARM_SECONDS)
        return client, None, None
    from fastagi_server.access import open_access, open_http  # noqa: PLC0415 - not for the AGI role
    from fastagi_server.api.application import create_app  # noqa: PLC0415
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415
    from fastagi_server.store.opening import open_store  # noqa: PLC0415

    key = value or (path.read_text().strip() if path else "") or secrets.token_urlsafe(32)
    try:
        store = await stack.enter_async_context(open_store(settings.database_url))
    except StoreError as error:
        raise StartError(f"the embedded API's database cannot be used: {error}") from error
    access = await stack.enter_async_context(open_access(settings, store, measures))
    telephony = await _open_telephony(stack, settings, store, measures, worker)
    app = create_app(
        store=store,
        measures=measures,
        bootstrap_key=key,
        version=__version__,
        access=access,
        control=None if telephony is None else telephony.switchboard,
        room_desk=None if telephony is None else telephony.room_desk,
        asterisk_view=None if telephony is None else telephony.ari,
        link=None if telephony is None else telephony.link,
        switchboard=None if telephony is None else telephony.switchboard,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    await _warm(transport, key)
    client = await stack.enter_async_context(
        open_client(
            EMBEDDED_URL,
            credentials=open_credentials("api_key", value=key),
            measures=measures,
            transport=transport,
            trace=settings.fastagi_log_level == "debug",
        )
    )
    if worker > 0:
        return client, None, None
    http = open_http(app, settings)
    return client, await stack.enter_async_context(http), telephony


async def _open_telephony(
    stack: AsyncExitStack, settings: Settings, store: "Store", measures: Measures, worker: int
) -> "Telephony | None":
    # One event socket a node: another one would take the applications away from this one.
    if worker > 0:
        return None
    from fastagi_server.telephony import open_telephony  # noqa: PLC0415 - not for the AGI role

    return await stack.enter_async_context(open_telephony(settings, store, measures))


async def _warm(transport: httpx.AsyncBaseTransport, key: str) -> None:
    """Ask the embedded API something: its first answer takes 0.1 s, which no caller shall wait."""
    question = httpx.Request("GET", f"{EMBEDDED_URL}/calls?limit=1", headers={"X-API-Key": key})
    response = await transport.handle_async_request(question)
    await response.aclose()


def admission_of(settings: Settings) -> Admission:
    """The rules of admission that the settings ask for."""
    return Admission(
        max_sessions=settings.fastagi_max_sessions,
        allow=tuple(ipaddress.ip_network(network) for network in settings.fastagi_allow),
        secret=settings.fastagi_secret.get_secret_value(),
        unprotected=settings.fastagi_unprotected,
    )


def _health_check(measures: Measures, outbox: Outbox) -> Callable[[], Awaitable[Health]]:
    async def check() -> Health:
        try:
            statistics = await outbox.statistics()
        except OutboxError:
            return Health("FAILED", "outbox unusable")
        if any(measures.sge_breaker_open.values.values()):
            return Health("QUEUED", "SGE API unavailable")
        if statistics.dead:
            return Health("REGISTERED", "dead letters in the outbox")
        return Health("REGISTERED")

    return check


def _ssl_context(ca_file: Path | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else None


def _raise_file_limit() -> None:
    """Each session is a file; the soft limit of most systems is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
