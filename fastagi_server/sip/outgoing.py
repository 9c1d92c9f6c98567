"""A call of ours until its final response: rung, answered, refused, or taken back.

The laws:

1. The owner hears `Refused`, `Ended` (taken back by us), or `Answered`, and then `Talk` goes on.
2. A CANCEL is sent once, and not before a provisional response (RFC 3261, 9.1).
3. A 2xx is always acknowledged. One that crossed our CANCEL, or came of another branch of the call,
   gets its BYE behind the ACK.
4. A 422 that says how long is long enough is obeyed, once; a challenge is answered, once (`Desk`).
"""

from collections.abc import Callable

from fastagi_server.sip.desk import Asked, Desk, deaf
from fastagi_server.sip.dialogs import Dialog
from fastagi_server.sip.events import Answered, Ended, LegState, Progress, Refused, Ringing
from fastagi_server.sip.headers import Field
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.replies import Envelope, answer_plainly, cause_of, reply, sdp_of
from fastagi_server.sip.session_timer import granted
from fastagi_server.sip.talk import Talk
from fastagi_server.sip.transactions import GIVE_UP_SECONDS, Kind, State, companion, kind_of

_RINGING = "ringing"
_TAKEN_BACK = "taken-back"
_RINGING_STATUS = 180
_TOO_SHORT = 422
_NOBODY = 408
_TERMINATED = 487
_NOT_ACCEPTABLE = 488


class Outgoing:
    """One INVITE of ours; `on_up` is given what goes on when it was answered."""

    def __init__(
        self,
        desk: Desk,
        dialog: Dialog,
        *,
        sdp: str,
        fields: tuple[Field, ...],
        limits: Limits,
        on_up: Callable[[Talk], None],
    ) -> None:
        self._desk = desk
        self._dialog = dialog
        self._sdp = sdp
        self._fields = fields
        self._limits = limits
        self._terms = limits.terms
        self._on_up = on_up
        self._early: dict[str, str] = {}
        self._is_taken_back = False
        self._is_cancelled = False
        self._acks: dict[str, Request] = {}
        self._asked = self._invite()
        desk.timers.start(_RINGING, limits.ringing_seconds, self._ring_out)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of ours waits for the far end any more."""
        return not self._desk.is_waiting

    # -- what the owner wants --

    def hang_up(self, cause: int | None = None) -> None:
        """Take the call back."""
        self._desk.tell(Ended(_TERMINATED, cause, by_far_end=False))
        self._take_back()

    def _ring_out(self) -> None:
        self._desk.tell(Refused(_NOBODY, "nobody answered", None))
        self._take_back()

    def _take_back(self) -> None:
        self._is_taken_back = True
        self._asked.may_retry = False
        self._desk.timers.stop(_RINGING)
        self._desk.timers.start(_TAKEN_BACK, GIVE_UP_SECONDS, self._give_up)
        self._cancel()

    def _cancel(self) -> None:
        transaction = self._asked.transaction
        if self._is_cancelled or transaction.state is not State.PROCEEDING:
            return
        self._is_cancelled = True
        to = transaction.request.headers.get("To") or ""
        cancel = companion(transaction.request, "CANCEL", to)
        self._desk.ask(self._dialog, cancel, deaf)

    def _give_up(self) -> None:
        self._desk.give_up(self._asked)

    # -- the INVITE --

    def _invite(self) -> Asked:
        fields = (*self._terms.fields(), *self._fields)
        request = self._dialog.request("INVITE", *fields, sdp=self._sdp)
        return self._desk.ask(self._dialog, request, self._hear)

    def _hear(self, response: Response) -> None:
        kind = kind_of(response.status)
        if kind is Kind.PROVISIONAL:
            self._hear_provisional(response)
        elif kind is Kind.SUCCESS:
            self._hear_success(response)
        else:
            self._hear_failure(response)

    def _hear_provisional(self, response: Response) -> None:
        if self._is_taken_back:
            self._cancel()
            return
        sdp = sdp_of(response)
        if response.status == _RINGING_STATUS and self._desk.state is LegState.CALLING:
            self._desk.state = LegState.RINGING
            self._desk.tell(Ringing())
        tag = _tag(response)
        if sdp and self._early.get(tag) != sdp:
            self._early = {tag: sdp}
            self._desk.tell(Progress(sdp))

    def _hear_failure(self, response: Response) -> None:
        self._desk.timers.stop(_RINGING, _TAKEN_BACK)
        raised = self._terms.raised(response) if response.status == _TOO_SHORT else None
        if raised is not None and self._terms is self._limits.terms and not self._is_taken_back:
            self._terms = raised
            self._asked = self._invite()
            self._desk.timers.start(_RINGING, self._limits.ringing_seconds, self._ring_out)
            return
        self._desk.tell(Refused(response.status, response.reason, cause_of(response)))

    def _hear_success(self, response: Response) -> None:
        tag = _tag(response)
        if tag in self._acks:
            self._desk.say(self._acks[tag])
            return
        is_wanted = not self._acks and not self._is_taken_back
        dialog = self._dialog.established(response)
        ack = self._acks[tag] = dialog.ack(self._asked.request)
        self._desk.say(ack)
        self._desk.timers.stop(_RINGING, _TAKEN_BACK)
        answer = sdp_of(response) or self._early.get(tag, "")
        if is_wanted and answer:
            self._come_up(dialog, response, answer)
            return
        if is_wanted:
            self._desk.tell(Refused(_NOT_ACCEPTABLE, "the answer has no SDP", None))
        self._desk.ask(dialog, dialog.request("BYE"), deaf)

    def _come_up(self, dialog: Dialog, response: Response, answer: str) -> None:
        talk = Talk(
            self._desk,
            dialog,
            sent=self._sdp,
            heard=answer,
            limits=self._limits,
            is_caller=True,
        )
        self._desk.state = LegState.UP
        talk.refreshing.run(granted(response))
        self._on_up(talk)
        self._desk.tell(Answered(answer))

    # -- what the far end wants before it answered --

    def receive(self, request: Request, envelope: Envelope) -> None:
        """Take a request of an early dialog: there is nothing to be changed or ended in it yet."""
        if envelope.receiver.tag != self._dialog.local.tag or request.method == "BYE":
            self._desk.say(reply(request, 481))
        elif request.method in {"INVITE", "UPDATE"}:
            self._desk.say(reply(request, 491))
        elif request.method != "ACK":
            self._desk.say(answer_plainly(request))

    def lost(self) -> None:
        """The connection is gone, and with it the call: what becomes of it cannot be known."""
        self._desk.fail(503)

    def found(self) -> None:
        """There is a connection again, which is nothing to a call that failed."""


def _tag(response: Response) -> str:
    return Envelope.of(response).receiver.tag or ""
