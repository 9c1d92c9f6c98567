"""Runs the server's process or processes, with logs, reports and the event loop set up."""

import asyncio
import secrets
import signal
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import structlog

from fastagi_server import __version__
from fastagi_server.activation import Manager, open_manager
from fastagi_server.checking import find_faults
from fastagi_server.registration.ports import OutboxError
from fastagi_server.reloading import Reloading
from fastagi_server.serving import CLOSING_SECONDS, serve
from fastagi_server.settings import Settings, load_settings
from fastagi_server.settings.manager import take_manager_offer
from fastagi_server.telemetry.logs import ErrorReports, configure_logs
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines
from fastagi_server.telemetry.tracing import Tracing, headers_of, open_tracing
from fastagi_server.workers import Workers

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_log = structlog.stdlib.get_logger("service")


def run_server(settings: Settings) -> None:
    """Serve until a signal.

    Raises `ValueError`, `OSError` or `OutboxError`, in words, when it cannot start. Faults are
    looked for here and not in the workers, which would be started again and again.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until it can be answered
    measures = Measures()
    manager = open_manager(take_manager_offer(), drops=measures.drops)
    faults = find_faults(settings, bound=manager.sockets.names)
    if faults:
        raise ValueError("\n".join(faults))
    masker = open_masker(settings)
    if settings.fastagi_workers == 1:
        _run_process(settings, masker, measures, manager, 0)
    else:
        with _telemetry(settings, masker, measures, RecentLines(), forks=True):
            _run_workers(settings, masker, manager)


def _run_workers(settings: Settings, masker: Masker, manager: Manager) -> None:
    reloading = Reloading(settings, read=load_settings, apply=lambda _: None)
    Workers(
        settings.fastagi_workers,
        lambda number, parent: _run_process(reloading.settings, masker, Measures(), parent, number),
        stop_seconds=lambda: reloading.settings.fastagi_drain_seconds + CLOSING_SECONDS,
        reload=reloading.reload_now,
        manager=manager,
    ).run()


def open_masker(settings: Settings) -> Masker:
    """What keeps secrets and personal data out of lines; one for all processes of a service."""
    return Masker(
        key=secrets.token_bytes(16),
        secrets=settings.secret_values,
        personal=settings.fastagi_log_personal_data == "mask",
    )


def _run_process(
    settings: Settings, masker: Masker, measures: Measures, manager: Manager, worker: int
) -> None:
    is_masked = settings.fastagi_wallboard_personal_data == "mask"
    recent = RecentLines(masker=masker.strict() if is_masked else None)
    with _telemetry(settings, masker, measures, recent), ExitStack() as stack:
        tracing = _open_tracing(settings, measures, worker)
        if tracing is not None:
            stack.callback(tracing.close)
        runner = stack.enter_context(
            asyncio.Runner(loop_factory=_loop_factory(settings.fastagi_loop))
        )
        try:
            runner.run(
                serve(
                    settings,
                    measures=measures,
                    manager=manager,
                    worker=worker,
                    tracing=tracing,
                    recent=recent,
                )
            )
        except (OSError, ValueError, OutboxError):
            raise  # told in words to whoever started it
        except Exception:
            _log.critical("service_failed", exc_info=True)
            raise


@contextmanager
def _telemetry(
    settings: Settings,
    masker: Masker,
    measures: Measures,
    recent: RecentLines,
    *,
    forks: bool = False,
) -> Generator[None]:
    """Log lines and reports of errors, until the process ends."""
    with ExitStack() as stack:
        writer = configure_logs(
            settings.fastagi_log_level,
            settings.fastagi_log_format,
            measures.drops,
            file=settings.fastagi_log_file,
            masker=masker,
            reports=_open_reports(stack, settings, masker, measures),
            recent=recent,
            forks=forks,
        )
        stack.callback(writer.close)
        yield


def _open_reports(
    stack: ExitStack, settings: Settings, masker: Masker, measures: Measures
) -> ErrorReports | None:
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        return None
    from fastagi_server.telemetry.sentry import open_sentry  # noqa: PLC0415 - costs 7 MB

    sentry = open_sentry(
        dsn,
        environment=settings.sentry_environment,
        sample_rate=settings.sentry_sample_rate,
        release=f"fastagi-server@{__version__}",
        masker=masker,
        drops=measures.drops,
    )
    stack.callback(sentry.close)
    return sentry


def _open_tracing(settings: Settings, measures: Measures, worker: int) -> Tracing | None:
    if not settings.otel_exporter_otlp_endpoint:
        return None
    return open_tracing(
        settings.otel_exporter_otlp_endpoint,
        headers=headers_of(settings.otel_exporter_otlp_headers.get_secret_value()),
        ratio=settings.fastagi_trace_ratio,
        version=__version__,
        instance=f"{settings.fastagi_system_name}-{worker}",
        drops=measures.drops,
    )


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
