"""What happens at the far end of a channel: phones that ring, answer, refuse and hang up."""

import asyncio

from fastagi_server.testing.ari.objects import FakeChannel
from fastagi_server.testing.ari.world import (
    INTERWORKING,
    NO_ANSWER,
    NORMAL_CLEARING,
    USER_BUSY,
    PhoneState,
    World,
)


class Phones:
    """The phones of a fake Asterisk, by the id of the channel that leads to each."""

    def __init__(self, world: World) -> None:
        self._world = world

    def call(self, channel: FakeChannel, timeout_seconds: int) -> None:
        """Call a channel's phone; it does what its endpoint's `PhoneState` says."""
        channel.dialled = True
        self._world.dialling(channel, "")
        if timeout_seconds > 0:
            loop = asyncio.get_running_loop()
            channel.timer = loop.call_later(timeout_seconds, self.times_out, channel.id)
        match self._world.phones.get(channel.endpoint):
            case None:
                self.answers(channel.id)
            case PhoneState.ANSWERS:
                self.rings(channel.id)
                self.answers(channel.id)
            case PhoneState.RINGS:
                self.rings(channel.id)
            case PhoneState.BUSY:
                self.refuses(channel.id)
            case _:
                pass

    def rings(self, channel_id: str) -> None:
        """The phone rings."""
        channel = self._world.find(channel_id)
        self._world.change_state(channel, "Ringing")
        self._world.dialling(channel, "RINGING")

    def answers(self, channel_id: str) -> None:
        """The phone is answered; an originated channel enters its application."""
        channel = self._world.find(channel_id)
        if channel.timer is not None:
            channel.timer.cancel()
        self._world.change_state(channel, "Up")
        self._world.dialling(channel, "ANSWER")
        if channel.originated is not None:
            application, arguments = channel.originated
            channel.originated = None
            self._world.enter_or_end(channel, application, arguments)

    def refuses(self, channel_id: str, *, cause: int = USER_BUSY) -> None:
        """The phone refuses; by default it is busy."""
        channel = self._world.find(channel_id)
        self._world.about("ChannelHangupRequest", channel, cause=cause)
        if channel.originated is not None:
            self._world.dialling(channel, "BUSY" if cause == USER_BUSY else "CONGESTION")
        self._world.end(channel, cause)

    def times_out(self, channel_id: str) -> None:
        """The time to ring is over."""
        channel = self._world.find(channel_id)
        requested = None if channel.originated is not None else INTERWORKING
        self._world.end(channel, NO_ANSWER, requested=requested)

    def hangs_up(self, channel_id: str, *, cause: int = NORMAL_CLEARING) -> None:
        """The phone hangs up, or its caller gives up."""
        self._world.end(self._world.find(channel_id), cause, requested=cause)

    def holds(self, channel_id: str) -> None:
        """The phone puts the call on hold."""
        self._world.about("ChannelHold", self._world.find(channel_id))

    def unholds(self, channel_id: str) -> None:
        """The phone takes the call off hold."""
        self._world.about("ChannelUnhold", self._world.find(channel_id))

    def transfers(self, channel_id: str, extension: str) -> str:
        """The phone sends whom it talks to to an extension and hangs up (blind transfer).

        Returns the id of the channel that takes its place, and that the dialplan answers.
        """
        channel = self._world.find(channel_id)
        context = "sky-genesis-voip"
        heir = FakeChannel(
            f"{channel_id}-transferred",
            f"Local/{extension}@{context}",
            state="Up",
            exten=extension,
            context=context,
        )
        self._world.replace(channel, heir)
        self._world.about(
            "BridgeBlindTransfer", channel, exten=extension, context=context, result="Success"
        )
        self.hangs_up(channel_id)
        return heir.id

    def sounded(self, channel_id: str, **reports: str) -> None:
        """Asterisk tells what it measured of the phone's audio, as before a channel ends."""
        channel = self._world.find(channel_id)
        for variable, value in reports.items():
            self._world.about("ChannelVarset", channel, variable=variable, value=value)

    def presses(self, channel_id: str, digits: str) -> None:
        """Keys are pressed, one after another."""
        for digit in digits:
            channel = self._world.find(channel_id)
            self._world.about("ChannelDtmfReceived", channel, digit=digit, duration_ms=100)
