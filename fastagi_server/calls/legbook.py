"""The legs of a call: who is on hold, who takes whose place. The lower half of `live`. No I/O."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from fastagi_server.calls import quality
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.legs import (
    CloseBridge,
    Dial,
    Effect,
    HangUp,
    Leg,
    LegState,
    LogTransfer,
    Note,
    Park,
    Rate,
    Unpark,
)
from fastagi_server.calls.models import EndedBy
from fastagi_server.calls.transitions import Trigger

TALKERS = 2
"""Parties without whom there is no conversation, unless the call has but one leg."""


class LegBook:
    """What is known of a call's legs. Methods that return effects say what is to be done."""

    def __init__(self, call_id: str, legs: Sequence[Leg], *, is_conference: bool = False) -> None:
        self.call_id = call_id
        self.legs = list(legs)
        self.is_conference = is_conference
        self.rang_at: datetime | None = None
        self.connected_at: datetime | None = None
        self.is_ended = False
        self.has_bridge = False
        self._is_rated = False
        self.least_parties = min(TALKERS, len(self.legs))

    @property
    def first(self) -> Leg:
        """The leg that calls."""
        return self.legs[0]

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen: ended, and no leg left."""
        return self.is_ended and all(leg.state is LegState.GONE for leg in self.legs)

    def leg(self, channel_id: str) -> Leg | None:
        """The leg of a channel that is not gone yet."""
        return next((leg for leg in self._there() if leg.channel_id == channel_id), None)

    def ending(self, channel_id: str, *, hung_up: bool | None = None) -> list[Effect]:
        """A channel is being ended, `hung_up` by its phone; how and why is told when it is gone."""
        leg = self.leg(channel_id)
        if leg is not None:
            leg.hung_up = hung_up if leg.hung_up is None else leg.hung_up
            leg.is_ending = True
        return []

    def hand_over(self, channel_id: str) -> None:
        """Another channel is about to be `replaced` for this one, whose end means nothing now."""
        leg = self._ever(channel_id)
        if leg is not None:
            leg.is_handed_over = True

    def sounded(self, channel_id: str, report: str) -> list[Effect]:
        """What the PBX measured of a channel's media, in its own words."""
        leg = self._ever(channel_id)
        if leg is not None:
            leg.media.take(report)
        return []

    def held(self, channel_id: str, at: datetime) -> list[Effect]:
        """A phone put the others on hold; the PBX plays them music by itself."""
        return self._hold(channel_id, at, is_held=True)

    def resumed(self, channel_id: str, at: datetime) -> list[Effect]:
        """A phone took the others back."""
        return self._hold(channel_id, at, is_held=False)

    def park(self, holder: Leg | None, at: datetime, actor: str) -> list[Effect]:
        """Put everybody but the holder on hold; without a holder everybody."""
        if self.connected_at is None or self.is_ended:
            return []
        was_on_hold, effects = self._is_on_hold(), list[Effect]()
        for leg in self.legs:
            if leg is not holder and leg.is_present and not leg.is_parked:
                leg.is_parked = True
                effects.append(Park(leg.channel_id))
        return effects + self._note_hold(at, actor, was_on_hold=was_on_hold)

    def unpark(self, at: datetime, actor: str) -> list[Effect]:
        """Take everybody back who was put on hold by `park`."""
        was_on_hold, effects = self._is_on_hold(), list[Effect]()
        for leg in self.legs:
            if leg.is_parked:
                leg.is_parked = False
                if leg.is_present:
                    effects.append(Unpark(leg.channel_id))
        return effects + self._note_hold(at, actor, was_on_hold=was_on_hold)

    def transfer(self, leaving: Leg, new: Leg) -> list[Effect]:
        """Let the new leg take the place of one that leaves at once."""
        staying = next((leg for leg in self.legs if leg.is_present and leg is not leaving), None)
        if self.is_ended or self.connected_at is None or staying is None or not leaving.is_present:
            return []
        self._take_place(leaving, new)
        new.state, new.is_joined = LegState.DIALLING, True
        return [
            *self._hang_up(leaving, Cause.NORMAL),
            Dial(new.channel_id, new.endpoint, staying.channel_id, "", is_joined=True),
        ]

    def replaced(self, channel_id: str, heir: Leg, to: str, at: datetime) -> list[Effect]:
        """A phone has transferred those it talked to, `to` a number or, empty, to its other call.

        The heir is in its place already, in the bridge too, and leads to whom they talk from now.
        """
        old = self._ever(channel_id)
        if old is None:
            return []
        was_on_hold = self._is_on_hold()
        old.is_handed_over = heir.is_joined = True
        self._take_place(old, heir)
        if self.is_ended:
            return list(self._hang_up(heir, Cause.NORMAL))
        return [
            *self._hang_up(old, Cause.NORMAL),
            LogTransfer(old.participant, to),
            *self._note_hold(at, "", was_on_hold=was_on_hold),
        ]

    def _hold(self, channel_id: str, at: datetime, *, is_held: bool) -> list[Effect]:
        leg = self.leg(channel_id)
        if leg is None or leg.is_held is is_held or self.is_ended:
            return []
        was_on_hold = self._is_on_hold()
        leg.is_held = is_held
        return self._note_hold(at, "", was_on_hold=was_on_hold)

    def _note_hold(self, at: datetime, actor: str, *, was_on_hold: bool) -> list[Effect]:
        if self.connected_at is None or self._is_on_hold() is was_on_hold:
            return []
        return [Note(Trigger.RESUME if was_on_hold else Trigger.HOLD, at, actor=actor)]

    def _is_on_hold(self) -> bool:
        return any((leg.is_held or leg.is_parked) and leg.is_present for leg in self.legs)

    def _goes_on(self) -> bool:
        present = sum(leg.is_present for leg in self.legs)
        may_come = any(leg.is_pending for leg in self.legs)
        return present >= self.least_parties or (present > 0 and may_come)

    def _dial_waiting(self, *, hears_all: bool) -> Iterator[Effect]:
        """Ring all who are not rung yet, for the first; `hears_all` of what they sound like."""
        caller = self.first.channel_id
        for leg in self.legs[1:]:
            if leg.state is LegState.WAITING:
                leg.state, leg.is_joined = LegState.DIALLING, hears_all
                yield Dial(leg.channel_id, leg.endpoint, caller, "", is_joined=hears_all)

    def _take_place(self, old: Leg, heir: Leg) -> None:
        """Let a leg stand where another one stood, which is on its way out."""
        self.legs[self.legs.index(old)] = heir
        self.legs.append(old)

    def _side_of(self, leg: Leg) -> EndedBy | None:
        """Who it was that a leg ended which talked; None where that is not known."""
        if leg.hung_up is None:
            return None
        if not leg.hung_up:
            return EndedBy.PBX
        if leg is self.first:
            return EndedBy.CALLER
        return EndedBy.CALLEE if self.first.is_present else None

    def _hang_up(self, leg: Leg, cause: int) -> Iterator[Effect]:
        if leg.state is LegState.WAITING:
            leg.state = LegState.GONE
        elif leg.state is not LegState.GONE and not leg.is_leaving:
            leg.is_leaving = True
            yield HangUp(leg.channel_id, cause)

    def _finish(self) -> Iterator[Effect]:
        """What there is to do once a call has ended and its last leg is gone."""
        if any(self._there()):
            return
        if self.has_bridge:
            self.has_bridge = False
            yield CloseBridge()
        figures = quality.of_call(leg.media for leg in self.legs)
        if figures is not None and not self._is_rated:
            self._is_rated = True
            yield Rate(figures)

    def _ever(self, channel_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.channel_id == channel_id), None)

    def _there(self) -> Iterator[Leg]:
        return (leg for leg in self.legs if leg.state is not LegState.GONE)
