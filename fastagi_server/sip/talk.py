"""A confirmed dialog: what the far end may ask in it, what we may, and its end.

The laws:

1. The owner hears one end.
2. A BYE is sent once, and not while the ACK of our 200 may still come (RFC 3261, 15); one that a
   lost connection left without an answer is said again over the next.
3. 408 and 481 to any request of ours mean that the far end has no such dialog: it is over.
4. Whoever waits for a refresh that does not come, or cannot get one through, ends the call.
5. A lost connection ends nothing by itself: see `lost`.
"""

from collections.abc import Mapping
from typing import Any, Self

from fastagi_server.sip.desk import Asked, Desk, deaf
from fastagi_server.sip.dialogs import Dialog, Origin
from fastagi_server.sip.events import Ended
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request
from fastagi_server.sip.offers import Offers
from fastagi_server.sip.refreshing import Refreshing
from fastagi_server.sip.replies import Envelope, answer_plainly, cause_of, reason_fields, reply
from fastagi_server.sip.session_timer import SessionTimer
from fastagi_server.sip.transactions import ServerTransaction

_LOST = "lost"
_EXPIRED = 408


class Talk:
    """What goes on in a dialog once the call was answered.

    `sent` and `heard` are the SDP of both sides; `is_caller` says whether we called.
    """

    def __init__(
        self,
        desk: Desk,
        dialog: Dialog,
        *,
        sent: str,
        heard: str,
        limits: Limits,
        is_caller: bool,
    ) -> None:
        self._desk = desk
        self._lost_seconds = limits.lost_seconds
        self._is_caller = is_caller
        self._cause: int | None = None
        self._owes_bye = False
        self._bye: Asked | None = None
        self.dialog = dialog
        self.refreshing = Refreshing(
            desk,
            dialog,
            limits.terms,
            reinvite=self._reinvite,
            on_gone=self._gone,
            on_expired=self._expired,
        )
        self.offers = Offers(
            desk,
            dialog,
            self.refreshing,
            limits.terms,
            sent=sent,
            heard=heard,
            is_caller=is_caller,
            on_gone=self._gone,
            on_acknowledged=self._say_owed_bye,
            on_unacknowledged=self._unacknowledged,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing of ours waits for the far end any more."""
        return not (self.offers.awaits_ack or self._owes_bye or self._desk.is_waiting)

    # -- what the owner wants --

    def hang_up(self, cause: int | None = None) -> None:
        """End the call."""
        self._part(Ended(None, cause, by_far_end=False))

    def _reinvite(self) -> None:
        self.offers.repeat()

    # -- what the far end wants --

    def receive(self, request: Request, envelope: Envelope) -> None:
        """Take a request of the far end."""
        if request.method == "ACK":
            self.offers.acknowledge(envelope.sequence.number)
        elif request.method == "CANCEL":
            self._desk.say(reply(request, self.offers.cancel(envelope)))
        else:
            self._receive_numbered(request, envelope)

    def _receive_numbered(self, request: Request, envelope: Envelope) -> None:
        status = self.dialog.objection(envelope)
        if status is None and self._desk.has_ended and request.method != "BYE":
            status = 481
        if status is not None:
            self._desk.say(reply(request, status))
        elif request.method in {"INVITE", "UPDATE"}:
            self.offers.receive(request)
        elif request.method == "BYE":
            self._receive_bye(request)
        else:
            self._desk.say(answer_plainly(request))

    def _receive_bye(self, request: Request) -> None:
        self._desk.respond(ServerTransaction(request), 200, tag="")
        self._owes_bye = False
        self._finish(Ended(None, cause_of(request), by_far_end=True))

    # -- the connection --

    def lost(self) -> None:
        """The connection is gone: wait for the next one, and end the call when none comes."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.transaction.is_open:
            self._owes_bye = True
        self._desk.fail(503)
        if self._owes_bye or not self._desk.has_ended:
            self._desk.timers.start(_LOST, self._lost_seconds, self._stay_lost)

    def found(self) -> None:
        """There is a connection again: ask whether the far end knows the call, or end it there."""
        self._desk.timers.stop(_LOST)
        if not self._desk.has_ended:
            self.refreshing.ask_whether_there()
        elif not self.offers.awaits_ack:
            self._say_owed_bye()

    # -- the end --

    def _stay_lost(self) -> None:
        self._owes_bye = False
        self._finish(Ended(503, None, by_far_end=True))

    def _gone(self, status: int) -> None:
        self._part(Ended(status, None, by_far_end=True))

    def _expired(self) -> None:
        self._part(Ended(_EXPIRED, None, by_far_end=True))

    def _unacknowledged(self) -> None:
        self._say_owed_bye()
        self._part(Ended(_EXPIRED, None, by_far_end=True))

    def _finish(self, event: Ended) -> None:
        self.refreshing.stop()
        self._desk.timers.stop(_LOST)
        self.offers.drop()
        self._desk.tell(event)

    def _part(self, event: Ended) -> None:
        """End the call with a BYE, now or as soon as it may be sent."""
        if self._desk.has_ended:
            return
        self._finish(event)
        self._cause = event.cause
        self._owes_bye = True
        if not self.offers.awaits_ack:
            self._say_owed_bye()

    def _say_owed_bye(self) -> None:
        if not self._owes_bye:
            return
        self._owes_bye = False
        request = self.dialog.request("BYE", *reason_fields(self._cause))
        self._bye = self._desk.ask(self.dialog, request, deaf)

    # -- over a restart --

    def snapshot(self) -> dict[str, Any]:
        """A JSON object for `restore`."""
        timer = self.refreshing.timer
        return {
            "dialog": self.dialog.snapshot(),
            "sent": self.offers.sent,
            "heard": self.offers.heard,
            "timer": timer.snapshot() if timer else None,
            "is_caller": self._is_caller,
        }

    @classmethod
    def restore(cls, desk: Desk, origin: Origin, limits: Limits, saved: Mapping[str, Any]) -> Self:
        """The talk of a snapshot. Raises `SipError`, `KeyError`, `TypeError`, `ValueError`."""
        talk = cls(
            desk,
            Dialog.restore(origin, saved["dialog"]),
            sent=str(saved["sent"]),
            heard=str(saved["heard"]),
            limits=limits,
            is_caller=bool(saved["is_caller"]),
        )
        talk.refreshing.run(SessionTimer.restore(saved["timer"]))
        return talk
