"""The book of registered calls where a remote SGE API keeps them: what the dialplan was told.

There is no asking that API which call a channel is. What was registered through this process is
remembered; of other live channels the dialplan's variable SGE_CALL_ID says it. Statements take the
same way as those of the AGI routes, outbox included, and are left out where a route made them.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fastagi_server.ami.errors import AmiError, AmiRefusedError
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import CallStatus, CallType
from fastagi_server.calls.sighting import LOST, Report, Sighting
from fastagi_server.calls.transitions import Trigger
from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    Outcome,
    Registration,
    Statement,
    registration_key,
)
from fastagi_server.registration.registrar import Registrar
from fastagi_server.supervision.ports import BookError, PbxLook, Registered
from fastagi_server.telemetry.measures import Measures

MAX_KNOWN = 20_000
"""Calls that are remembered, some 5 MB; the one that has ended first goes, else the oldest."""

CALL_ID_VARIABLE = "SGE_CALL_ID"


@dataclass(slots=True)
class _Known:
    """What was said of a channel's call; `call_id` may be provisional."""

    unique_id: str
    system: str
    call_id: str
    is_accepted: bool = False
    is_ended: bool = False

    @property
    def registered(self) -> Registered:
        """The same as the sightings want it."""
        if self.is_ended:
            return Registered(self.call_id, CallStatus.ENDED)
        status = CallStatus.CONNECTED if self.is_accepted else CallStatus.INITIATING
        return Registered(self.call_id, status)


class RegistrarBook:
    """A `CallBook` of what is said through a registrar.

    `technology` is that of the dial string which stands for a dialled extension.
    """

    def __init__(
        self,
        registrar: Registrar,
        *,
        technology: str,
        measures: Measures,
        max_known: int = MAX_KNOWN,
    ) -> None:
        self._registrar = registrar
        self._technology = technology
        self._measures = measures
        self._max_known = max_known
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._ended: dict[str, None] = {}
        self._systems: Collection[str] = ()
        self._pbx: PbxLook | None = None
        registrar.when_stated(self.hear)

    def attach(self, pbx: PbxLook) -> None:
        """Where channels can be asked for their variables; to be told before the link runs."""
        self._pbx = pbx

    def hear(self, statement: Statement, outcome: Outcome) -> None:
        """Somebody has said something of a call."""
        known = self._known.get(statement.key)
        if isinstance(statement, Acceptance):
            if known is not None:
                known.is_accepted = True
            return
        registration = statement if isinstance(statement, Registration) else statement.registration
        if known is None and outcome.call_id:
            known = self._remember(registration.system, registration.unique_id, outcome.call_id)
        if known is not None and isinstance(statement, Ending):
            known.is_ended = True
            self._ended[statement.key] = None

    async def find(
        self, channels: Collection[Sighting], systems: Collection[str]
    ) -> Mapping[str, Registered]:
        """See CallBook."""
        self._systems = systems
        found: dict[str, Registered] = {}
        for channel in channels:
            known = self._of(channel.unique_id) or await self._ask(channel)
            if known is not None:
                found[channel.unique_id] = known.registered
        return found

    async def active(self, systems: Collection[str]) -> Mapping[str, Registered]:
        """See CallBook."""
        self._systems = systems
        return {
            known.unique_id: known.registered
            for known in self._known.values()
            if not known.is_ended and known.system in systems
        }

    async def write(self, report: Report) -> None:
        """See CallBook. Only answers and ends are told; an end when all is known of it."""
        sighting, note = report.sighting, report.note
        known = self._of(sighting.unique_id)
        if known is None or known.is_ended:
            return
        if note.trigger is Trigger.ACCEPT and not known.is_accepted:
            key = registration_key(known.system, known.unique_id)
            await self._registrar.accept(Acceptance(key, known.call_id, note.at))
        elif note.trigger is Trigger.END and _is_whole(report):
            await self._registrar.end(self._ending(known, sighting, note))

    async def _ask(self, channel: Sighting) -> _Known | None:
        if channel.ended_at is not None or self._pbx is None:
            return None
        try:
            answer = await self._pbx.action(
                "Getvar", {"Channel": channel.name, "Variable": CALL_ID_VARIABLE}
            )
        except AmiRefusedError:  # gone meanwhile
            return None
        except AmiError as error:
            raise BookError(str(error)) from error
        call_id = answer.get("Value", "")
        if not call_id:
            return None
        return self._remember(next(iter(self._systems)), channel.unique_id, call_id)

    def _of(self, unique_id: str) -> _Known | None:
        keys = (registration_key(system, unique_id) for system in self._systems)
        return next((self._known[key] for key in keys if key in self._known), None)

    def _remember(self, system: str, unique_id: str, call_id: str) -> _Known:
        if len(self._known) >= self._max_known:
            self._forget_one()
        known = self._known[registration_key(system, unique_id)] = _Known(
            unique_id, system, call_id
        )
        return known

    def _forget_one(self) -> None:
        if self._ended:
            key = next(iter(self._ended))
            del self._ended[key], self._known[key]
            return
        self._known.popitem(last=False)
        self._measures.drops.add("known_registration")

    def _ending(self, known: _Known, sighting: Sighting, note: Note) -> Ending:
        registration = Registration(
            system=known.system,
            unique_id=known.unique_id,
            channel=sighting.name,
            linked_id=sighting.linked_id,
            context=sighting.context,
            extension=sighting.exten,
            caller_number=sighting.caller_number,
            caller_name=sighting.caller_name,
            participants=(f"{self._technology}/{sighting.exten}",),
            call_type=CallType.AUDIO.value,
        )
        facts = note.facts
        return Ending(
            registration,
            call_id=known.call_id,
            hangup_cause=facts.hangup_cause,
            dial_status=facts.dial_status or "",
            ring_ms=facts.ring_ms,
            answered_ms=facts.answered_ms,
            ended_at=facts.ended_at,
        )


def _is_whole(report: Report) -> bool:
    return report.sighting.is_settled or report.note.facts.reason == LOST
