"""What the state machine of a connection tells: its state, and the events in what was heard."""

from dataclasses import dataclass
from enum import Enum

from fastagi_server.agi.errors import AgiRemoteError
from fastagi_server.agi.replies import Reply
from fastagi_server.agi.request import AgiRequest


class State(Enum):
    """Where the connection is; the names are explained by the laws in `connection`."""

    ENVIRONMENT = "environment"
    IDLE = "idle"
    AWAITING = "awaiting"
    SYNCING = "syncing"
    FINISHING = "finishing"
    BROKEN = "broken"
    CLOSED = "closed"


@dataclass(slots=True)
class RequestReceived:
    """The environment is complete."""

    request: AgiRequest


@dataclass(slots=True)
class ReplyReceived:
    """The command in flight was answered."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class SyncReceived:
    """The marker came back: no command is in flight any more."""


@dataclass(frozen=True, slots=True)
class HangupReceived:
    """The channel is dead; reported once."""


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """Asterisk closed its side."""


@dataclass(frozen=True, slots=True)
class PeerBroke:
    """The peer broke the protocol; nothing it says afterwards is heard."""

    error: AgiRemoteError


Event = RequestReceived | ReplyReceived | SyncReceived | HangupReceived | StreamEnded | PeerBroke
