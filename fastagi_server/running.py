"""Runs the server's process or processes, with logs and the event loop set up."""

import asyncio
from collections.abc import Callable

from fastagi_server.checking import find_faults
from fastagi_server.service import serve
from fastagi_server.settings import Settings
from fastagi_server.telemetry.logs import configure_logs
from fastagi_server.telemetry.measures import Measures
from fastagi_server.workers import Workers

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run_server(settings: Settings) -> None:
    """Serve until a signal.

    Raises `ValueError`, `OSError` or `OutboxError`, in words, when it cannot start. Faults are
    looked for here and not in the workers, which would be started again and again.
    """
    faults = find_faults(settings)
    if faults:
        raise ValueError("\n".join(faults))
    if settings.fastagi_workers == 1:
        _run_process(settings, 0)
        return
    measures = Measures()
    configure_logs(settings.fastagi_log_level, settings.fastagi_log_format, measures.drops)
    Workers(
        settings.fastagi_workers,
        lambda number: _run_process(settings, number),
        stop_seconds=settings.fastagi_drain_seconds,
    ).run()


def _run_process(settings: Settings, worker: int) -> None:
    measures = Measures()
    writer = configure_logs(settings.fastagi_log_level, settings.fastagi_log_format, measures.drops)
    try:
        with asyncio.Runner(loop_factory=_loop_factory(settings.fastagi_loop)) as runner:
            runner.run(serve(settings, measures=measures, worker=worker))
    finally:
        writer.close()


def _loop_factory(choice: str) -> LoopFactory:
    if choice == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - optional by platform
    except ImportError:
        if choice == "uvloop":
            raise ValueError("FASTAGI_LOOP=uvloop, but uvloop is not installed") from None
        return asyncio.new_event_loop
    return uvloop.new_event_loop
