"""Values: a call, what ended it, and the events of its log. A change makes a new value.

Field names and spellings are those of the SGE VoIP API, with what an operator asks of a call added:
answered_at, hangup_cause, dial_status, ring_ms, answered_ms. Times are aware and in UTC. All but
`Call` are frozen: a list makes hundreds of calls, and a frozen one takes three times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self


class CallStatus(StrEnum):
    """Where a call stands; see transitions for what may follow what."""

    INITIATING = "initiating"
    RINGING = "ringing"
    CONNECTED = "connected"
    ON_HOLD = "on_hold"
    ENDED = "ended"


class CallType(StrEnum):
    """What a call carries. Read in any case; `screen_share` means `screen`."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"
    CONFERENCE = "conference"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = value.lower()
        if word in {"screenshare", "screen_share"}:
            return cls("screen")
        return next((member for member in cls if member.value == word), None)


class EventKind(StrEnum):
    """What happened to a call. `measured` is what the PBX told of it after its end."""

    CREATED = "created"
    ADOPTED = "adopted"
    RINGING = "ringing"
    ACCEPTED = "accepted"
    HELD = "held"
    RESUMED = "resumed"
    MUTED = "muted"
    UNMUTED = "unmuted"
    DTMF = "dtmf"
    PLAYED = "played"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    MEASURED = "measured"


class EndedBy(StrEnum):
    """Who ended a call that had begun: a phone of either side, a user over the API, the PBX.

    `pbx` is everything else that ends channels: its console, its limits, and this program's.
    """

    CALLER = "caller"
    CALLEE = "callee"
    USER = "user"
    PBX = "pbx"


@dataclass(frozen=True, slots=True)
class ChannelName:
    """An Asterisk channel as the world knows it: the system's name and the unique id there."""

    system: str
    unique_id: str


@dataclass(frozen=True, slots=True)
class EndFacts:
    """What the PBX knew when the call ended; None where nobody said.

    `hangup_cause` is Q.850 (0..127), `dial_status` Asterisk's DIALSTATUS, the durations are
    milliseconds, `ended_at` is the PBX's clock. `quality` are the figures of `quality.of_call`. In
    the log only: `reason` says why a call ended that no party ended (`lost`, `idle`), `ended_by`
    who ended it.
    """

    hangup_cause: int | None = None
    dial_status: str | None = None
    ring_ms: int | None = None
    answered_ms: int | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    ended_by: EndedBy | None = None
    quality: Mapping[str, float | None] | None = None

    def known(self) -> dict[str, str | int]:
        """What is known, in the words of the call's log; of the quality whole numbers."""
        measured = (self.quality or {}).items()
        figures = {name: round(each) for name, each in measured if each is not None}
        figures.pop("mos", None)  # a twentieth of another one, and nothing without its fraction
        told = {
            "hangup_cause": self.hangup_cause,
            "dial_status": self.dial_status,
            "ring_ms": self.ring_ms,
            "answered_ms": self.answered_ms,
            "reason": self.reason,
            "ended_by": self.ended_by,
            **figures,
        }
        return {name: fact for name, fact in told.items() if fact is not None}


@dataclass(slots=True)
class Call:
    """One call as SGE sees it.

    `start_time` is when the call was created here, not when it was answered. `participants` is
    what the client wrote; `caller_id` is the identity that created the call. `quality` is what
    the PBX measured of the media, see `quality.of_call`.
    """

    id: str
    caller_id: str
    participants: tuple[str, ...]
    call_type: CallType
    status: CallStatus
    start_time: datetime
    answered_at: datetime | None
    end_time: datetime | None
    room_id: str | None
    metadata: Mapping[str, str]
    updated_at: datetime
    hangup_cause: int | None = None
    dial_status: str | None = None
    ring_ms: int | None = None
    answered_ms: int | None = None
    channel: ChannelName | None = None
    quality: Mapping[str, float | None] | None = None

    @property
    def is_active(self) -> bool:
        """Whether the call has not ended."""
        return self.status is not CallStatus.ENDED

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds of conversation; 0 when nobody answered, None until the call has ended.

        What the PBX measured goes before the difference of two requests' arrival times.
        """
        if self.end_time is None:
            return None
        if self.answered_ms is not None:
            return self.answered_ms
        if self.answered_at is None:
            return 0
        return max(0, round((self.end_time - self.answered_at).total_seconds() * 1000))


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One line of a call's log: what happened, when, at whose request, with which facts."""

    kind: EventKind
    at: datetime
    actor: str
    facts: Mapping[str, str | int]
