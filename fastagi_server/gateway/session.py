"""One leg of a call whose phone is a browser: signaling messages on one side, SIP on the other.

Laws:
1. Each message that the browser must know of the leg is delivered once, in the order of events.
2. After the end nothing more is delivered, and nothing more is asked of the leg.
3. An INVITE from Asterisk is answered once, by the first page that does.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import structlog

from fastagi_server.gateway.candidates import Candidates
from fastagi_server.gateway.ports import Mail
from fastagi_server.gateway.reasons import Ending, Reason, of_end, of_refusal
from fastagi_server.signaling.errors import WrongStateError
from fastagi_server.signaling.models import ASTERISK, SignalKind
from fastagi_server.sip import events
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import SipEvent
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.offers import OFFER_SECONDS

DECLINE = 603

_log = structlog.stdlib.get_logger("gateway")


class Phase(StrEnum):
    """Where a session stands: a browser's own call, or one that rings in it."""

    GATHERING = "gathering"
    CALLING = "calling"
    RUNG = "rung"
    ANSWERING = "answering"
    UP = "up"
    OVER = "over"


class Observer(Protocol):
    """Hears how a session goes. Never waits."""

    def rings(self, session: "Session") -> None:
        """The far end rings, or, of a call to a browser, its pages do."""
        ...

    def talks(self, session: "Session") -> None:
        """The leg is up, or its media has changed."""
        ...

    def ends(self, session: "Session", ending: Ending) -> None:
        """The leg is over; this is the last word."""
        ...


class Session:
    """A browser's leg. `is_noted` tells that nobody else keeps the record of its call.

    `leg` is None until the INVITE is out; `is_caller` tells that the browser sent it.
    """

    def __init__(
        self, call_id: str, user: str, *, mail: Mail, observer: Observer, is_noted: bool
    ) -> None:
        self.call_id = call_id
        self.user = user
        self.is_noted = is_noted
        self.leg: SipLeg | None = None
        self.is_caller = True
        self.phase = Phase.GATHERING
        self.candidates = Candidates()
        self._mail = mail
        self._observer = observer
        self._answer_by = 0.0
        self._why: Reason | None = None
        self._by_user = False

    # -- from the browser -------------------------------------------------------------------------

    def call(self, sdp: str, place: Callable[[str], SipLeg]) -> None:
        """Begin a call with an offer; `place` sends the INVITE. Raises InvalidSdpError."""

        def send(prepared: str) -> None:
            self.phase = Phase.CALLING
            self.leg = place(prepared)

        self.candidates.hold(sdp, send)

    def offer(self, sdp: str) -> None:
        """Change what the leg carries. Raises InvalidSdpError and WrongStateError."""
        if self.phase is not Phase.UP:
            raise WrongStateError("The call is not connected yet")
        if self._must_answer:
            raise WrongStateError("Asterisk has made an offer that must be answered first")
        self.candidates.hold(sdp, lambda prepared: self._surely(lambda leg: leg.offer(prepared)))

    def answer(self, sdp: str) -> None:
        """Take what Asterisk has offered. Raises InvalidSdpError and WrongStateError."""
        if self.phase is Phase.RUNG:
            self.candidates.hold(sdp, self._take)
            # Others of the user's pages are too late from now on.
            if self.phase is Phase.RUNG:
                self.phase = Phase.ANSWERING
        elif self.phase is Phase.UP and self._must_answer:
            self.candidates.hold(sdp, self._agree)
            self._answer_by = 0.0
        else:
            raise WrongStateError("There is no offer to answer, or it was answered already")

    def hang_up(self, reason: Reason | None = None) -> None:
        """End the leg; without a reason it is the user who does, in his page."""
        if self._why is None:
            self._why = reason or self._own_reason()
            self._by_user = reason in {None, Reason.LEFT}
        self.candidates.close()
        if self.leg is None:
            self._finish(self._why)
        elif self.phase in {Phase.RUNG, Phase.ANSWERING}:
            self._surely(lambda leg: leg.refuse(DECLINE))
        elif self.phase is not Phase.OVER:
            self._surely(lambda leg: leg.hang_up())

    # -- from Asterisk ----------------------------------------------------------------------------

    def ring(self, leg: SipLeg, offer: Mapping[str, Any]) -> None:
        """Ring in the user's pages: Asterisk has sent an INVITE with this offer."""
        self.leg = leg
        self.phase = Phase.RUNG
        self.is_caller = False
        leg.ring()
        self._deliver(SignalKind.OFFER, offer)
        self._observer.rings(self)

    def resume(self, leg: SipLeg, *, is_caller: bool) -> None:
        """Go on with a leg that was up before the service was started."""
        self.leg = leg
        self.phase = Phase.UP
        self.is_caller = is_caller

    def hear(self, leg: SipLeg, event: SipEvent) -> None:
        """Take an event of the leg."""
        self.leg = leg
        match event:
            case events.Ringing():
                self._deliver(SignalKind.RINGING, {})
                self._observer.rings(self)
            case events.Progress(sdp):
                self._deliver(SignalKind.PROGRESS, {"type": "answer", "sdp": sdp})
            case events.Answered(sdp):
                self.phase = Phase.UP
                self._deliver(SignalKind.ANSWER, {"type": "answer", "sdp": sdp})
                self._observer.talks(self)
            case events.Offered(sdp):
                self._answer_by = _now() + OFFER_SECONDS
                # It has crossed an offer of the browser's, which that takes back.
                self.candidates.close()
                # Other pages of the user would take it for a call.
                again = {"type": "offer", "sdp": sdp, "renegotiation": True}
                self._deliver(SignalKind.OFFER, again)
            case events.OfferRefused(status, _):
                # What a browser knows as taking its own offer back: the call goes on as it was.
                refused = {"type": "rollback", "sdp": "", "status": status}
                self._deliver(SignalKind.ANSWER, refused)
            case events.Refused(status, _, cause):
                self._finish(of_refusal(status, cause), status, cause)
            case events.Ended(status, cause, _):
                was_up = self.phase is Phase.UP
                self._finish(of_end(status, cause, was_up=was_up), status, cause)

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _must_answer(self) -> bool:
        """Whether an offer of Asterisk's waits for the browser's answer."""
        return _now() < self._answer_by

    def _take(self, prepared: str) -> None:
        self.phase = Phase.UP
        self._agree(prepared)
        self._deliver(SignalKind.HANGUP, Ending(Reason.ANSWERED_ELSEWHERE).payload)
        self._observer.talks(self)

    def _agree(self, prepared: str) -> None:
        self._surely(lambda leg: leg.answer(prepared))

    def _surely(self, ask: Callable[[SipLeg], None]) -> None:
        """Ask something of the leg, for which it may be too late by now: it tells so itself."""
        if self.leg is None:
            return
        try:
            ask(self.leg)
        except SipStateError as error:
            _log.info("leg_not_asked", call=self.call_id, reason=str(error))

    def _own_reason(self) -> Reason:
        match self.phase:
            case Phase.GATHERING | Phase.CALLING:
                return Reason.CANCELLED
            case Phase.RUNG | Phase.ANSWERING:
                return Reason.REFUSED
            case _:
                return Reason.ENDED

    def _finish(self, reason: Reason, status: int | None = None, cause: int | None = None) -> None:
        if self.phase is Phase.OVER:
            return
        ending = Ending(
            self._why or reason,
            status,
            cause,
            was_up=self.phase is Phase.UP,
            by_user=self._by_user,
            is_caller=self.is_caller,
        )
        self.phase = Phase.OVER
        self.candidates.close()
        self._deliver(SignalKind.HANGUP, ending.payload)
        self._observer.ends(self, ending)

    def _deliver(self, kind: SignalKind, payload: Mapping[str, Any]) -> None:
        self._mail.deliver(
            self.call_id, from_user=ASTERISK, to_user=self.user, kind=kind, payload=payload
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
