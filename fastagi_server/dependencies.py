"""The part of the composition root that says what a process depends on, for its health."""

import shutil
from collections.abc import Awaitable, Callable, Iterator

from fastagi_server.health import probes
from fastagi_server.health.board import HealthBoard, Probe
from fastagi_server.health.probes import Link
from fastagi_server.health.states import State
from fastagi_server.outbox.outbox import Outbox
from fastagi_server.registration.ports import OutboxError
from fastagi_server.services import Health
from fastagi_server.settings import Settings
from fastagi_server.telemetry.measures import Measures


def own_probes(settings: Settings, measures: Measures, outbox: Outbox) -> Iterator[Probe]:
    """What every process depends on."""
    yield probes.queueing(
        outbox, expected=OutboxError, max_entries=settings.fastagi_outbox_max_entries
    )
    yield probes.sge_api(measures.sge_breaker_open.values, measures.sge_requests.values)
    yield probes.log_writer(measures.drops.values)
    yield probes.disk(lambda: shutil.disk_usage(settings.fastagi_state_dir).free)


def link_probes(*, ari: Link | None, ami: Link | None, sip: Link | None = None) -> Iterator[Probe]:
    """The links to Asterisk that the settings ask for."""
    if ari is not None:
        yield probes.linked("ari", ari, "link to Asterisk's REST interface")
    if ami is not None:
        yield probes.linked("ami", ami, "link to Asterisk's manager interface")
    if sip is not None:
        yield probes.linked("sip", sip, "link to Asterisk for calls from browsers")


def registration_health(board: HealthBoard) -> Callable[[], Awaitable[Health]]:
    """What the AGI route `health` tells: what a registration would get now."""

    async def check() -> Health:
        summary = await board.check()
        status = "REGISTERED"
        if summary.state_of(probes.SGE_API) is State.DOWN:
            status = "QUEUED"
        if summary.state_of(probes.OUTBOX) is State.DOWN:
            status = "FAILED"
        return Health(status, summary.word, summary.reason)

    return check
