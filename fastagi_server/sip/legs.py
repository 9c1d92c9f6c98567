"""A leg: one call between a browser user and Asterisk, free of I/O.

Messages go in by `receive`, time by `wake`, the owner's will by the other methods; messages and
events come out by `take`. Who speaks next is the business of the phases: `Outgoing` and `Incoming`
until the answer, `Talk` from then on.

    CALLING -> RINGING -> UP -> ENDED        we call
    INVITED -> RINGING -> UP -> ENDED        we are called
"""

from collections.abc import Callable
from typing import Any

from fastagi_server.sip.desk import Desk
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import LegState, SipEvent
from fastagi_server.sip.incoming import Incoming
from fastagi_server.sip.limits import is_too_long
from fastagi_server.sip.messages import Message, Request, Response
from fastagi_server.sip.outgoing import Outgoing
from fastagi_server.sip.replies import Envelope, extension_lacked
from fastagi_server.sip.talk import Talk

NOT_ACCEPTABLE = 488

Phase = Outgoing | Incoming | Talk

OnEvent = Callable[["SipLeg", SipEvent], None]


def _to_nobody(_leg: "SipLeg", _event: SipEvent) -> None:
    """Hears the events of a leg that nobody has taken yet."""


class SipLeg:
    """One leg. `id` is its Call-ID, `user` the browser user, `session` the id of the call.

    The methods that ask for something never wait; on a leg that has ended they do nothing, because
    an end may cross whatever is asked. `on_event` is set by the owner of a leg that we are called
    by, at once. `flush` is called when there is something to `take`.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        call_id: str,
        user: str,
        session: str,
        flush: Callable[["SipLeg"], None],
        on_event: OnEvent = _to_nobody,
    ) -> None:
        self.id = call_id
        self.user = user
        self.session = session
        self.on_event = on_event
        self._desk = desk
        self._flush = flush
        self._phase: Phase | None = None

    def enter(self, phase: Phase) -> None:
        """Go on in this phase."""
        self._phase = phase

    @property
    def phase(self) -> Phase:
        """The phase the leg is in. Raises `SipStateError` before its first."""
        if self._phase is None:
            raise SipStateError("the leg has not begun")
        return self._phase

    @property
    def state(self) -> LegState:
        """How the leg stands."""
        return self._desk.state

    # -- for the owner --

    def ring(self) -> None:
        """Let the caller hear that the user is rung. Raises `SipStateError` on a call of ours."""
        if self._is_open:
            _as_incoming(self.phase).ring()
            self._flush(self)

    def answer(self, sdp: str) -> None:
        """Take the call, or the offer in it. Raises `SipStateError` when nothing was offered.

        A description of more than 48 kB cannot be sent: the call or the offer is refused with 488.
        """
        if is_too_long(sdp):
            self.refuse(NOT_ACCEPTABLE)
        elif self._is_open:
            phase = self.phase
            (phase.offers if isinstance(phase, Talk) else _as_incoming(phase)).answer(sdp)
            self._flush(self)

    def refuse(self, status: int) -> None:
        """Refuse the call (300 to 699), or the offer in it. Raises as `answer` does."""
        if self._is_open:
            phase = self.phase
            (phase.offers if isinstance(phase, Talk) else _as_incoming(phase)).refuse(status)
            self._flush(self)

    def offer(self, sdp: str) -> None:
        """Offer another session. Raises `SipStateError` before the call was answered.

        A description of more than 48 kB is refused with 513.
        """
        if self._is_open:
            _as_talk(self.phase).offers.offer(sdp)
            self._flush(self)

    def hang_up(self, cause: int | None = None) -> None:
        """End the leg, whatever its state; `cause` is a Q.850 number for the far end."""
        if self._is_open:
            self.phase.hang_up(cause)
            self._flush(self)

    def snapshot(self) -> dict[str, Any]:
        """A JSON object for `restored`. Raises `SipStateError` for a leg that is not up."""
        if self.state is not LegState.UP:
            raise SipStateError("only a leg that is up can be kept")
        talk = _as_talk(self.phase).snapshot()
        return {"user": self.user, "session": self.session, "talk": talk}

    @property
    def _is_open(self) -> bool:
        return self.state is not LegState.ENDED

    # -- for whoever carries the messages --

    @property
    def deadline(self) -> float:
        """When to call `wake`, in seconds of the clock; infinite when there is no need to."""
        return self._desk.timers.deadline

    @property
    def is_over(self) -> bool:
        """Whether the leg has ended and nothing more is to be said or heard."""
        return not self._is_open and self.phase.is_idle

    def take(self) -> list[Message | SipEvent]:
        """What came out since the last time, in order."""
        out, self._desk.out = self._desk.out, []
        return out

    def wake(self) -> None:
        """Do what is due."""
        self._desk.timers.wake()

    def receive_request(self, request: Request, envelope: Envelope) -> None:
        """Take a request with our Call-ID."""
        lacked = None
        if request.method not in {"ACK", "CANCEL"}:
            lacked = extension_lacked(request)
        if lacked is not None:
            self._desk.say(lacked)
        else:
            self.phase.receive(request, envelope)

    def receive_response(self, response: Response, envelope: Envelope) -> bool:
        """Take a response with our Call-ID; whether it answers a request of ours."""
        return self._desk.receive(response, envelope)

    def lose(self) -> None:
        """The connection is gone."""
        self.phase.lost()

    def find(self) -> None:
        """There is a connection again."""
        self.phase.found()


def _as_incoming(phase: Phase) -> Incoming:
    if not isinstance(phase, Incoming):
        raise SipStateError("there is no call to be answered")
    return phase


def _as_talk(phase: Phase) -> Talk:
    if not isinstance(phase, Talk):
        raise SipStateError("the call is not answered yet")
    return phase
