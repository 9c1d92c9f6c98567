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
    """One process's parts. `http` is None with a remote API, and in all workers but the first."""

    agi: FastAgiServer
    relay: Relay
    measures: Measures
    outbox: Outbox
    http: "HttpServer | None"

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a part that fails takes the whole process with it."""
        async with asyncio.TaskGroup() as tasks:
            relay = tasks.create_task(self.relay.run(), name="relay")
            if self.http is not None:
                tasks.create_task(self.http.run(), name="http")
            await stop.wait()
            relay.cancel()
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
        client, http = await _open_api(stack, settings, measures, worker)
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
        yield Service(agi, relay, measures, outbox, http)


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
) -> "tuple[SgeClient, HttpServer | None]":
    """The client for the SGE API, and the server of the embedded one where it is ours."""
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
        return client, None
    from fastagi_server.api.application import create_app  # noqa: PLC0415 - not for the AGI role
    from fastagi_server.http import HttpServer  # noqa: PLC0415
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415
    from fastagi_server.store.opening import open_store  # noqa: PLC0415

    key = value or (path.read_text().strip() if path else "") or secrets.token_urlsafe(32)
    try:
        store = await stack.enter_async_context(open_store(settings.database_url))
    except StoreError as error:
        raise StartError(f"the embedded API's database cannot be used: {error}") from error
    app = create_app(store=store, measures=measures, bootstrap_key=key, version=__version__)
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
    http = HttpServer(app, settings.fastagi_api_host, settings.port) if worker == 0 else None
    if http is not None:
        await stack.enter_async_context(http)
    return client, http


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
