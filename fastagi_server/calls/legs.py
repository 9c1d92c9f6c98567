"""A leg: one channel of a call, and what shall be done to channels.

Effects are orders to the PBX and to the record. A call gives them in the order in which they are
to be carried out; see live.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from fastagi_server.calls.models import EndFacts
from fastagi_server.calls.quality import Figures, MediaReport
from fastagi_server.calls.transitions import Trigger


class LegState(StrEnum):
    """Where a leg stands. `waiting` is not dialled yet, and no channel exists for it."""

    WAITING = "waiting"
    DIALLING = "dialling"
    RINGING = "ringing"
    UP = "up"
    GONE = "gone"


@dataclass(slots=True)
class Leg:
    """One channel of a call.

    `endpoint` is what is dialled, empty for a channel that came by itself; `participant` is the
    same in the words of who asked for it. `is_leaving` is set once its hang-up is ordered,
    `is_held` by the phone itself, `is_parked` when another party put it on hold; `is_ending` once
    the PBX is ending the channel, whoever wanted it, and `hung_up` says whether its phone did,
    None where nobody said. `is_handed_over` is set when another channel takes its place, and
    `media` is what the PBX said of its audio.
    """

    channel_id: str
    endpoint: str = ""
    participant: str = ""
    state: LegState = LegState.WAITING
    is_leaving: bool = False
    is_ending: bool = False
    is_joined: bool = False
    is_held: bool = False
    is_parked: bool = False
    hung_up: bool | None = None
    is_handed_over: bool = False
    media: MediaReport = field(default_factory=MediaReport)

    @property
    def is_present(self) -> bool:
        """Whether it talks: answered, and not on its way out."""
        return self.state is LegState.UP and not self.is_leaving

    @property
    def is_pending(self) -> bool:
        """Whether it may still answer."""
        return self.state in _UNDECIDED and not self.is_leaving


NO_FACTS = EndFacts()

_UNDECIDED = frozenset({LegState.WAITING, LegState.DIALLING, LegState.RINGING})


@dataclass(frozen=True, slots=True)
class OpenBridge:
    """Make the call's bridge."""


@dataclass(frozen=True, slots=True)
class CloseBridge:
    """Destroy the call's bridge: its last channel is gone."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Make a channel and ring its phone.

    `caller_id` is the channel on whose behalf it rings, None where there is none; `announces` is
    the endpoint that the phone shows as calling in that case. `is_joined` puts the channel into
    the bridge first, so that the others hear its ringing and early media. `with_video` offers the
    phone pictures too; who rings on another's behalf is offered what that one has.
    """

    channel_id: str
    endpoint: str
    caller_id: str | None
    announces: str
    is_joined: bool
    with_video: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a channel that came by itself."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Ring:
    """Let a channel hear ringing."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class StopRinging:
    """End what Ring began."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Join:
    """Put a channel into the call's bridge."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Park:
    """Let a channel hear music, and nobody hear it."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Unpark:
    """End what Park began."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a channel; its phone is told the Q.850 cause."""

    channel_id: str
    cause: int


@dataclass(frozen=True, slots=True)
class Note:
    """Write into the record what happened; `actor` is empty when the PBX reported it."""

    trigger: Trigger
    at: datetime
    facts: EndFacts = NO_FACTS
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """Write into the record how the call sounded, now that its last channel is gone."""

    figures: Figures


@dataclass(frozen=True, slots=True)
class LogTransfer:
    """Write into the log that the phone of `participant` has sent the others to somebody else.

    `to` is the number that it sent them to, or empty when it joined two of its calls.
    """

    participant: str
    to: str


Effect = (
    OpenBridge
    | CloseBridge
    | Dial
    | Answer
    | Ring
    | StopRinging
    | Join
    | Park
    | Unpark
    | HangUp
    | Note
    | Rate
    | LogTransfer
)
