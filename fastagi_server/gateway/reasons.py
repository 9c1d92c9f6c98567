"""Why a browser's leg is over, in a few stable words, from SIP's statuses and Q.850 causes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fastagi_server.calls import causes
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.models import EndedBy, EndFacts


class Reason(StrEnum):
    """The words; a page may show each in its own language."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    ENDED = "ended"
    MEDIA_FAILED = "media_failed"
    GATEWAY_LOST = "gateway_lost"
    LEFT = "left"


RANG_OUT = 480
"""The status that a call to a browser ends with which rang for too long."""

NO_MEDIA = 44
"""Q.850 "requested channel not available": Asterisk's cause when no packet came for too long."""

_CAUSES: Mapping[int, Reason] = {
    Cause.UNALLOCATED: Reason.UNKNOWN,
    2: Reason.UNKNOWN,
    3: Reason.UNKNOWN,
    28: Reason.UNKNOWN,
    Cause.BUSY: Reason.BUSY,
    18: Reason.NO_ANSWER,
    Cause.NO_ANSWER: Reason.NO_ANSWER,
    Cause.ABSENT: Reason.UNREACHABLE,
    Cause.REJECTED: Reason.REFUSED,
    Cause.ANSWERED_ELSEWHERE: Reason.ANSWERED_ELSEWHERE,
    58: Reason.MEDIA_FAILED,
    88: Reason.MEDIA_FAILED,
}
"""Of a call that was not answered. 18 no user responding, 58 and 88 no common codec."""

_STATUSES: Mapping[int, Reason] = {
    404: Reason.UNKNOWN,
    410: Reason.UNKNOWN,
    484: Reason.UNKNOWN,
    604: Reason.UNKNOWN,
    486: Reason.BUSY,
    600: Reason.BUSY,
    408: Reason.NO_ANSWER,
    401: Reason.REFUSED,
    403: Reason.REFUSED,
    407: Reason.REFUSED,
    603: Reason.REFUSED,
    487: Reason.CANCELLED,
    415: Reason.MEDIA_FAILED,
    488: Reason.MEDIA_FAILED,
    606: Reason.MEDIA_FAILED,
}


def of_refusal(status: int, cause: int | None) -> Reason:
    """Why a call from a browser was not answered; the cause says it better than the status."""
    known = _CAUSES.get(cause) if cause is not None else None
    return known or _STATUSES.get(status, Reason.UNREACHABLE)


def of_end(status: int | None, cause: int | None, *, was_up: bool) -> Reason:
    """Why the far end ended a leg: one that was up, or one that rang in the browser."""
    if status in {408, 481, 503}:
        return Reason.GATEWAY_LOST
    if status == RANG_OUT:
        return Reason.NO_ANSWER
    if was_up:
        return Reason.MEDIA_FAILED if cause == NO_MEDIA else Reason.ENDED
    return Reason.ANSWERED_ELSEWHERE if cause == Cause.ANSWERED_ELSEWHERE else Reason.CANCELLED


@dataclass(frozen=True, slots=True)
class Ending:
    """How a leg ended: `by_user` when its own user did, `is_caller` when he had made the call."""

    reason: Reason
    status: int | None = None
    cause: int | None = None
    was_up: bool = False
    by_user: bool = False
    is_caller: bool = True

    @property
    def payload(self) -> dict[str, str | int | None]:
        """What the browser is told."""
        return {"reason": self.reason, "status": self.status, "cause": self.cause}

    def facts(self, at: datetime) -> EndFacts:
        """What the record of a call is told that has no other leg which anybody knows of."""
        if self.reason is Reason.GATEWAY_LOST:
            return EndFacts(ended_at=at, reason="lost")
        if self.was_up:
            cause, status = causes.normal(self.cause), "ANSWER"
        elif self.by_user and self.is_caller:
            cause, status = Cause.NORMAL, "CANCEL"
        else:
            cause = self.cause or _CAUSE_OF.get(self.reason, Cause.ABSENT)
            status = causes.dial_status(cause)
        side = EndedBy.CALLER if self.is_caller else EndedBy.CALLEE
        return EndFacts(
            hangup_cause=int(cause),
            dial_status=status,
            ended_at=at,
            ended_by=side if self.by_user else EndedBy.PBX,
        )


_CAUSE_OF: Mapping[Reason, Cause] = {
    Reason.BUSY: Cause.BUSY,
    Reason.NO_ANSWER: Cause.NO_ANSWER,
    Reason.UNKNOWN: Cause.UNALLOCATED,
    Reason.REFUSED: Cause.REJECTED,
    Reason.ANSWERED_ELSEWHERE: Cause.ANSWERED_ELSEWHERE,
    Reason.CANCELLED: Cause.NORMAL,
}
