"""What the PBX's events say of the calls that its dialplan leads. No I/O.

Channels are known by their unique ids. Those that are registered as calls are claimed; what is
told about one of them, before that or after, becomes reports for the record of its call. A dialled
leg belongs to its caller by their linked id.

Laws:
1. Events may come in any order and twice: two turns after its end a call has the same status,
   cause, dial status and durations.
2. An event that never comes is made up for by the next comparison with what is there.
3. A call is reported forwards only: ringing, connected or on hold, ended; nothing but the rest of
   the story follows its end.
4. No report is made of a channel that is not claimed, nor of one that an application of ours leads.
5. What is remembered of channels has a limit, in turns after their end and in number.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import takewhile

from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import CallStatus
from fastagi_server.calls.sighting import OURS, Group, Place, Report, Seen, Sighting
from fastagi_server.calls.transitions import Trigger

SETTLE_TURNS = 2
LEG_TURNS = 20
REMEMBER_TURNS = 1200
"""Turns after a channel's end until its story is told to the end, until a dialled leg is forgotten,
and until a channel is forgotten that may be registered late."""

MAX_CHANNELS = 50_000
MAX_REMEMBERED = 5_000
"""Channels known at once, and of these gone ones: they are asked for again and again."""


class Sightings:
    """The channels of one PBX: `max_channels` at most, of which `max_remembered` may be gone.

    Methods that are told something return the reports it leads to. `drops` counts channels
    forgotten before their time because there were too many, save those whose story was told, in
    their own record or in that of the call they belonged to.
    """

    def __init__(
        self, *, max_channels: int = MAX_CHANNELS, max_remembered: int = MAX_REMEMBERED
    ) -> None:
        self.drops = 0
        self._max_remembered = max_remembered
        self._max_channels = max_channels
        self._channels: dict[str, Sighting] = {}
        self._groups: dict[str, Group] = {}
        self._bridges: dict[str, dict[str, datetime]] = {}
        self._turn = self._gone = 0
        # Gone channels, each with the turn when it is looked at again, in that order.
        self._unsettled: dict[str, int] = {}
        self._legs: dict[str, int] = {}
        self._remembered: dict[str, int] = {}
        self._wanted: dict[str, None] = {}
        self._reached: list[Sighting] = []

    @property
    def live(self) -> int:
        """How many channels there are now."""
        return len(self._channels) - self._gone

    # -- what is told -----------------------------------------------------------------------------

    def sees(self, seen: Seen) -> Sighting:
        """A channel exists, or did."""
        sighting = self._channels.get(seen.unique_id)
        if sighting is None:
            self._make_room()
            sighting = self._channels[seen.unique_id] = Sighting(
                seen.unique_id,
                seen.name,
                seen.exten,
                seen.context,
                seen.caller_number,
                seen.caller_name,
                is_led=seen.unique_id.startswith(OURS),
            )
        if seen.linked_id != sighting.linked_id:
            self._link(sighting, seen.linked_id)
        return sighting

    def rings(self, seen: Seen, at: datetime) -> list[Report]:
        """A phone that is called rings."""
        phone = self.sees(seen)
        reports: list[Report] = []
        for group in phone.groups.values():
            group.rings[phone.unique_id] = min(at, group.rings.get(phone.unique_id, at))
            for member in group.members.values():
                if member is not phone:
                    member.rings(at)
                    reports += self._advance(member)
        return reports

    def dials(self, seen: Seen, called: Seen) -> list[Report]:
        """A channel calls another one."""
        caller, leg = self.sees(seen), self.sees(called)
        leg.caller = caller.unique_id
        caller.is_led = caller.is_led or leg.is_led
        self._wanted.pop(leg.unique_id, None)
        self._reach(caller, seen.context)
        return self._advance(caller)

    def stops_dialling(self, seen: Seen, called: Seen, status: str, at: datetime) -> list[Report]:
        """What a channel called has answered or not; `status` is Asterisk's DIALSTATUS."""
        reports = self.dials(seen, called)
        caller = self._channels[seen.unique_id]
        caller.stops_dialling(at, status)
        return reports + self._advance(caller)

    def enters(self, seen: Seen, bridge: Place, at: datetime) -> list[Report]:
        """A channel is in a bridge; who is there with somebody else has been answered."""
        sighting = self.sees(seen)
        sighting.is_led = sighting.is_led or bridge.is_ours
        if bridge.is_waiting_room:
            return []
        if not bridge.is_led:
            self._reach(sighting, seen.context)
        inside = self._bridges.setdefault(bridge.unique_id, {})
        if sighting.unique_id not in inside:
            sighting.bridges.append(bridge.unique_id)
        entered = inside[sighting.unique_id] = min(at, inside.get(sighting.unique_id, at))
        reports: list[Report] = []
        for unique_id, before in inside.items():
            other = self._channels[unique_id]
            if other is sighting:
                continue
            sighting.answers(max(before, entered))
            if other.answers(max(before, entered)):
                reports += self._advance(other)
        return reports + self._advance(sighting)

    def holds(self, seen: Seen, at: datetime, *, is_held: bool) -> list[Report]:
        """A phone puts the others on hold, or takes them back."""
        phone = self.sees(seen)
        phone.holds(at, is_held=is_held)
        return self._advance_with(phone)

    def ends(self, seen: Seen, cause: int, at: datetime) -> list[Report]:
        """A channel is gone; `cause` is Q.850's."""
        sighting = self.sees(seen)
        sighting.ends(at, cause)
        return self._bury(sighting)

    # -- who is registered ------------------------------------------------------------------------

    @property
    def is_wanting(self) -> bool:
        """Whether `take_wanted` would give any."""
        return bool(self._wanted)

    def claim(self, unique_id: str, call_id: str, status: CallStatus) -> list[Report]:
        """A channel is registered as a call whose record has this status now."""
        sighting = self._channels.get(unique_id)
        if sighting is None:
            return []
        if sighting.call_id != call_id or sighting.noted is not status:
            sighting.is_settled = False
        sighting.call_id, sighting.noted = call_id, status
        self._wanted.pop(unique_id, None)
        for group in sighting.groups.values():
            group.is_registered = True
        if sighting.ended_at is not None and not sighting.is_settled:
            self._remembered.pop(unique_id, None)
            self._unsettled.setdefault(unique_id, self._turn + SETTLE_TURNS)
        return self._advance_with(sighting)

    def get(self, unique_id: str) -> Sighting | None:
        """What is known of a channel."""
        return self._channels.get(unique_id)

    def take_wanted(self) -> list[Sighting]:
        """Channels of which a record should know something, since they were last taken."""
        wanted = [self._channels[unique_id] for unique_id in self._wanted]
        self._wanted.clear()
        return wanted

    def take_reached(self) -> list[Sighting]:
        """Channels that have called or talked for the first time, since they were last taken."""
        reached, self._reached = self._reached, []
        return reached

    def unclaimed(self) -> list[Sighting]:
        """All channels that may be registered and are not claimed, gone ones included."""
        return [each for each in self._channels.values() if each.may_be_registered]

    # -- time and comparison ----------------------------------------------------------------------

    def turn(self) -> list[Report]:
        """Some time has passed: tell the stories that are complete, forget what is old."""
        self._turn += 1
        reports: list[Report] = []
        for unique_id in self._due(self._unsettled):
            reports += self._settle(self._channels[unique_id])
        for unique_id in (*self._due(self._legs), *self._due(self._remembered)):
            self._forget(self._channels[unique_id])
        return reports

    def compare(self, present: Collection[str], at: datetime, *, is_certain: bool) -> list[Report]:
        """What is there now; a channel that is not is lost.

        Unless `is_certain`, its end may just be on its way: then it is lost the second time.
        """
        reports: list[Report] = []
        for sighting in list(self._channels.values()):
            was_missed = sighting.is_missed
            sighting.is_missed = sighting.unique_id not in present
            if sighting.is_missed and sighting.ended_at is None and (is_certain or was_missed):
                sighting.loses(at)
                reports += self._bury(sighting)
        return reports

    # -- inside -----------------------------------------------------------------------------------

    def _advance(self, sighting: Sighting) -> list[Report]:
        if sighting.may_be_registered:
            self._wanted[sighting.unique_id] = None
        if not sighting.call_id or sighting.is_led:
            return []
        return [Report(sighting, note) for note in sighting.advance()]

    def _advance_with(self, phone: Sighting) -> list[Report]:
        """Also the call whose leg it is may be on hold by it, or no longer."""
        reports = self._advance(phone)
        if phone.held is not None:
            for group in phone.groups.values():
                for member in group.members.values():
                    if member.call_id and member is not phone:
                        reports += self._advance(member)
        return reports

    def _bury(self, sighting: Sighting) -> list[Report]:
        if not sighting.is_gone:
            sighting.is_gone = True
            self._gone += 1
            self._unsettled[sighting.unique_id] = self._turn + SETTLE_TURNS
        return self._advance_with(sighting)

    def _settle(self, sighting: Sighting) -> list[Report]:
        sighting.is_settled = True
        if sighting.caller or sighting.is_led:
            self._legs[sighting.unique_id] = self._turn + LEG_TURNS
        else:
            self._remembered[sighting.unique_id] = self._turn + REMEMBER_TURNS
            if len(self._remembered) > self._max_remembered:
                self._drop(self._remembered)
        is_told = sighting.call_id and not sighting.is_led and not sighting.is_lost
        if not is_told or sighting.ended_at is None:
            return []
        note = Note(Trigger.END, sighting.ended_at, sighting.whole_story())
        return [Report(sighting, note, is_late=True)]

    def _due(self, queue: dict[str, int]) -> list[str]:
        due = list(takewhile(lambda unique_id: queue[unique_id] <= self._turn, queue))
        for unique_id in due:
            del queue[unique_id]
        return due

    def _reach(self, sighting: Sighting, context: str) -> None:
        if sighting.reached_in is None:
            sighting.reached_in = context
            self._reached.append(sighting)

    def _link(self, sighting: Sighting, linked_id: str) -> None:
        sighting.linked_id = linked_id
        if linked_id in sighting.groups:
            return
        group = self._groups.setdefault(linked_id, Group())
        sighting.groups[linked_id] = group
        group.is_registered = group.is_registered or bool(sighting.call_id)
        group.members[sighting.unique_id] = sighting
        for phone, at in group.rings.items():
            if phone != sighting.unique_id:
                sighting.rings(at)

    def _make_room(self) -> None:
        if len(self._channels) >= self._max_channels:
            self._drop(self._legs or self._remembered or self._unsettled or self._channels)

    def _drop(self, oldest_first: Iterable[str]) -> None:
        sighting = self._channels[next(iter(oldest_first))]
        is_told = any(group.is_registered for group in sighting.groups.values())
        self.drops += not (sighting.is_settled and is_told)
        self._forget(sighting)

    def _forget(self, sighting: Sighting) -> None:
        unique_id = sighting.unique_id
        del self._channels[unique_id]
        self._gone -= sighting.is_gone
        for queue in (self._unsettled, self._legs, self._remembered):
            queue.pop(unique_id, None)
        self._wanted.pop(unique_id, None)
        for bridge in sighting.bridges:
            self._bridges[bridge].pop(unique_id)
            if not self._bridges[bridge]:
                del self._bridges[bridge]
        for linked_id, group in sighting.groups.items():
            group.members.pop(unique_id)
            group.rings.pop(unique_id, None)
            if not group.members:
                del self._groups[linked_id]
