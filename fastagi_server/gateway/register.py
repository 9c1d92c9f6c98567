"""Who has a leg in which call: the sessions, what becomes of them, and what the next run needs."""

import asyncio
from datetime import UTC, datetime

import structlog

from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import NO_FACTS
from fastagi_server.calls.models import CallStatus, EndFacts
from fastagi_server.calls.orders import is_browsers
from fastagi_server.calls.transitions import Trigger
from fastagi_server.gateway.clerk import Clerk
from fastagi_server.gateway.ports import LedCalls, Mail, Pages, UserAgent
from fastagi_server.gateway.reasons import Ending, Reason
from fastagi_server.gateway.session import Session
from fastagi_server.signaling.dialogs import DialogRecord, DialogRecords
from fastagi_server.sip.errors import SipError
from fastagi_server.sip.events import LegState
from fastagi_server.telemetry.measures import Measures

MAX_SESSIONS = 1000

MAX_EARLY = 256
"""Sessions to be whose candidates have overtaken the offer; the oldest gives way."""

MAX_EARLY_LINES = 16

ENDING_SECONDS = 2.0
"""How long a leg of a call that has ended waits for Asterisk to end it."""

KEEP_SECONDS = 30.0
"""Between two times that changed dialogs are kept; their numbers may lag behind by that much.

It is time, too, for Asterisk to be asked after a start what goes on there.
"""

HAS_BEGUN = frozenset({CallStatus.CONNECTED, CallStatus.ON_HOLD})
"""Calls that were answered: their legs may go on in Asterisk without us."""

_log = structlog.stdlib.get_logger("gateway")

Key = tuple[str, str]
"""A call's id and a user."""


class SessionRegister:
    """All sessions by call and user; their observer."""

    def __init__(
        self, clerk: Clerk, *, mail: Mail, pages: Pages, led: LedCalls, measures: Measures
    ) -> None:
        self._clerk = clerk
        self._mail = mail
        self._pages = pages
        self._led = led
        self._measures = measures
        self._sessions: dict[Key, Session] = {}
        self._early: dict[Key, list[str]] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._kept: dict[str, DialogRecord] = {}
        self._in_doubt: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether there are as many sessions as there may be."""
        return len(self._sessions) >= MAX_SESSIONS

    def find(self, call_id: str, user: str) -> Session | None:
        """The session of a user in a call."""
        return self._sessions.get((call_id, user))

    def open(self, call_id: str, user: str, *, is_noted: bool) -> Session:
        """A new session; its user is gone if no page of his shows up."""
        key = call_id, user
        session = Session(call_id, user, mail=self._mail, observer=self, is_noted=is_noted)
        for line in self._early.pop(key, ()):
            session.candidates.add(line)
        self._sessions[key] = session
        self._measures.gateway_legs_open.set(len(self._sessions))
        self._pages.expect(user)
        return session

    def discard(self, session: Session) -> None:
        """Forget a session that has not begun."""
        self._sessions.pop((session.call_id, session.user), None)
        self._measures.gateway_legs_open.set(len(self._sessions))

    def add_early(self, call_id: str, user: str, line: str) -> None:
        """Remember a candidate that came before its offer."""
        lines = self._early.setdefault((call_id, user), [])
        if len(lines) < MAX_EARLY_LINES:
            lines.append(line)
        if len(self._early) > MAX_EARLY:
            del self._early[next(iter(self._early))]
            self._measures.drops.add("early_candidates")

    # -- what becomes of them: session.Observer ---------------------------------------------------

    def rings(self, session: Session) -> None:
        """See session.Observer."""
        self._note(session, Trigger.RING)

    def talks(self, session: Session) -> None:
        """See session.Observer."""
        self._note(session, Trigger.ACCEPT)
        self._keep(session)

    def ends(self, session: Session, ending: Ending) -> None:
        """See session.Observer."""
        self.discard(session)
        timer = self._timers.pop((session.call_id, session.user), None)
        if timer is not None:
            timer.cancel()
        self.count(ending)
        self._note(session, Trigger.END, ending.facts(datetime.now(UTC)))
        if session.leg is not None:
            self._kept.pop(session.leg.id, None)
            self._clerk.drop(session.leg.id)

    def count(self, ending: Ending) -> None:
        """Count how a leg ended, or why there was none."""
        self._measures.gateway_legs.add(ending.reason)

    def note_end(self, call_id: str, ending: Ending) -> None:
        """Note the end of a call that has no leg."""
        self._clerk.note(call_id, Trigger.END, ending.facts(datetime.now(UTC)))

    def _note(self, session: Session, trigger: Trigger, facts: EndFacts = NO_FACTS) -> None:
        """Note in the call's record what its leg tells, unless it is led in Asterisk."""
        session.is_noted = session.is_noted and not self._led.leads_call(session.call_id)
        if session.is_noted:
            self._clerk.note(session.call_id, trigger, facts)

    # -- what else ends them ----------------------------------------------------------------------

    def gone(self, user: str) -> None:
        """A user has left: no page of his is open any more; for `on_gone` of the presence."""
        for session in [each for each in self._sessions.values() if each.user == user]:
            session.hang_up(Reason.LEFT)

    def call_ended(self, call_id: str, *, by_user: bool, is_lost: bool) -> None:
        """A call has ended; a leg that Asterisk will not end by itself is ended.

        Of one that nobody leads there the record may have been ended by a user alone.
        """
        loop = asyncio.get_running_loop()
        of_call = [each for key, each in self._sessions.items() if key[0] == call_id]
        for session in of_call:
            key = session.call_id, session.user
            if is_lost:
                session.hang_up(Reason.GATEWAY_LOST)
            elif by_user and session.is_noted:
                session.hang_up(Reason.ENDED)
            elif key not in self._timers:
                self._timers[key] = loop.call_later(ENDING_SECONDS, session.hang_up, Reason.ENDED)

    # -- from run to run --------------------------------------------------------------------------

    async def restore(self, agent: UserAgent, dialogs: DialogRecords, journal: CallJournal) -> None:
        """Go on with the legs of the last run; what had not begun by then is lost.

        Who leads the others will be seen: until `decide` they are in doubt. Raises StoreError.
        """
        for record in await dialogs.kept():
            call = await journal.get(record.call_id)
            session = self.open(record.call_id, record.user, is_noted=record.is_noted)
            try:
                leg = agent.restore(record.snapshot, session.hear)
            except (SipError, KeyError, TypeError, ValueError) as error:
                _log.warning("leg_not_restored", call=record.call_id, reason=str(error))
                self.discard(session)
                self._clerk.drop(record.leg_id)
                continue
            session.resume(leg, is_caller=record.is_caller)
            self._mail.admit(record.call_id, record.user)
            if call is None or not call.is_active:
                session.hang_up(Reason.ENDED)
        going_on = {call_id for call_id, _ in self._sessions}
        for call in await journal.active():
            if not is_browsers(call.metadata):
                continue
            if call.id in going_on or call.status in HAS_BEGUN:
                self._in_doubt.add(call.id)
            else:
                self.note_end(call.id, Ending(Reason.GATEWAY_LOST))

    async def run(self) -> None:
        """Keep what changes of the dialogs until cancelled."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            self.decide()
            self.keep_all()

    def decide(self) -> None:
        """Once it is known who is led: see to the calls of the last run that nobody leads.

        A call may go on in Asterisk without its caller's leg, or have ended there meanwhile.
        """
        if not self._led.is_linked:
            return
        for call_id in self._in_doubt:
            if self._led.leads_call(call_id):
                continue
            of_call = [each for key, each in self._sessions.items() if key[0] == call_id]
            for session in of_call:
                session.is_noted = True
            if not of_call:
                self.note_end(call_id, Ending(Reason.GATEWAY_LOST))
        self._in_doubt.clear()

    def keep_all(self) -> None:
        """Keep every dialog that has changed."""
        for session in self._sessions.values():
            self._keep(session)

    def close(self) -> None:
        """Leave every leg as it is, for the next run."""
        self.keep_all()
        for timer in self._timers.values():
            timer.cancel()
        for session in self._sessions.values():
            session.candidates.close()

    def _keep(self, session: Session) -> None:
        leg = session.leg
        if leg is None or leg.state is not LegState.UP:
            return
        record = DialogRecord(
            leg.id,
            session.call_id,
            session.user,
            session.is_caller,
            session.is_noted,
            leg.snapshot(),
        )
        if self._kept.get(leg.id) != record:
            self._kept[leg.id] = record
            self._clerk.keep(record)
