"""The events of the manager interface that supervision lives on, named as Asterisk names them.

Every step of the dialplan, every digit and every RTP report is an event too; those have no class
here and are skipped unread. `decoding` makes these values of messages. They are not frozen only
because a frozen dataclass takes three times as long to make; nobody changes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Channel:
    """A channel as it was at an event; what Asterisk did not say is empty.

    `state` is Asterisk's word: Down, Rsrvd, OffHook, Dialing, Ring (it calls), Ringing (it is
    called), Up, Busy. `linked_id` is the unique id of the oldest channel of its call.
    """

    unique_id: str
    linked_id: str
    name: str
    state: str
    caller_number: str
    caller_name: str
    connected_number: str
    exten: str
    context: str
    account_code: str


@dataclass(slots=True)
class Bridge:
    """A bridge as it was at an event. `channel_count` is what Asterisk counts in it then."""

    unique_id: str
    type: str
    technology: str
    creator: str
    name: str
    channel_count: int


@dataclass(slots=True)
class Event:
    """Something that happened in Asterisk.

    `at` is aware, in UTC: Asterisk's clock where manager.conf has `timestampevents = yes`, else the
    time of receipt. `system` is asterisk.conf's systemname, empty when there is none.
    """

    at: datetime
    system: str


@dataclass(slots=True)
class FullyBooted(Event):
    """Asterisk is complete, since `uptime_seconds`. It says so after each login as well."""

    uptime_seconds: int


@dataclass(slots=True)
class Shutdown(Event):
    """Asterisk ends, `restart`s at once, or not."""

    restart: bool


@dataclass(slots=True)
class Reload(Event):
    """A module, or All, was read anew. `status` is 0 when that went well."""

    module: str
    status: int


@dataclass(slots=True)
class ChannelEvent(Event):
    """An event whose subject is one channel, as it was then."""

    channel: Channel


@dataclass(slots=True)
class Newchannel(ChannelEvent):
    """A channel exists."""


@dataclass(slots=True)
class Newstate(ChannelEvent):
    """A channel's `state` is another one."""


@dataclass(slots=True)
class Hangup(ChannelEvent):
    """A channel is gone. `cause` is Q.850's number, 0 when unknown, `cause_text` words for it."""

    cause: int
    cause_text: str


@dataclass(slots=True)
class Hold(ChannelEvent):
    """The phone behind a channel has put the other side on hold."""


@dataclass(slots=True)
class Unhold(ChannelEvent):
    """The phone behind a channel has taken the other side off hold."""


@dataclass(slots=True)
class DialBegin(Event):
    """`destination` is being called, by `caller` unless nobody stands behind it (Originate)."""

    caller: Channel | None
    destination: Channel
    dial_string: str


@dataclass(slots=True)
class DialEnd(Event):
    """The calling of `destination` is over.

    `dial_status` is ANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION, NOANSWER, ABORT, CONTINUE, GOTO
    or empty. An answer elsewhere cancels the others.
    """

    caller: Channel | None
    destination: Channel
    dial_status: str


@dataclass(slots=True)
class BridgeEvent(Event):
    """An event whose subject is one bridge."""

    bridge: Bridge


@dataclass(slots=True)
class BridgeCreate(BridgeEvent):
    """A bridge exists."""


@dataclass(slots=True)
class BridgeDestroy(BridgeEvent):
    """A bridge is gone."""


@dataclass(slots=True)
class BridgeEnter(BridgeEvent):
    """`channel` is in the bridge, in the place of the channel `swapped_id` if that is not empty."""

    channel: Channel
    swapped_id: str


@dataclass(slots=True)
class BridgeLeave(BridgeEvent):
    """`channel` is no longer in the bridge."""

    channel: Channel


@dataclass(slots=True)
class ContactStatus(Event):
    """A phone's address `uri` of `aor` is in another `status`.

    Statuses are Reachable, Unreachable, NonQualified, Unknown, Created, Updated and Removed;
    `roundtrip_seconds` is how long the last OPTIONS took, 0.0 when none was sent.
    """

    aor: str
    endpoint: str
    uri: str
    status: str
    roundtrip_seconds: float


@dataclass(slots=True)
class DeviceStateChange(Event):
    """A device, such as PJSIP/1001, is in another `state`: NOT_INUSE, INUSE, RINGING, ONHOLD..."""

    device: str
    state: str


@dataclass(slots=True)
class Registry(Event):
    """Our registration at a carrier: `status` is Registered, Unregistered, Rejected or Failed."""

    channel_type: str
    username: str
    domain: str
    status: str
    cause: str


@dataclass(slots=True)
class OriginateResponse(Event):
    """What became of an Originate, which may come before or after the channel's own events.

    `response` is Success or Failure. `action_id` is the one of the action. `unique_id` is empty
    when there was no channel. `reason` is a number of Asterisk's control frames: 4 answered, 5
    busy, 3 rang in vain, 8 congestion, 0 no such endpoint.
    """

    action_id: str
    response: str
    unique_id: str
    channel_name: str
    context: str
    exten: str
    reason: int


@dataclass(slots=True)
class UserEvent(Event):
    """The dialplan said `UserEvent(name,...)`; `headers` is all of the message, as received."""

    name: str
    channel: Channel | None
    headers: Mapping[str, str]


@dataclass(slots=True)
class SecurityEvent(Event):
    """Somebody was turned away; `kind` is Asterisk's name for it, one of `SECURITY_KINDS`.

    `service` is AMI, PJSIP, ARI or the like, `account` who they said they are, and the addresses
    have the form IPV4/UDP/192.0.2.7/5060.
    """

    kind: str
    service: str
    severity: str
    account: str
    local_address: str
    remote_address: str


SECURITY_KINDS = frozenset(
    {
        "AuthMethodNotAllowed",
        "ChallengeResponseFailed",
        "FailedACL",
        "InvalidAccountID",
        "InvalidPassword",
        "InvalidTransport",
        "LoadAverageLimit",
        "MemoryLimit",
        "RequestBadFormat",
        "RequestNotAllowed",
        "RequestNotSupported",
        "SessionLimit",
        "UnexpectedAddress",
    }
)
"""Security events that tell of a refusal. SuccessfulAuth and ChallengeSent, of which every
registration makes one or two, are not among them."""
