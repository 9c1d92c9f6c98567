"""Values: the kinds of signaling messages, and a message.

Names and spellings are those of the SGE VoIP API, with `ringing` and `progress` added, which only
Asterisk sends.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from fastagi_server.signaling.errors import UnknownKindError

ASTERISK: Final = "asterisk"
"""Whom a message is for, or from, that concerns the leg into the PBX; no user has this name."""


class SignalKind(StrEnum):
    """What a message says. The last two come from Asterisk only."""

    OFFER = "offer"
    ANSWER = "answer"
    ICE_CANDIDATE = "ice_candidate"
    HANGUP = "hangup"
    MUTE = "mute"
    UNMUTE = "unmute"
    RINGING = "ringing"
    PROGRESS = "progress"

    @classmethod
    def sent(cls, text: str) -> Self:
        """The kind that a client names, in any case. Raises UnknownKindError."""
        try:
            kind = cls(text.lower())
        except ValueError:
            raise UnknownKindError from None
        if kind not in SENT_KINDS:
            raise UnknownKindError
        return kind


SENT_KINDS = frozenset(SignalKind) - {SignalKind.RINGING, SignalKind.PROGRESS}
"""What clients may send."""


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """One message, as it was sent.

    `payload` is a JSON value: `{sdp, type}` of an offer, an answer or progress; a candidate in any
    of its three spellings; `{reason, status, cause}` of a hangup from Asterisk; else mostly `{}`.
    `sequence_number` is larger than that of every message before, in all calls. `sent_at` is
    aware and in UTC.
    """

    id: str
    call_id: str
    from_user: str
    to_user: str
    kind: SignalKind
    payload: Any
    sequence_number: int
    sent_at: datetime
