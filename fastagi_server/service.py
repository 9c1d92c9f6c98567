"""The composition root: makes every object, in the order it starts, and stops them in reverse.

    measures -> embedded SGE API or a remote one -> outbox -> registrar and relay -> FastAGI -> HTTP

Nothing else constructs a wire. With a remote SGE API nothing of FastAPI or SQLAlchemy is imported.
"""

import asyncio
import ipaddress
import resource
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from fastagi_server import __version__
from fastagi_server.activation import NO_SOCKETS, GivenSockets
from fastagi_server.dependencies import link_probes, own_probes, registration_health
from fastagi_server.fastagi.admission import Admission
from fastagi_server.fastagi.endings import OnError
from fastagi_server.fastagi.router import Route, Router
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.health.board import HealthBoard, Probe
from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.registration.registrar import Registrar
from fastagi_server.registration.relay import Relay
from fastagi_server.routes import ROUTES
from fastagi_server.services import Services
from fastagi_server.settings import Settings
from fastagi_server.sge_api import SgeApi, open_remote
from fastagi_server.telemetry.exposition import Exposition, open_exposition
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from fastagi_server.supervising import Watch

_log = structlog.stdlib.get_logger("service")


class Part(Protocol):
    """What runs for as long as the service does."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """One process's parts.

    `watch` is there with a remote API only, in the first worker.
    """

    agi: FastAgiServer
    relay: Relay
    measures: Measures
    outbox: Outbox
    api: SgeApi
    health: HealthBoard
    watch: "Watch | None" = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a part that fails takes the whole process with it."""
        async with asyncio.TaskGroup() as tasks:
            relay = tasks.create_task(self.relay.run(), name="relay")
            if self.api.http is not None:
                tasks.create_task(self.api.http.run(), name="http")
            until_stopped = [relay, tasks.create_task(self.health.run(), name="health")]
            until_stopped += [
                tasks.create_task(part.run(), name=name) for name, part in self._parts()
            ]
            await stop.wait()
            for task in until_stopped:
                task.cancel()
            if self.api.streaming is not None:
                self.api.streaming.stop()
            if self.api.services is not None:
                self.api.services.board.close()
                self.api.services.presence.close()
                self.api.services.signaling.close()
            if self.api.http is not None:
                self.api.http.stop()

    def _parts(self) -> Iterator[tuple[str, Part]]:
        """What else runs, by name."""
        parts: tuple[tuple[str, Part | None], ...] = (
            ("telephony", self.api.telephony),
            ("streaming", self.api.streaming),
            ("presence", self.api.presence_feed),
            ("browser-calls", self.api.browser_calls),
            ("watch", self.watch),
        )
        for name, part in parts:
            if part is not None:
                yield name, part

    def hurry(self) -> None:
        """Stop without waiting for requests of the API that are under way."""
        if self.api.http is not None:
            self.api.http.hurry()

    def apply(self, settings: Settings) -> None:
        """Take over what `reloading` can change. Raises `ValueError`, with nothing changed."""
        admission = admission_of(settings)
        for host, _ in self.agi.addresses:
            admission.check_bind(host)
        router = router_of(settings, self.agi.router.routes)
        self.agi.admission, self.agi.router = admission, router
        self.api.client.set_trace(on=settings.fastagi_log_level == "debug")
        embedded = self.api.services
        if embedded is not None:
            embedded.calls.max_calls = settings.sge_max_calls_per_user or None
            embedded.limits.change(
                requests_per_minute=settings.sge_rate_limit_per_minute,
                failures_per_minute=settings.sge_failures_per_minute,
                account_failures_per_minute=settings.sge_account_failures_per_minute,
            )
        if self.api.http is not None:
            self.api.http.look_at_certificates()


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    measures: Measures | None = None,
    routes: tuple[Route, ...] = ROUTES,
    worker: int = 0,
    tracing: Tracing | None = None,
    recent: RecentLines | None = None,
    sockets: GivenSockets = NO_SOCKETS,
) -> AsyncGenerator[Service]:
    """Everything one process runs, listening when the context is entered.

    `worker` counts the processes that share the address; the first serves HTTP too. `sockets` are
    listened on instead of the addresses that the settings name. `recent` has the last errors of the
    log, for the wallboard. Raises `OSError`, `OutboxError`,
    `SgeError`, `StartError` or `UnprotectedBindError`, each in words.
    """
    measures = measures or Measures()
    _raise_file_limit()
    settings.fastagi_state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        exposition = await stack.enter_async_context(_exposition(settings, measures, worker))
        if settings.embedded:
            from fastagi_server.embedding import open_embedded  # noqa: PLC0415 - not for AGI alone

            api = await open_embedded(
                stack, settings, exposition, tracing, sockets, worker=worker, recent=recent
            )
        else:
            api = await open_remote(stack, settings, exposition, tracing, sockets)
        outbox = await stack.enter_async_context(_outbox(settings, measures))
        health = api.services.health if api.services is not None else HealthBoard()
        relay = Relay(
            api.client,
            outbox,
            outbox,
            measures=measures,
            max_age_seconds=settings.fastagi_outbox_max_age_seconds,
            tracing=tracing,
        )
        registrar = Registrar(
            api.client,
            outbox,
            measures=measures,
            deadline_seconds=settings.sge_deadline_seconds,
            tracing=None if settings.embedded else tracing,
        )
        agi = FastAgiServer(
            router_of(settings, routes),
            _services(settings, registrar, health),
            measures=measures,
            admission=admission_of(settings),
            tracing=tracing,
        )
        stack.push_async_callback(agi.close)
        await _listen(agi, settings, sockets)
        watch = _watch(settings, registrar, measures, worker)
        health.add(*own_probes(settings, measures, outbox), *_link_probes(api, watch))
        yield Service(agi, relay, measures, outbox, api, health, watch)


def _exposition(
    settings: Settings, measures: Measures, worker: int
) -> AbstractAsyncContextManager[Exposition]:
    return open_exposition(
        measures,
        version=__version__,
        folder=settings.fastagi_state_dir,
        worker=worker,
        workers=settings.fastagi_workers,
        address=settings.metrics_address,
    )


def _outbox(settings: Settings, measures: Measures) -> AbstractAsyncContextManager[Outbox]:
    return open_outbox(
        settings.fastagi_state_dir / "outbox.sqlite3",
        measures=measures,
        max_entries=settings.fastagi_outbox_max_entries,
    )


def _services(settings: Settings, registrar: Registrar, health: HealthBoard) -> Services:
    return Services(
        registrar=registrar,
        system_name=settings.fastagi_system_name,
        technology=settings.fastagi_technology,
        health=registration_health(health),
    )


async def _listen(agi: FastAgiServer, settings: Settings, sockets: GivenSockets) -> None:
    for listener in sockets.agi:
        await agi.listen_on(listener)
    for host, port in () if sockets.agi else settings.listen_addresses:
        await agi.listen(host, port, reuse_port=settings.fastagi_workers > 1)


def _watch(
    settings: Settings, registrar: Registrar, measures: Measures, worker: int
) -> "Watch | None":
    """Supervision for a remote API; with the embedded one it is a part of telephony."""
    if settings.embedded or worker > 0 or not settings.asterisk_ami_host:
        return None
    from fastagi_server.supervising import watch_registrar  # noqa: PLC0415 - few need it

    return watch_registrar(settings, registrar, measures)


def admission_of(settings: Settings) -> Admission:
    """The rules of admission that the settings ask for."""
    return Admission(
        max_sessions=settings.fastagi_max_sessions,
        allow=tuple(ipaddress.ip_network(network) for network in settings.fastagi_allow),
        secret=settings.fastagi_secret.get_secret_value(),
        unprotected=settings.fastagi_unprotected,
    )


def router_of(settings: Settings, routes: tuple[Route, ...]) -> Router:
    """The routes with the policies that the settings ask for. Raises `ValueError`."""
    policies = {path: OnError.from_text(text) for path, text in settings.fastagi_on_error.items()}
    return Router(routes, policies=policies)


def _link_probes(api: SgeApi, watch: "Watch | None") -> Iterator[Probe]:
    telephony = api.telephony
    watch = telephony.watch if telephony is not None else watch
    return link_probes(
        ari=telephony.link if telephony is not None else None,
        ami=watch.link if watch is not None else None,
        sip=api.browser_calls.agent if api.browser_calls is not None else None,
    )


def _raise_file_limit() -> None:
    """Each session is a file; the soft limit of most systems is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
