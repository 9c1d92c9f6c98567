"""Takes every event of the link and hands it, in order for each channel, to whom it concerns.

A channel that enters an application is one that we made, one that takes another's place after a
transfer, or a caller for the application; every other event is about a leg of a live call, or none
of our business.
"""

from collections.abc import Awaitable, Callable, Mapping

from fastagi_server.ari.dispatch import OrderedDispatch
from fastagi_server.ari.events import Event, StasisStart
from fastagi_server.ari.subjects import bridge_of, channels_of
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.subject import Subject, current

Application = Callable[[StasisStart], Awaitable[None]]
"""What a Stasis application does with a caller."""

OURS = "sge-"
"""How the ids of channels begin that this program makes."""


class Reception:
    """Hands callers to `applications`, by name, and all other events to the switchboard.

    `on_overflow` hears of a channel whose events were too many to be kept.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        applications: Mapping[str, Application],
        *,
        on_overflow: Callable[[str], None],
        measures: Measures,
    ) -> None:
        self._switchboard = switchboard
        self._applications = applications
        self._dispatch = OrderedDispatch[Event](
            self._handle,
            key=_key,
            on_overflow=on_overflow,
            measures=measures,
            name="stasis_event",
        )

    def receive(self, event: Event) -> None:
        """Take one event of the link; never waits."""
        if isinstance(event, StasisStart):
            # Whoever made the channel waits for it, and may hold up that channel's events.
            self._switchboard.entered(event.channel.id)
            if event.replace_channel is not None:
                # Before anything else is made of the end of the one that is replaced.
                self._switchboard.hands_over(event.replace_channel.id)
        self._dispatch.put(event)

    async def close(self) -> None:
        """Stop at once; what was not handled is found by the next reconciliation."""
        await self._dispatch.close()

    async def idle(self) -> None:
        """Wait until everything that was received has been handled."""
        await self._dispatch.idle()

    async def _handle(self, key: str, event: Event) -> None:
        current.set(_subject(event))
        if isinstance(event, StasisStart) and event.replace_channel is not None:
            old, heir = event.replace_channel.id, event.channel
            await self._switchboard.replace(old, heir, event.timestamp)
            return
        if isinstance(event, StasisStart) and not key.startswith(OURS):
            enter = self._applications.get(event.application)
            if enter is not None:
                await enter(event)
            return
        await self._switchboard.receive(event)


def _subject(event: Event) -> Subject:
    channels = channels_of(event)
    if not channels:
        return Subject()
    channel = channels[0]
    return Subject(
        channel.id,
        personal=lambda: (channel.caller_number, channel.caller_name, channel.dialplan_exten),
    )


def _key(event: Event) -> str:
    channels = channels_of(event)
    return channels[0].id if channels else bridge_of(event)
