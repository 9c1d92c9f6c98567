"""The events of ARI, named and shaped as Asterisk's `rest-api/events.json` has them.

What is unknown, now or in a later Asterisk, is an `UnknownEvent` and no error.
"""

from dataclasses import dataclass, field
from datetime import datetime

from fastagi_server.ari import reading
from fastagi_server.ari.decoding import decoder, named
from fastagi_server.ari.models import Bridge, Channel, Endpoint, Playback, Recording
from fastagi_server.ari.reading import Json


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in Asterisk at `timestamp` and was told to `application`."""

    timestamp: datetime
    application: str


@dataclass(frozen=True, slots=True)
class UnknownEvent(Event):
    """An event without a class here. `timestamp` is `reading.NEVER` when it had none."""

    type: str
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    """An event whose subject is one channel, as it was then."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class StasisStart(ChannelEvent):
    """A channel has entered the application with `args`; it may be put into bridges from now on.

    `replace_channel` is the one whose place it takes after an attended transfer.
    """

    args: tuple[str, ...]
    replace_channel: Channel | None


@dataclass(frozen=True, slots=True)
class StasisEnd(ChannelEvent):
    """A channel has left the application: hung up, continued in the dialplan or moved."""


@dataclass(frozen=True, slots=True)
class ChannelCreated(ChannelEvent):
    """A channel exists."""


@dataclass(frozen=True, slots=True)
class ChannelStateChange(ChannelEvent):
    """A channel's `state` is another one."""


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(ChannelEvent):
    """A channel is gone. `cause` is Q.850's number for why, `cause_txt` Asterisk's words for it."""

    cause: int
    cause_txt: str


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(ChannelEvent):
    """Somebody wants a channel to end. `cause` is Q.850's, 0 when unknown, often a vague 32."""

    cause: int
    soft: bool


@dataclass(frozen=True, slots=True)
class ChannelHold(ChannelEvent):
    """A phone has put its call on hold, with music of `music_class` if it named one."""

    music_class: str = named("musicclass")


@dataclass(frozen=True, slots=True)
class ChannelUnhold(ChannelEvent):
    """A phone has taken its call off hold."""


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(ChannelEvent):
    """A key was pressed; `digit` is one of 0-9, A-D, * and #."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ChannelConnectedLine(ChannelEvent):
    """Who a channel is connected with has another name or number."""


@dataclass(frozen=True, slots=True)
class ChannelVarset(Event):
    """A variable was set, of `channel` or, without one, a global.

    Before a channel with RTP ends come RTPAUDIOQOS and its kin: the quality of the whole call.
    """

    variable: str
    value: str
    channel: Channel | None


@dataclass(frozen=True, slots=True)
class ChannelEnteredBridge(ChannelEvent):
    """A channel is in the bridge; `bridge` lists it already."""

    bridge: Bridge


@dataclass(frozen=True, slots=True)
class ChannelLeftBridge(ChannelEvent):
    """A channel is no longer in the bridge; `bridge` lists it no more."""

    bridge: Bridge


@dataclass(frozen=True, slots=True)
class Dial(Event):
    """How the calling of `peer` goes.

    `dialstatus` is empty when it begins, then RINGING, PROGRESS, PROCEEDING, and at its end ANSWER,
    BUSY, CONGESTION, CHANUNAVAIL, NOANSWER or CANCEL.
    """

    peer: Channel
    caller: Channel | None
    dialstatus: str
    dialstring: str


@dataclass(frozen=True, slots=True)
class BridgeCreated(Event):
    """A bridge exists."""

    bridge: Bridge


@dataclass(frozen=True, slots=True)
class BridgeDestroyed(Event):
    """A bridge is gone."""

    bridge: Bridge


@dataclass(frozen=True, slots=True)
class BridgeBlindTransfer(Event):
    """`channel`'s phone has sent `transferee` to an extension. `result` is Success or why not."""

    channel: Channel
    transferee: Channel | None
    replace_channel: Channel | None
    bridge: Bridge | None
    exten: str
    context: str
    result: str
    is_external: bool


@dataclass(frozen=True, slots=True)
class BridgeAttendedTransfer(Event):
    """A phone has joined the far ends of its two calls and left. `result` is Success or why not.

    `destination_type` is bridge, application, link, threeway or fail.
    """

    transferer_first_leg: Channel
    transferer_second_leg: Channel
    transferee: Channel | None
    transfer_target: Channel | None
    replace_channel: Channel | None
    transferer_first_leg_bridge: Bridge | None
    transferer_second_leg_bridge: Bridge | None
    destination_type: str
    destination_bridge: str
    destination_application: str
    result: str
    is_external: bool


@dataclass(frozen=True, slots=True)
class PlaybackStarted(Event):
    """A sound begins."""

    playback: Playback


@dataclass(frozen=True, slots=True)
class PlaybackFinished(Event):
    """A sound is over or was stopped: `playback.state` is done or failed."""

    playback: Playback


@dataclass(frozen=True, slots=True)
class RecordingStarted(Event):
    """A recording runs."""

    recording: Recording


@dataclass(frozen=True, slots=True)
class RecordingFinished(Event):
    """A recording is complete."""

    recording: Recording


@dataclass(frozen=True, slots=True)
class RecordingFailed(Event):
    """A recording came to nothing; `recording.cause` says why."""

    recording: Recording


@dataclass(frozen=True, slots=True)
class EndpointStateChange(Event):
    """An endpoint went online or offline."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class DeviceStateChanged(Event):
    """A device, such as PJSIP/1001, is in another `state`: NOT_INUSE, INUSE, RINGING, ONHOLD..."""

    device: str
    state: str


@dataclass(frozen=True, slots=True)
class ApplicationReplaced(Event):
    """Another socket has taken `application`: this one will hear of it no more, and not be told."""


_KINDS: tuple[type[Event], ...] = (
    StasisStart,
    StasisEnd,
    ChannelCreated,
    ChannelStateChange,
    ChannelDestroyed,
    ChannelHangupRequest,
    ChannelHold,
    ChannelUnhold,
    ChannelDtmfReceived,
    ChannelConnectedLine,
    ChannelVarset,
    ChannelEnteredBridge,
    ChannelLeftBridge,
    Dial,
    BridgeCreated,
    BridgeDestroyed,
    BridgeBlindTransfer,
    BridgeAttendedTransfer,
    PlaybackStarted,
    PlaybackFinished,
    RecordingStarted,
    RecordingFinished,
    RecordingFailed,
    EndpointStateChange,
    ApplicationReplaced,
)
_DECODERS = {kind.__name__: decoder(kind) for kind in _KINDS}


def read_event(document: str | bytes) -> Event:
    """One event from the text of one WebSocket message. Raises `AriAnswerError` for garbage."""
    raw = reading.as_object(reading.parse(document), "the event")
    name = reading.identifier(raw, "type")
    if name == "DeviceStateChanged":
        return _device_state(raw)
    if name not in _DECODERS:
        at, application = reading.instant(raw, "timestamp"), reading.text(raw, "application")
        return UnknownEvent(at, application, name, raw)
    return _DECODERS[name](raw)


def _device_state(raw: Json) -> DeviceStateChanged:
    """The one event that holds its fields in an object of its own."""
    device = reading.part(raw, "device_state")
    return DeviceStateChanged(
        timestamp=reading.instant(raw, "timestamp"),
        application=reading.text(raw, "application"),
        device=reading.identifier(device, "name"),
        state=reading.text(device, "state"),
    )
