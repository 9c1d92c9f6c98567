"""Which channels and which bridge an event is about."""

from fastagi_server.ari.events import (
    BridgeAttendedTransfer,
    BridgeBlindTransfer,
    BridgeCreated,
    BridgeDestroyed,
    ChannelEnteredBridge,
    ChannelEvent,
    ChannelLeftBridge,
    ChannelVarset,
    Dial,
    Event,
)
from fastagi_server.ari.models import Channel


def channels_of(event: Event) -> tuple[Channel, ...]:
    """The channels that an event is about, its subject first; empty for what is about none."""
    match event:
        case ChannelVarset():
            found: tuple[Channel | None, ...] = (event.channel,)
        case ChannelEvent():
            found = (event.channel,)
        case Dial():
            found = (event.peer, event.caller)
        case BridgeBlindTransfer():
            found = (event.transferee, event.channel, event.replace_channel)
        case BridgeAttendedTransfer():
            found = (
                event.transferee,
                event.transfer_target,
                event.transferer_first_leg,
                event.transferer_second_leg,
            )
        case _:
            found = ()
    return tuple(channel for channel in found if channel is not None)


def bridge_of(event: Event) -> str:
    """The id of the bridge that an event is about, empty when it is about none."""
    match event:
        case ChannelEnteredBridge() | ChannelLeftBridge() | BridgeCreated() | BridgeDestroyed():
            return event.bridge.id
        case _:
            return ""
