"""One process from its start to its end: signals, what the service manager is told, the drain."""

import asyncio
import gc
import signal
from collections.abc import Callable
from typing import Any

import structlog

from fastagi_server.activation import READY, Manager, Notifier
from fastagi_server.fastagi.router import Route
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.reloading import Reloading
from fastagi_server.routes import ROUTES
from fastagi_server.service import open_service
from fastagi_server.settings import Settings, load_settings
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing

_log = structlog.stdlib.get_logger("service")

GC_THRESHOLDS = (20_000, 20, 50)
"""Young collections rarer than Python's 700: sessions make many objects, and few cycles."""

CLOSING_SECONDS = 20.0
"""After the drain: five each for AGI and HTTP to be cut short, and time to write everything out."""


class Signals:
    """What signals have asked for: to stop, to hurry with it, to read the settings again."""

    def __init__(self, *, alone: bool) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.reload = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Of several workers Ctrl-C is the parent's, who says SIGTERM.
        for number in (signal.SIGTERM, signal.SIGINT) if alone else (signal.SIGTERM,):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)
        # One that came before there was anybody to hear it has waited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def _ask_to_stop(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()


async def serve(
    settings: Settings,
    *,
    measures: Measures,
    manager: Manager,
    worker: int = 0,
    tracing: Tracing | None = None,
    recent: RecentLines | None = None,
    routes: tuple[Route, ...] = ROUTES,
    read: Callable[[], Settings] = load_settings,
) -> None:
    """Run one process until SIGTERM or SIGINT; the second signal stops it at once.

    `manager` hears when it is ready, and how it is for as long as its event loop turns. SIGHUP
    takes over what `read` returns. `recent` has the last errors, for operators.
    """
    signals = Signals(alone=settings.fastagi_workers == 1)
    opened = open_service(
        settings,
        measures=measures,
        worker=worker,
        tracing=tracing,
        recent=recent,
        routes=routes,
        sockets=manager.sockets,
    )
    async with manager.watching(lambda: status_of(measures)), opened as service:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        reloading = Reloading(settings, read=read, apply=service.apply)
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(service.run(drained), name="service")
            reloads = tasks.create_task(
                _reload_when_asked(reloading, signals.reload, manager.notifier), name="reloads"
            )
            manager.notifier.tell(READY)
            await signals.stop.wait()
            reloads.cancel()
            seconds = reloading.settings.fastagi_drain_seconds
            manager.notifier.tell_stopping(seconds + CLOSING_SECONDS)
            _log.info("draining", sessions=service.agi.open_sessions)
            await _drain(service.agi, seconds, signals.hurry)
            drained.set()
            await _either(running, signals.hurry)
            service.hurry()
    _log.info("stopped")


def status_of(measures: Measures) -> str:
    """One line for the manager's status: sessions, outbox, the SGE API, links."""
    sessions = measures.agi_sessions_open.values.get((), 0.0)
    waiting = measures.outbox_depth.values.get(("pending",), 0.0)
    words = [f"{sessions:.0f} sessions open", f"{waiting:.0f} in the outbox"]
    if any(measures.sge_breaker_open.values.values()):
        words.append("SGE API unavailable")
    for links in (measures.ari_link_up, measures.ami_link_up):
        words += [f"{name} {'up' if is_up else 'down'}" for (name,), is_up in links.values.items()]
    return ", ".join(words)


async def _reload_when_asked(
    reloading: Reloading, asked: asyncio.Event, notifier: Notifier
) -> None:
    while True:
        await asked.wait()
        asked.clear()
        notifier.tell_reloading()
        await reloading.reload()
        notifier.tell(READY)


async def _drain(agi: FastAgiServer, seconds: float, hurry: asyncio.Event) -> None:
    draining = asyncio.create_task(agi.drain(seconds))
    await _either(draining, hurry)
    draining.cancel()


async def _either(task: asyncio.Task[Any], hurry: asyncio.Event) -> None:
    """Return when the task is done, or somebody is in a hurry."""
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({task, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
