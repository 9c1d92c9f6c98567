"""One channel, as the events of the PBX show it. The lower half of `sightings`. No I/O.

Everything kept here is the least, the greatest or the latest of what was told, by the PBX's own
clock: the order of telling, and how often, makes no difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fastagi_server.calls import causes
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import CallStatus, EndFacts
from fastagi_server.calls.transitions import Trigger

ANSWER = "ANSWER"
LOST = "lost"
OURS = "sge-"
"""How the ids of channels and bridges begin that this program makes over ARI."""

_S = CallStatus
_UNANSWERED = frozenset({_S.INITIATING, _S.RINGING})
_RANK = {_S.INITIATING: 0, _S.RINGING: 1, _S.CONNECTED: 2, _S.ON_HOLD: 2, _S.ENDED: 3}


@dataclass(slots=True)
class Seen:
    """A channel as an event shows it."""

    unique_id: str
    linked_id: str = ""
    name: str = ""
    exten: str = ""
    context: str = ""
    caller_number: str = ""
    caller_name: str = ""


@dataclass(slots=True)
class Place:
    """A bridge as an event shows it, with Asterisk's words for its type and technology."""

    unique_id: str
    type: str = ""
    technology: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this program made it over ARI."""
        return self.unique_id.startswith(OURS)

    @property
    def is_led(self) -> bool:
        """Whether a Stasis application leads it, ours or another's."""
        return self.type == "stasis"

    @property
    def is_waiting_room(self) -> bool:
        """Whether who is in it waits and talks to nobody."""
        return self.technology == "holding_bridge"


@dataclass(slots=True, eq=False)
class Group:
    """The channels of one linked id, by unique id: all, and when those rang that did.

    `is_registered` once one of them was claimed, be it gone or not.
    """

    members: "dict[str, Sighting]" = field(default_factory=dict[str, "Sighting"])
    rings: dict[str, datetime] = field(default_factory=dict[str, datetime])
    is_registered: bool = False


@dataclass(slots=True, eq=False)
class Sighting:
    """What is known of one channel; None and empty is what nobody told.

    `caller` is the channel that called it, `reached_in` the context in which it first called
    somebody or talked, `rang_at` when a phone that it calls began to ring,
    `answered_at` when it had somebody to talk to: that the dialplan answered it, for a prompt say,
    is no answer. `dialled_until` is the end of its last attempt to call and Asterisk's word for it,
    `held` when its phone last held (True) or took back. `call_id` and `noted` are the call that it
    is registered as and the status that its record has.
    """

    unique_id: str
    name: str = ""
    exten: str = ""
    context: str = ""
    caller_number: str = ""
    caller_name: str = ""
    linked_id: str = ""
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    bridges: list[str] = field(default_factory=list[str])
    caller: str = ""
    is_led: bool = False
    is_missed: bool = False
    reached_in: str | None = None
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    dialled_until: tuple[datetime, str] | None = None
    held: tuple[datetime, bool] | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    is_lost: bool = False
    is_gone: bool = False
    call_id: str = ""
    noted: CallStatus = CallStatus.INITIATING
    is_settled: bool = False

    @property
    def may_be_registered(self) -> bool:
        """Whether a record may be looked for: it is nobody's dialled leg, and has none yet."""
        return not (self.call_id or self.caller or self.is_led)

    @property
    def is_holding(self) -> bool:
        """Whether its phone has put the others on hold."""
        return self.held is not None and self.held[1] and self.ended_at is None

    @property
    def turned_at(self) -> datetime | None:
        """When it last held, took back, or held no more because it was gone."""
        if self.held is None or self.ended_at is None:
            return None if self.held is None else self.held[0]
        return max(self.held[0], self.ended_at)

    def rings(self, at: datetime) -> None:
        """A phone that it calls rings."""
        if self.rang_at is None or at < self.rang_at:
            self.rang_at = at

    def answers(self, at: datetime) -> bool:
        """It has somebody to talk to; whether that is news."""
        is_news = self.answered_at is None or at < self.answered_at
        if is_news:
            self.answered_at = at
        return is_news

    def stops_dialling(self, at: datetime, status: str) -> None:
        """What it called answered (ANSWER) or did not, with Asterisk's DIALSTATUS."""
        if status == ANSWER:
            self.answers(at)
        self.dialled_until = max(self.dialled_until or (at, status), (at, status))

    def holds(self, at: datetime, *, is_held: bool) -> None:
        """Its phone puts the others on hold, or takes them back."""
        self.held = max(self.held or (at, is_held), (at, is_held))

    def ends(self, at: datetime, cause: int) -> None:
        """It is gone; of two tellings the earlier counts, and any of them before a guess."""
        if self.ended_at is None or self.is_lost or at < self.ended_at:
            self.ended_at, self.cause, self.is_lost = at, cause, False

    def loses(self, at: datetime) -> None:
        """It is gone, nobody knows since when."""
        self.ended_at, self.is_lost = at, True

    # -- what it means to the record --------------------------------------------------------------

    def status(self) -> CallStatus:
        """Where its call stands."""
        if self.ended_at is not None:
            return CallStatus.ENDED
        if self.answered_at is not None:
            return CallStatus.ON_HOLD if self._is_on_hold() else CallStatus.CONNECTED
        return CallStatus.INITIATING if self.rang_at is None else CallStatus.RINGING

    def advance(self) -> list[Note]:
        """What brings the record to where the call stands; empty when it is there, or further."""
        status = self.status()
        if status is self.noted or _RANK[status] < _RANK[self.noted]:
            return []
        notes = list(self._notes(status))
        self.noted = status
        return notes

    def whole_story(self) -> EndFacts:
        """What is known once nothing more is to be expected. Durations are milliseconds."""
        until, dial_status = self.dialled_until or (self.ended_at, None)
        return EndFacts(
            hangup_cause=causes.normal(self.cause),
            dial_status=dial_status if self.answered_at is None else ANSWER,
            ring_ms=_milliseconds(self.rang_at, self.answered_at or until),
            answered_ms=_milliseconds(self.answered_at, self.ended_at),
            ended_at=self.ended_at,
        )

    def _notes(self, status: CallStatus) -> Iterator[Note]:
        if status is CallStatus.RINGING and self.rang_at is not None:
            yield Note(Trigger.RING, self.rang_at)
        if self.answered_at is not None and self.noted in _UNANSWERED:
            yield Note(Trigger.ACCEPT, self.answered_at)
        turned = max((each.turned_at for each in self._holders() if each.turned_at), default=None)
        if status is CallStatus.ON_HOLD and turned is not None:
            yield Note(Trigger.HOLD, turned)
        if status is CallStatus.CONNECTED and self.noted is CallStatus.ON_HOLD and turned:
            yield Note(Trigger.RESUME, turned)
        if self.ended_at is not None:
            yield Note(Trigger.END, self.ended_at, self._end())

    def _end(self) -> EndFacts:
        if self.is_lost:
            return EndFacts(ended_at=self.ended_at, reason=LOST)
        return EndFacts(hangup_cause=causes.normal(self.cause), ended_at=self.ended_at)

    def _is_on_hold(self) -> bool:
        holders = list(self._holders())
        if not holders:  # held before we looked, for all that is known
            return self.noted is CallStatus.ON_HOLD
        return any(each.is_holding for each in holders)

    def _holders(self) -> Iterator["Sighting"]:
        """The phones whose hold is this call's, as far as they ever used it."""
        for group in self.groups.values():
            for each in group.members.values():
                if each.held is not None and _owner(each) is self:
                    yield each


@dataclass(frozen=True, slots=True)
class Report:
    """What the record of a channel's call is to be told.

    `is_late` says that it happened a while ago, and is told now for another reason.
    """

    sighting: Sighting
    note: Note
    is_late: bool = False


def _owner(phone: Sighting) -> Sighting | None:
    """The registered channel whose call a phone is in: itself, its caller, or the only one."""
    if phone.call_id:
        return phone
    found: dict[str, Sighting] = {}
    for group in phone.groups.values():
        caller = group.members.get(phone.caller)
        if caller is not None and caller.call_id:
            return caller
        found |= {each.unique_id: each for each in group.members.values() if each.call_id}
    return next(iter(found.values())) if len(found) == 1 else None


def _milliseconds(begin: datetime | None, end: datetime | None) -> int | None:
    if begin is None or end is None or end < begin:
        return None
    return round((end - begin).total_seconds() * 1000)
