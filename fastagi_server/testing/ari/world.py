"""What the fake Asterisk holds, and the events that changes of it make.

Every method that changes something sends its events at once, in Asterisk's order. An event goes to
the applications that watch its subject and have a socket; without one it is lost, as in Asterisk.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from fastagi_server.testing.ari.http import RefusalError
from fastagi_server.testing.ari.objects import FakeBridge, FakeChannel, Json, timestamp
from fastagi_server.testing.ari.sockets import EventSocket

ENTITY_ID = "02:00:00:00:00:01"

NORMAL_CLEARING = 16
USER_BUSY = 17
NO_ANSWER = 19
INTERWORKING = 32
"""Q.850 hang-up causes; the last is what ARI names when it ends a channel itself."""

CAUSE_TEXTS = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    19: "User alerting, no answer",
    21: "Call Rejected",
    32: "Unknown",
}


class PhoneState(StrEnum):
    """What the phone of an endpoint does when it is called."""

    MANUAL = "manual"
    """Nothing by itself: the test says what happens."""
    ANSWERS = "answers"
    """Rings, then answers at once."""
    RINGS = "rings"
    """Rings until somebody gives up."""
    BUSY = "busy"
    """Refuses with 486."""
    OFFLINE = "offline"
    """Is not registered: no channel can be made to it."""


class World:
    """Channels, bridges, endpoints and applications of one Asterisk."""

    def __init__(self, phones: Iterable[str]) -> None:
        self.phones = dict.fromkeys(phones, PhoneState.MANUAL)
        self.channels: dict[str, FakeChannel] = {}
        self.bridges: dict[str, FakeBridge] = {}
        self.playbacks: dict[str, dict[str, str]] = {}
        self.recordings: dict[str, dict[str, str]] = {}
        self.objects: dict[tuple[str, ...], list[Json]] = {}
        self.variables: dict[str, str] = {}
        self.sockets: dict[str, EventSocket] = {}
        self.sources: dict[str, set[str]] = {}
        self.held_entries: list[tuple[FakeChannel, str, str]] | None = None
        self.started_at = timestamp()

    # -- applications and events --

    def register(self, socket: EventSocket) -> None:
        """Give the socket its applications, away from whoever had them."""
        for application in socket.applications:
            previous = self.sockets.get(application)
            self.sockets[application] = socket
            self.sources.setdefault(application, set())
            if previous is not None and previous is not socket:
                previous.send(self._event("ApplicationReplaced", application, {}))

    def unregister(self, socket: EventSocket) -> None:
        """Take away the applications of a socket that is gone; what was in them stays there."""
        for application in socket.applications:
            if self.sockets.get(application) is socket:
                del self.sockets[application]

    def publish(self, kind: str, applications: Iterable[str], **fields: Any) -> None:
        """Send an event to applications, and to those that subscribed to everything."""
        everything = {name for name, socket in self.sockets.items() if socket.subscribe_all}
        for application in sorted(everything.union(applications)):
            socket = self.sockets.get(application)
            if socket is not None:
                socket.send(self._event(kind, application, fields))

    def about(self, kind: str, channel: FakeChannel, **fields: Any) -> None:
        """Send an event about a channel to those who watch it."""
        self.publish(kind, channel.audience, channel=channel.document(), **fields)

    @staticmethod
    def _event(kind: str, application: str, fields: Json) -> Json:
        return {
            "type": kind,
            "timestamp": timestamp(),
            **fields,
            "asterisk_id": ENTITY_ID,
            "application": application,
        }

    # -- channels --

    def find(self, channel_id: str, status: int = 404) -> FakeChannel:
        """A live channel; `RefusalError` with `status` when there is none."""
        if channel_id not in self.channels:
            raise RefusalError(status, "Channel not found")
        return self.channels[channel_id]

    def add(self, channel: FakeChannel) -> None:
        """Let a channel exist."""
        if channel.id in self.channels:
            raise RefusalError(409, "Channel with given unique ID already exists")
        self.channels[channel.id] = channel
        self.about("ChannelCreated", channel)

    def enter(self, channel: FakeChannel, application: str, arguments: str) -> bool:
        """Let a channel enter an application; False, and without effect, when nobody serves it."""
        if application not in self.sockets:
            return False
        channel.app = application
        args = arguments.split(",") if arguments else []
        self.publish("StasisStart", (application,), channel=channel.document(), args=args)
        return True

    def enter_or_end(self, channel: FakeChannel, application: str, arguments: str) -> None:
        """Let a channel that we made enter, later if entries are held; without a server it ends."""
        if self.held_entries is not None:
            self.held_entries.append((channel, application, arguments))
        elif not self.enter(channel, application, arguments):
            self.end(channel, NORMAL_CLEARING)

    def release_entries(self) -> None:
        """Let the channels enter that were held, those that are still alive."""
        held, self.held_entries = self.held_entries or [], None
        for channel, application, arguments in held:
            if channel.id in self.channels:
                self.enter_or_end(channel, application, arguments)

    def leave(self, channel: FakeChannel) -> None:
        """Let a channel leave its bridge and its application, if it is in any."""
        self.leave_bridge(channel)
        if channel.app:
            application, channel.app = channel.app, ""
            self.publish("StasisEnd", (application,), channel=channel.document())

    def replace(self, channel: FakeChannel, heir: FakeChannel) -> None:
        """Put another channel into the application and the bridge of one that a phone leaves."""
        self.add(heir)
        heir.app = channel.app
        self.publish(
            "StasisStart",
            (heir.app,),
            channel=heir.document(),
            args=[],
            replace_channel=channel.document(),
        )
        if channel.bridge:
            self.join_bridge(self.bridges[channel.bridge], heir)
            self.leave_bridge(channel)

    def change_state(self, channel: FakeChannel, state: str) -> None:
        """Give a channel another state."""
        channel.state = state
        self.about("ChannelStateChange", channel)

    def dialling(self, channel: FakeChannel, status: str) -> None:
        """Say how the calling of a channel's phone goes."""
        peer = channel.document()
        self.publish("Dial", channel.audience, peer=peer, dialstatus=status, dialstring="")

    def end(self, channel: FakeChannel, cause: int, *, requested: int | None = None) -> None:
        """Destroy a channel with `cause`, after a request to hang up if its cause is given."""
        if channel.timer is not None:
            channel.timer.cancel()
        if requested is not None:
            # Asterisk's own requests are soft; a phone's is not.
            soft = {"soft": True} if requested == INTERWORKING else {}
            self.about("ChannelHangupRequest", channel, cause=requested, **soft)
        self.leave(channel)
        del self.channels[channel.id]
        words = CAUSE_TEXTS.get(cause, "Unknown")
        self.about("ChannelDestroyed", channel, cause=cause, cause_txt=words)

    # -- bridges --

    def find_bridge(self, bridge_id: str) -> FakeBridge:
        """A bridge; `RefusalError` when there is none."""
        if bridge_id not in self.bridges:
            raise RefusalError(404, "Bridge not found")
        return self.bridges[bridge_id]

    def join_bridge(self, bridge: FakeBridge, channel: FakeChannel) -> None:
        """Put a channel into a bridge, out of any other."""
        if channel.bridge == bridge.id:
            return
        self.leave_bridge(channel)
        channel.bridge = bridge.id
        bridge.channels.append(channel.id)
        bridge.watchers.add(channel.app)
        self._crossed("ChannelEnteredBridge", bridge, channel)

    def leave_bridge(self, channel: FakeChannel) -> None:
        """Take a channel out of its bridge, if it is in one."""
        if not channel.bridge:
            return
        bridge = self.bridges[channel.bridge]
        channel.bridge = ""
        bridge.channels.remove(channel.id)
        self._crossed("ChannelLeftBridge", bridge, channel)

    def destroy_bridge(self, bridge: FakeBridge) -> None:
        """End a bridge; its channels live on."""
        for channel_id in list(bridge.channels):
            self.leave_bridge(self.channels[channel_id])
        del self.bridges[bridge.id]
        self.publish("BridgeDestroyed", bridge.watchers, bridge=bridge.document())

    def _crossed(self, kind: str, bridge: FakeBridge, channel: FakeChannel) -> None:
        watchers = bridge.watchers | channel.audience
        self.publish(kind, watchers, bridge=bridge.document(), channel=channel.document())
