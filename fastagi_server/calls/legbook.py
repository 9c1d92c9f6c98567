"""The legs of a call, and who of them is on hold. The lower half of `live`. No I/O."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from fastagi_server.calls.legs import Effect, Leg, LegState, Note, Park, Unpark
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

    def _there(self) -> Iterator[Leg]:
        return (leg for leg in self.legs if leg.state is not LegState.GONE)
