"""The part of the composition root that watches every call over the manager interface.

book of registered calls -> supervision -> link
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastagi_server.ami.link import AmiLink
from fastagi_server.registration.registrar import Registrar
from fastagi_server.settings import Settings
from fastagi_server.supervision.happenings import OnSighting
from fastagi_server.supervision.ports import CallBook
from fastagi_server.supervision.registrations import RegistrarBook
from fastagi_server.supervision.strangers import Stranger, Strangers
from fastagi_server.supervision.supervision import Supervision
from fastagi_server.telemetry.measures import Measures


@dataclass(frozen=True, slots=True)
class Watch:
    """Supervision and the link that it lives on."""

    supervision: Supervision
    link: AmiLink

    def not_registered(self) -> Sequence[Stranger]:
        """The live channels that reached an extension without being registered."""
        return self.supervision.not_registered()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.supervision.run(), name="supervision")
            tasks.create_task(self.link.run(), name="ami-link")


def make_watch(
    settings: Settings,
    book: CallBook,
    measures: Measures,
    *,
    call_of: Callable[[str], str | None] = lambda _: None,
    on_sighting: OnSighting | None = None,
) -> Watch | None:
    """The watch over the Asterisk of ASTERISK_AMI_HOST, not linked until it is run; None without.

    `call_of` knows the live calls that Stasis applications of ours lead, by their channels.
    """
    if not settings.asterisk_ami_host:
        return None
    supervision = Supervision(
        book,
        system_name=settings.fastagi_system_name,
        strangers=Strangers(settings.sge_supervised_contexts, measures),
        measures=measures,
        is_led=lambda unique_id: call_of(unique_id) is not None,
        on_sighting=on_sighting,
    )
    link = AmiLink(
        host=settings.asterisk_ami_host,
        port=settings.asterisk_ami_port,
        username=settings.asterisk_ami_username,
        secret=settings.ami_secret,
        on_event=supervision.receive,
        on_connected=supervision.connected,
        on_lost=supervision.lost,
        measures=measures,
        ssl_context=_ssl_context(settings),
    )
    supervision.attach(link)
    return Watch(supervision, link)


def watch_registrar(settings: Settings, registrar: Registrar, measures: Measures) -> Watch | None:
    """The same for a remote SGE API, which is told through the registrar of the AGI routes."""
    book = RegistrarBook(registrar, technology=settings.fastagi_technology, measures=measures)
    watch = make_watch(settings, book, measures)
    if watch is not None:
        book.attach(watch.link)
    return watch


def _ssl_context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.asterisk_ami_tls:
        return None
    ca_file = settings.asterisk_ami_ca_file
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
