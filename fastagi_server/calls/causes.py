"""Why a call was not answered, or ended: Q.850 causes and Asterisk's DIALSTATUS."""

from collections.abc import Iterable
from enum import IntEnum


class Cause(IntEnum):
    """The Q.850 causes that this program gives or looks for; any other number may occur."""

    UNALLOCATED = 1
    NORMAL = 16
    BUSY = 17
    NO_ANSWER = 19
    ABSENT = 20
    REJECTED = 21
    ANSWERED_ELSEWHERE = 26
    CONGESTION = 34
    FAILURE = 41
    INTERWORKING = 127


_STATUS: dict[int, str] = {
    Cause.BUSY: "BUSY",
    Cause.NO_ANSWER: "NOANSWER",
    Cause.NORMAL: "NOANSWER",
    Cause.CONGESTION: "CONGESTION",
    Cause.FAILURE: "CONGESTION",
}
_URGENCY = ("CHANUNAVAIL", "CONGESTION", "NOANSWER", "BUSY")
_VAGUE = frozenset({0, Cause.INTERWORKING})


def normal(cause: int | None) -> int:
    """The cause of a call that somebody ended: what the PBX told, 16 where that says nothing.

    A caller who gives up sends no cause, and the PBX then reports 0 or 127.
    """
    return Cause.NORMAL if cause is None or cause in _VAGUE else cause


def failure(cause: int | None) -> int:
    """The cause of a leg that did not answer: what the PBX told, else that nobody was there."""
    if cause is None or cause in _VAGUE:
        return Cause.ABSENT
    return Cause.NO_ANSWER if cause == Cause.NORMAL else cause


def dial_status(cause: int) -> str:
    """The DIALSTATUS that Dial would leave after a leg failed with this cause."""
    return _STATUS.get(cause, "CHANUNAVAIL")


def worth_telling(causes: Iterable[int]) -> int:
    """Of the causes of several legs that failed the one a caller should hear: busy before all."""
    return max(causes, key=lambda cause: _URGENCY.index(dial_status(cause)))
