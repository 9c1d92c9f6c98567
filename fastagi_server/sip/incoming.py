"""A call of the far end's until we answer it: rung, answered, refused, or taken back.

The laws:

1. The owner hears `Ended` when the call is taken back or nobody answers, and nothing otherwise.
2. The INVITE gets one final response: 200 by `answer`, 487 behind the far end's CANCEL, or the
   status of a refusal. A CANCEL that comes later changes nothing (RFC 3261, 9.2).
"""

from collections.abc import Callable

from fastagi_server.sip.desk import Desk
from fastagi_server.sip.dialogs import Dialog
from fastagi_server.sip.events import Ended, LegState
from fastagi_server.sip.headers import Field
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request
from fastagi_server.sip.replies import Envelope, answer_plainly, cause_of, reply, sdp_of
from fastagi_server.sip.session_timer import grant
from fastagi_server.sip.talk import Talk
from fastagi_server.sip.transactions import GIVE_UP_SECONDS, ServerTransaction, State

NOT_THERE = 480
DECLINED = 603

_RINGING = "ringing"
_TERMINATED = 487


class Incoming:
    """One INVITE of the far end's; `on_up` is given what goes on when we answer it."""

    def __init__(
        self,
        desk: Desk,
        dialog: Dialog,
        invite: Request,
        *,
        limits: Limits,
        on_up: Callable[[Talk], None],
    ) -> None:
        self._desk = desk
        self._dialog = dialog
        self._server = ServerTransaction(invite)
        self._limits = limits
        self._on_up = on_up
        desk.respond(self._server, 100, tag="")
        desk.timers.start(_RINGING, limits.ringing_seconds, self._ring_out)

    @property
    def is_idle(self) -> bool:
        """Whether the far end has nothing more to say to our answer."""
        return self._server.state is not State.COMPLETED

    # -- what the owner wants --

    def ring(self) -> None:
        """Say that the user is being rung."""
        self._desk.state = LegState.RINGING
        self._respond(180, *self._dialog.answer_fields(self._server.request))

    def answer(self, sdp: str) -> None:
        """Take the call."""
        request = self._server.request
        self._desk.timers.stop(_RINGING)
        self._desk.state = LegState.UP
        talk = Talk(
            self._desk,
            self._dialog,
            sent=sdp,
            heard=sdp_of(request),
            limits=self._limits,
            is_caller=False,
        )
        timer, fields = grant(request)
        talk.refreshing.run(timer)
        self._on_up(talk)
        talk.offers.accept(self._server, *fields, *self._dialog.answer_fields(request), sdp=sdp)

    def refuse(self, status: int) -> None:
        """Refuse the call with a status of 300 to 699."""
        self._finish(status, None, by_far_end=False)

    def hang_up(self, cause: int | None = None) -> None:
        """Decline the call."""
        self._finish(DECLINED, cause, by_far_end=False)

    # -- what the far end wants --

    def receive(self, request: Request, envelope: Envelope) -> None:
        """Take a request of the call that is not answered yet."""
        if request.method == "ACK":
            self._receive_ack()
        elif envelope.via.branch == self._branch and request.method == "INVITE":
            self._repeat()
        elif envelope.via.branch == self._branch and request.method == "CANCEL":
            self._receive_cancel(request)
        elif envelope.receiver.tag is None:
            self._desk.say(reply(request, 482 if request.method == "INVITE" else 481))
        elif (status := self._dialog.objection(envelope)) is not None:
            self._desk.say(reply(request, status))
        elif request.method == "BYE":
            self._desk.say(reply(request, 200))
            self._finish(_TERMINATED, cause_of(request), by_far_end=True)
        elif request.method in {"INVITE", "UPDATE"}:
            self._desk.say(reply(request, 500, ("Retry-After", "5")))
        else:
            self._desk.say(answer_plainly(request))

    def _repeat(self) -> None:
        if self._server.last is not None:
            self._desk.say(self._server.last)

    def _receive_cancel(self, request: Request) -> None:
        self._desk.say(reply(request, 200, tag=self._tag))
        self._finish(_TERMINATED, cause_of(request), by_far_end=True)

    def _receive_ack(self) -> None:
        self._server.acknowledge()
        self._desk.timers.stop(_RINGING)

    # -- the connection and the end --

    def lost(self) -> None:
        """The connection is gone: the answer goes over the next one."""

    def found(self) -> None:
        """There is a connection again."""

    def _ring_out(self) -> None:
        self._finish(NOT_THERE, None, by_far_end=False)

    def _finish(self, status: int, cause: int | None, *, by_far_end: bool) -> None:
        self._respond(status)
        # Without its ACK the transaction is over after a while all the same.
        self._desk.timers.start(_RINGING, GIVE_UP_SECONDS, self._receive_ack)
        self._desk.tell(Ended(status, cause, by_far_end=by_far_end))

    def _respond(self, status: int, *fields: Field) -> None:
        self._desk.respond(self._server, status, *fields, tag=self._tag)

    @property
    def _branch(self) -> str | None:
        return Envelope.of(self._server.request).via.branch

    @property
    def _tag(self) -> str:
        return self._dialog.local.tag or ""
