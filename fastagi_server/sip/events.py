"""What happens on a leg, in the words of its owner rather than of SIP."""

from dataclasses import dataclass
from enum import StrEnum


class LegState(StrEnum):
    """How a leg stands. CALLING and INVITED are the two beginnings, ENDED the one end."""

    CALLING = "calling"
    INVITED = "invited"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far end rings; told once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """There is sound before the answer: `sdp` answers our offer for the time being."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end took our offer, the first or a later one; `sdp` is its answer."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Offered:
    """The far end wants to change the session: to be answered or refused within 20 s."""

    sdp: str


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """The far end did not take a later offer of ours; the call goes on as it was."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg that we called was never up. `cause` is a Q.850 number where the far end gave one.

    `status` is the final response, or what stands for it: 408 for an answer that did not come in
    time, 503 without a connection or with too many legs, 513 for an offer that is too long.
    """

    status: int
    reason: str
    cause: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg is over, by the far end or by us (a hang-up, a refusal, an expired session).

    `status` is the response that ended it, None when a BYE did: 487 for a call taken back before
    its answer, 408 and 481 for a dialog of which the far end knows nothing, 503 for a connection
    that did not come back.
    """

    status: int | None
    cause: int | None
    by_far_end: bool


SipEvent = Ringing | Progress | Answered | Offered | OfferRefused | Refused | Ended


@dataclass(frozen=True, slots=True)
class Invitation:
    """A call that Asterisk makes to a browser user; `session` is the call id, or empty."""

    user: str
    session: str
    caller_number: str
    caller_name: str
    sdp: str
