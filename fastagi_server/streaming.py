"""The part of the composition root that tells other programs what happens.

logs, supervision, measures -> hub -> event stream; logs -> webhooks
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastagi_server import __version__
from fastagi_server.events.filters import TypeFilter
from fastagi_server.events.hub import EventHub
from fastagi_server.events.links import MeasureWatch
from fastagi_server.events.models import GAP, Event
from fastagi_server.events.tail import Tail
from fastagi_server.settings import Settings
from fastagi_server.store.opening import Store
from fastagi_server.store.retention import Forgetting, Retention, keep_forgetting
from fastagi_server.supervision import happenings
from fastagi_server.telemetry.measures import Measures
from fastagi_server.webhooks.delivery import Delivery
from fastagi_server.webhooks.target import Target, open_poster

DISCARDS_KEPT = timedelta(days=30)
LETTERS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Streaming:
    """The stream, what feeds it, and the deliveries to webhooks."""

    hub: EventHub
    tail: Tail
    watch: MeasureWatch
    deliveries: tuple[Delivery, ...]

    async def run(self) -> None:
        """Tell until cancelled."""
        started = Event("service.started", datetime.now(UTC), data={"version": __version__})
        self.hub.publish(started)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.tail.run(), name="event-tail")
            tasks.create_task(self.watch.run(), name="event-watch")
            for delivery in self.deliveries:
                tasks.create_task(delivery.run(), name="webhook")

    def tell(self, happening: happenings.Happening) -> None:
        """Publish what supervision saw: supervision.happenings.OnSighting."""
        self.hub.publish(event_of(happening))

    def stop(self) -> None:
        """End every stream, once it has sent what there is."""
        self.hub.publish(Event("service.stopping", datetime.now(UTC)))
        self.hub.close()


@asynccontextmanager
async def open_streaming(
    settings: Settings, store: Store, measures: Measures
) -> AsyncGenerator[Streaming]:
    """The stream of this process and the webhooks that the settings name; neither runs yet.

    Raises `ValueError` or `OSError` in words for a webhook's secret or certificates.
    """
    hub = EventHub(measures=measures, max_readers=settings.sge_event_streams)
    async with AsyncExitStack() as stack:
        deliveries = [
            await stack.enter_async_context(_open_delivery(target, settings, store, measures))
            for target in webhook_targets(settings)
        ]
        rules = (
            Retention("discard", store.event_logs, DISCARDS_KEPT),
            Retention("webhook_letter", store.webhooks, LETTERS_KEPT),
        )
        await stack.enter_async_context(keep_forgetting(Forgetting(rules, measures=measures)))
        yield Streaming(
            hub,
            Tail(store.event_logs, hub.publish),
            MeasureWatch(measures, hub.publish),
            tuple(deliveries),
        )


def webhook_targets(settings: Settings) -> list[Target]:
    """The targets that the settings name. Raises SettingsError for a secret's file."""
    return [
        Target(
            name,
            webhook.url,
            types=TypeFilter(webhook.types),
            secret=settings.webhook_secret(name).encode(),
            ca_file=webhook.ca_file,
            attempt_seconds=settings.sge_webhook_timeout_seconds,
        )
        for name, webhook in settings.webhooks.items()
    ]


@asynccontextmanager
async def _open_delivery(
    target: Target, settings: Settings, store: Store, measures: Measures
) -> AsyncGenerator[Delivery]:
    async with open_poster(target, user_agent=f"fastagi-server/{__version__}") as poster:
        yield Delivery(
            target,
            poster,
            store.event_logs,
            store.webhooks,
            measures=measures,
            max_age_seconds=settings.sge_webhook_max_age_seconds,
        )


def event_of(happening: happenings.Happening) -> Event:
    """The event that tells of something that happened in the PBX."""
    at = happening.at
    match happening:
        case happenings.Missed(why=why):
            return Event(GAP, at, data={"lost": None, "reason": why})
        case happenings.ChannelUp(unique_id=unique_id):
            data = {
                "name": happening.name,
                "caller_number": happening.caller_number,
                "exten": happening.exten,
                "context": happening.context,
            }
            return Event("channel.created", at, channel=unique_id, data=data)
        case happenings.ChannelDown(unique_id=unique_id, name=name, cause=cause):
            return Event(
                "channel.ended", at, channel=unique_id, data={"name": name, "cause": cause}
            )
        case happenings.EndpointRegistered(endpoint=endpoint, uri=uri):
            return Event("endpoint.registered", at, data={"endpoint": endpoint, "uri": uri})
        case happenings.EndpointUnregistered(endpoint=endpoint, uri=uri, status=status):
            data = {"endpoint": endpoint, "uri": uri, "status": status}
            return Event("endpoint.unregistered", at, data=data)
        case happenings.DeviceChanged(device=device, state=state):
            return Event("device.state", at, data={"device": device, "state": state})
        case happenings.SecurityAlert():
            data = {
                "kind": happening.kind,
                "service": happening.service,
                "account": happening.account,
                "remote_address": happening.remote_address,
            }
            return Event("security.alert", at, data=data)
        case _:
            raise TypeError(f"nothing is told of {type(happening).__name__}")
