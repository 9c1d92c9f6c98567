"""What happens in the PBX, for whoever wants to be told: the event stream above all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastagi_server.ami import events


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened at `at`, aware and in UTC, by Asterisk's clock."""

    at: datetime


@dataclass(frozen=True, slots=True)
class ChannelUp(Happening):
    """A channel exists."""

    unique_id: str
    name: str
    caller_number: str
    exten: str
    context: str


@dataclass(frozen=True, slots=True)
class ChannelDown(Happening):
    """A channel is gone; `cause` is Q.850's number, 0 when unknown."""

    unique_id: str
    name: str
    cause: int


@dataclass(frozen=True, slots=True)
class EndpointRegistered(Happening):
    """A phone can be reached at `uri`."""

    endpoint: str
    uri: str


@dataclass(frozen=True, slots=True)
class EndpointUnregistered(Happening):
    """A phone cannot be reached at `uri` any more; `status` is Unreachable or Removed."""

    endpoint: str
    uri: str
    status: str


@dataclass(frozen=True, slots=True)
class DeviceChanged(Happening):
    """A device, such as PJSIP/1001, is in another `state`: NOT_INUSE, INUSE, RINGING..."""

    device: str
    state: str


@dataclass(frozen=True, slots=True)
class SecurityAlert(Happening):
    """Somebody was turned away: `kind`, `service` and the addresses are in Asterisk's words."""

    kind: str
    service: str
    account: str
    remote_address: str


@dataclass(frozen=True, slots=True)
class Missed(Happening):
    """For a while nothing was heard of the PBX; `why` says what had happened."""

    why: str


OnSighting = Callable[[Happening], None]
"""Is told of everything, in order; must not wait and should not raise."""

UNREACHABLE = frozenset({"Unreachable", "Removed"})
"""Words of ContactStatus for an address at which nobody answers."""


def happening_of(event: events.Event) -> Happening | None:
    """What an event tells the outside, if anything."""
    match event:
        case events.Newchannel(channel=channel):
            return ChannelUp(
                event.at,
                channel.unique_id,
                channel.name,
                channel.caller_number,
                channel.exten,
                channel.context,
            )
        case events.Hangup(channel=channel):
            return ChannelDown(event.at, channel.unique_id, channel.name, event.cause)
        case events.ContactStatus(status=status) if status in UNREACHABLE:
            return EndpointUnregistered(event.at, _endpoint(event), event.uri, status)
        case events.ContactStatus():
            return EndpointRegistered(event.at, _endpoint(event), event.uri)
        case events.DeviceStateChange():
            return DeviceChanged(event.at, event.device, event.state)
        case events.SecurityEvent():
            return SecurityAlert(
                event.at, event.kind, event.service, event.account, event.remote_address
            )
        case _:
            return None


def _endpoint(event: events.ContactStatus) -> str:
    return event.endpoint or event.aor
