"""The channels and bridges of a fake Asterisk, and the events that tell of them.

    exchange = Exchange(fake.tell)
    caller = exchange.call("1002", "1001")
    callee = exchange.dial(caller, "PJSIP/1001")
    exchange.ring(callee)
    exchange.answer(callee)
    exchange.hang_up(caller)
    exchange.hang_up(callee)

Each step says what Asterisk 22.10 says for it, in its order. What Asterisk does by itself, such as
hanging up the other side, is left to the caller, who may want it late, twice or not at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

Tell = Callable[[str, Mapping[str, str]], None]
"""Takes the name and the headers of an event."""

CAUSES = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    19: "User alerting, no answer",
    26: "Answered elsewhere",
    127: "Interworking, unspecified",
}
"""Asterisk's words for the causes of hang-ups that the tests have."""

UNKNOWN = "<unknown>"
STATES = {"Down": "0", "Ring": "4", "Ringing": "5", "Up": "6", "Busy": "7"}


@dataclass
class FakeChannel:
    """A channel as Asterisk describes it in events."""

    unique_id: str
    linked_id: str
    name: str
    state: str = "Down"
    caller_number: str = UNKNOWN
    caller_name: str = UNKNOWN
    connected_number: str = UNKNOWN
    context: str = "sky-genesis-voip"
    exten: str = ""
    bridge: "FakeBridge | None" = field(default=None, repr=False)
    dialled_by: "FakeChannel | None" = field(default=None, repr=False)

    def headers(self, prefix: str = "") -> dict[str, str]:
        """The headers of an event about it; `prefix` is Dest for the called one of two."""
        pairs = {
            "Channel": self.name,
            "ChannelState": STATES[self.state],
            "ChannelStateDesc": self.state,
            "CallerIDNum": self.caller_number,
            "CallerIDName": self.caller_name,
            "ConnectedLineNum": self.connected_number,
            "ConnectedLineName": UNKNOWN,
            "Language": "en",
            "AccountCode": "",
            "Context": self.context,
            "Exten": self.exten,
            "Priority": "1",
            "Uniqueid": self.unique_id,
            "Linkedid": self.linked_id,
        }
        return {prefix + name: value for name, value in pairs.items()}


@dataclass
class FakeBridge:
    """A bridge and who is in it."""

    unique_id: str
    channels: list[FakeChannel] = field(default_factory=list[FakeChannel])

    def headers(self) -> dict[str, str]:
        """The headers of an event about it."""
        return {
            "BridgeUniqueid": self.unique_id,
            "BridgeType": "basic",
            "BridgeTechnology": "simple_bridge",
            "BridgeCreator": UNKNOWN,
            "BridgeName": UNKNOWN,
            "BridgeNumChannels": str(len(self.channels)),
            "BridgeVideoSourceMode": "none",
        }


class Exchange:
    """Calls as they go; `channels` and `bridges` are those that live, by unique id."""

    def __init__(self, tell: Tell, *, first_id: int = 1_710_000_000) -> None:
        self.channels: dict[str, FakeChannel] = {}
        self.bridges: dict[str, FakeBridge] = {}
        self._tell = tell
        self._first_id = first_id
        self._numbers = count()
        self._bridge_numbers = count(1)

    def clear(self) -> None:
        """Forget everything without a word, as a crash does."""
        self.channels.clear()
        self.bridges.clear()

    def call(
        self, number: str, exten: str, *, context: str = "sky-genesis-voip", name: str = "User"
    ) -> FakeChannel:
        """The phone `number` calls `exten`: a channel begins to run the dialplan."""
        channel = self._channel(f"PJSIP/{number}", linked_id="")
        channel.caller_number, channel.caller_name = number, f"{name} {number}"
        channel.context, channel.exten, channel.state = context, exten, "Ring"
        self._begin(channel)
        return channel

    def dial(self, caller: FakeChannel | None, device: str) -> FakeChannel:
        """`caller`'s dialplan calls `device`, or Originate does where there is no caller."""
        channel = self._channel(device, linked_id=caller.linked_id if caller else "")
        channel.caller_number = device.partition("/")[2]
        channel.exten = "s"
        channel.dialled_by = caller
        if caller is not None:
            channel.connected_number = caller.caller_number
        self._begin(channel)
        self._tell(
            "DialBegin",
            {**_dialling(channel), "DialString": device.partition("/")[2]},
        )
        return channel

    def ring(self, callee: FakeChannel) -> None:
        """The called phone rings."""
        self._become(callee, "Ringing")

    def pick_up(self, channel: FakeChannel) -> None:
        """A channel is answered, by its phone or by the dialplan."""
        self._become(channel, "Up")

    def end_dial(self, callee: FakeChannel, status: str) -> None:
        """The calling of a phone is over: ANSWER, BUSY, NOANSWER, CANCEL..."""
        self._tell("DialEnd", {**_dialling(callee), "DialStatus": status})

    def answer(self, callee: FakeChannel) -> None:
        """The called phone answers and is joined with its caller, if there is one."""
        self.pick_up(callee)
        self.end_dial(callee, "ANSWER")
        caller = callee.dialled_by
        if caller is None:
            return
        if caller.state != "Up":
            self.pick_up(caller)
        self.join(callee, caller)

    def join(self, *channels: FakeChannel) -> FakeBridge:
        """Put channels into a new bridge."""
        bridge = FakeBridge(f"{next(self._bridge_numbers):08x}-0000-4000-8000-000000000000")
        self.bridges[bridge.unique_id] = bridge
        self._tell("BridgeCreate", bridge.headers())
        for channel in channels:
            self.enter(bridge, channel)
        return bridge

    def enter(self, bridge: FakeBridge, channel: FakeChannel) -> None:
        """Put a channel into a bridge."""
        bridge.channels.append(channel)
        channel.bridge = bridge
        self._tell("BridgeEnter", {**bridge.headers(), **channel.headers()})

    def leave(self, channel: FakeChannel) -> None:
        """Take a channel out of its bridge; the last one out is the end of it."""
        bridge, channel.bridge = channel.bridge, None
        if bridge is None:
            return
        bridge.channels.remove(channel)
        self._tell("BridgeLeave", {**bridge.headers(), **channel.headers()})
        if not bridge.channels:
            del self.bridges[bridge.unique_id]
            self._tell("BridgeDestroy", bridge.headers())

    def hold(self, channel: FakeChannel) -> None:
        """The phone puts the other side on hold."""
        self._tell("Hold", {**channel.headers(), "MusicClass": ""})

    def unhold(self, channel: FakeChannel) -> None:
        """The phone takes the other side off hold."""
        self._tell("Unhold", channel.headers())

    def hang_up(self, channel: FakeChannel, cause: int = 16) -> None:
        """A channel ends, out of its bridge first."""
        self.leave(channel)
        self.channels.pop(channel.unique_id, None)
        self._tell(
            "Hangup",
            {**channel.headers(), "Cause": str(cause), "Cause-txt": CAUSES[cause]},
        )

    def _channel(self, device: str, *, linked_id: str) -> FakeChannel:
        number = next(self._numbers)
        unique_id = f"{self._first_id}.{number}"
        return FakeChannel(unique_id, linked_id or unique_id, f"{device}-{number:08x}")

    def _begin(self, channel: FakeChannel) -> None:
        self.channels[channel.unique_id] = channel
        self._tell("Newchannel", channel.headers())

    def _become(self, channel: FakeChannel, state: str) -> None:
        channel.state = state
        self._tell("Newstate", channel.headers())


def _dialling(callee: FakeChannel) -> dict[str, str]:
    """The headers of both ends of a call attempt."""
    caller = callee.dialled_by
    return {**(caller.headers() if caller else {}), **callee.headers("Dest")}
