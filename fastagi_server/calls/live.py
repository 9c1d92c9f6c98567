"""A call while it happens: what the PBX reports goes in, what is to be done comes out. No I/O.

The first leg is the one that calls: a channel that came by itself, or the phone that is rung
first. The others are rung once it is there, and the first of them to answer is connected; in a
conference all of them may join.

Laws, whatever is reported, in whatever order, twice or not at all:
1. A call ends once, with one Note that carries its facts; nothing is dialled or joined after it.
2. A leg that exists when the call ends is hung up once, and so is a leg that lost the race.
3. The bridge is closed once, when the last leg is gone.
4. A report about a channel that is unknown, or gone, changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from fastagi_server.calls import causes
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.legbook import TALKERS, LegBook
from fastagi_server.calls.legs import (
    Answer,
    Dial,
    Effect,
    Join,
    Leg,
    LegState,
    Note,
    OpenBridge,
    Ring,
    StopRinging,
)
from fastagi_server.calls.models import EndedBy, EndFacts
from fastagi_server.calls.transitions import Trigger


class LiveCall(LegBook):
    """The legs of one call and what is known of them. Every method returns what is to be done."""

    def __init__(
        self,
        call_id: str,
        legs: Sequence[Leg],
        *,
        is_conference: bool = False,
        has_video: bool = False,
    ) -> None:
        super().__init__(call_id, legs, is_conference=is_conference)
        self._has_video = has_video
        self._hears_ringing = False
        self._is_noted_ringing = False
        self._causes: list[int] = []

    def begin(self) -> list[Effect]:
        """Ring the first phone, or, for a channel that came by itself, the others."""
        first = self.first
        if first.state is not LegState.WAITING:
            return list(self._ring_others())
        announced = self.legs[1] if len(self.legs) > 1 else first
        first.state = LegState.DIALLING
        return [
            Dial(
                first.channel_id,
                first.endpoint,
                None,
                announced.endpoint,
                is_joined=False,
                with_video=self._has_video,
            )
        ]

    def rings(self, channel_id: str, at: datetime) -> list[Effect]:
        """A phone rings."""
        leg = self.leg(channel_id)
        if leg is None or leg.state is not LegState.DIALLING:
            return []
        leg.state = LegState.RINGING
        if self.rang_at is None and (leg is not self.first or len(self.legs) == 1):
            self.rang_at = at
        if self._is_noted_ringing or self.connected_at is not None or self.is_ended:
            return []
        self._is_noted_ringing = True
        return [Note(Trigger.RING, at)]

    def answers(self, channel_id: str, at: datetime) -> list[Effect]:
        """A phone answered, or a channel that came by itself was answered."""
        leg = self.leg(channel_id)
        if leg is None or leg.state in {LegState.WAITING, LegState.UP}:
            return []
        leg.state = LegState.UP
        if leg.is_leaving or self.is_ended:
            return []
        if self.connected_at is not None:
            return list(self._join(leg))
        if leg is not self.first:
            return list(self._connect(leg, at))
        if self.least_parties == 1:
            return [*self._join(leg), *self._note_connected(at)]
        return list(self._ring_others())

    def arrives(self, leg: Leg, at: datetime, *, calls: bool) -> list[Effect]:
        """A channel came by itself to take part: the caller's, or, once it is connected, another.

        The caller hears ringing until somebody has answered; all who are called are rung for him.
        """
        self.legs.insert(0 if calls else len(self.legs), leg)
        if self.is_ended or not (calls or self.connected_at):
            return list(self._hang_up(leg, Cause.NORMAL))
        self.least_parties = TALKERS
        if self.connected_at is not None:
            leg.state = LegState.UP
            return [Answer(leg.channel_id), *self._join(leg)]
        answered = next((each for each in self.legs if each.is_present), None)
        if answered is not None:
            return list(self._connect(answered, at))
        self._hears_ringing = True
        return [Ring(leg.channel_id), *self._dial_waiting(hears_all=False)]

    def accept(self, at: datetime, actor: str) -> list[Effect]:
        """A user without a leg took the call: the caller is answered, the phones stop ringing."""
        if self.is_ended or self.connected_at is not None or not self._has_arrived():
            return []
        self.least_parties = 1
        return [
            *self._answer_first(),
            *self._join(self.first),
            *self._note_connected(at, actor),
            *self._cancel_pending(),
        ]

    def gone(self, channel_id: str, cause: int | None, at: datetime) -> list[Effect]:
        """A channel ended, could not be made, or left the call for good."""
        leg = self.leg(channel_id)
        if leg is None:
            return []
        was_on_hold = self._is_on_hold()
        leg.state = LegState.GONE
        if self.is_ended:
            return list(self._finish())
        if leg.is_handed_over:
            return []
        if self.connected_at is None:
            return list(self._not_answered(leg, cause, at))
        if self._goes_on():
            return self._note_hold(at, "", was_on_hold=was_on_hold)
        return list(self._end(at, causes.normal(cause), "ANSWER", self._side_of(leg)))

    def left(self, channel_id: str, at: datetime) -> list[Effect]:
        """A channel is led by somebody else from now on, unless it is being ended.

        Of one that was handed over nothing more is told: its place is another's.
        """
        leg = self.leg(channel_id)
        if leg is None or (leg.is_ending and not leg.is_handed_over):
            return []
        return self.gone(channel_id, None, at)

    def take_stock(self, present: Mapping[str, LegState], at: datetime) -> list[Effect]:
        """After a gap in the reports: which channels there are now, by id, and what follows.

        A leg that is not `present` is gone, nobody knows why; one that is still to be dialled
        stays so.
        """
        for leg in self.legs:
            if leg.state is not LegState.WAITING:
                leg.state = present.get(leg.channel_id, LegState.GONE)
        return list(self._settle(at))

    def end(self, at: datetime, cause: int = Cause.NORMAL, actor: str = "") -> list[Effect]:
        """Somebody, or a limit, ends the call."""
        if self.is_ended:
            return []
        status = "CANCEL" if self.connected_at is None else "ANSWER"
        return list(self._end(at, cause, status, EndedBy.USER if actor else EndedBy.PBX, actor))

    def refuse(self, at: datetime, cause: int) -> list[Effect]:
        """End a call whose caller cannot be served."""
        status = causes.dial_status(cause)
        return [] if self.is_ended else list(self._end(at, cause, status, EndedBy.PBX))

    # -- what follows from a report ---------------------------------------------------------------

    def _settle(self, at: datetime) -> Iterator[Effect]:
        answered = [leg for leg in self.legs[1:] if leg.is_present]
        if self.is_ended:
            for leg in self._there():
                leg.is_leaving = False
                yield from self._hang_up(leg, Cause.NORMAL)
            yield from self._finish()
        elif self.connected_at is not None:
            if not self._goes_on():
                yield from self._lose(at)
        elif self.first.state is LegState.GONE:
            yield from self._lose(at)
        elif answered:
            yield from self._connect(answered[0], at)
        elif self.first.state is LegState.UP and self.least_parties == 1:
            yield from self._join(self.first)
            yield from self._note_connected(at)
        elif self.first.state is LegState.UP or not self.first.endpoint:
            yield from self._ring_others()
            if not any(leg.is_pending for leg in self.legs[1:]):
                yield from self._lose(at)

    def _lose(self, at: datetime) -> Iterator[Effect]:
        self.is_ended = True
        yield Note(Trigger.END, at, EndFacts(ended_at=at, reason="lost"))
        for leg in self.legs:
            yield from self._hang_up(leg, Cause.NORMAL)
        yield from self._finish()

    def _ring_others(self) -> Iterator[Effect]:
        waiting = [leg for leg in self.legs[1:] if leg.state is LegState.WAITING]
        hears_all = len(waiting) == 1 and not self.is_conference
        if hears_all:
            yield from self._join(self.first)
        elif waiting:
            self._hears_ringing = True
            yield Ring(self.first.channel_id)
        yield from self._dial_waiting(hears_all=hears_all)

    def _connect(self, leg: Leg, at: datetime) -> Iterator[Effect]:
        yield from self._answer_first()
        yield from self._join(self.first)
        yield from self._join(leg)
        yield from self._note_connected(at)
        if not self.is_conference:
            yield from self._cancel_pending()

    def _not_answered(self, leg: Leg, cause: int | None, at: datetime) -> Iterator[Effect]:
        if leg is self.first and self._first_was_there():
            yield from self._end(at, causes.normal(cause), "CANCEL", self._side_of(leg))
            return
        self._causes.append(causes.failure(cause))
        if leg is self.first or not any(each.is_pending for each in self.legs[1:]):
            told = causes.worth_telling(self._causes)
            yield from self._end(at, told, causes.dial_status(told), None)

    def _answer_first(self) -> Iterator[Effect]:
        if self.first.state is not LegState.UP:
            self.first.state = LegState.UP
            yield Answer(self.first.channel_id)
        elif self._hears_ringing:
            yield StopRinging(self.first.channel_id)

    def _note_connected(self, at: datetime, actor: str = "") -> Iterator[Effect]:
        self.connected_at = at
        yield Note(Trigger.ACCEPT, at, actor=actor)

    def _cancel_pending(self) -> Iterator[Effect]:
        for leg in self.legs:
            if leg.is_pending:
                yield from self._hang_up(leg, Cause.ANSWERED_ELSEWHERE)

    def _join(self, leg: Leg) -> Iterator[Effect]:
        if leg.is_joined:
            return
        if not self.has_bridge:
            self.has_bridge = True
            yield OpenBridge()
        leg.is_joined = True
        yield Join(leg.channel_id)

    def _end(
        self, at: datetime, cause: int, status: str, by: EndedBy | None, actor: str = ""
    ) -> Iterator[Effect]:
        self.is_ended = True
        began = self.connected_at
        yield Note(
            Trigger.END,
            at,
            EndFacts(
                hangup_cause=cause,
                dial_status=status,
                ring_ms=_milliseconds(self.rang_at, began or at),
                answered_ms=_milliseconds(began, at),
                ended_at=at,
                ended_by=by,
            ),
            actor,
        )
        # A phone that is still ringing when the talk is over learns nothing from its cause.
        for leg in self.legs:
            yield from self._hang_up(leg, Cause.NORMAL if status == "CANCEL" else cause)
        yield from self._finish()

    def _has_arrived(self) -> bool:
        return not self.first.endpoint and self.first.state is not LegState.GONE

    def _first_was_there(self) -> bool:
        return not self.first.endpoint or self.first.is_joined or self._hears_ringing


def _milliseconds(begin: datetime | None, end: datetime) -> int | None:
    if begin is None:
        return None
    return max(0, round((end - begin).total_seconds() * 1000))
