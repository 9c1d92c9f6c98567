"""Offers and answers within a dialog, ours and those of the far end (RFC 3264, RFC 3261, 14).

The laws:

1. One offer is under way. Ours waits while theirs does; theirs meets 491 while ours is under way,
   and 500 while an earlier one of theirs is.
2. An offer that changes nothing, or none at all, is answered with what we said last, at once.
3. Of our offers that have to wait only the last is made. One that crossed another (491) is made
   again after a while.
4. What was not agreed changes nothing: the session is as both sides said last.
"""

import random
from collections.abc import Callable

from fastagi_server.sip.acceptance import Acceptance
from fastagi_server.sip.desk import Asked, Desk
from fastagi_server.sip.dialogs import Dialog
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import Answered, Offered, OfferRefused
from fastagi_server.sip.headers import Field
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.refreshing import GONE, TOO_SHORT, Refreshing
from fastagi_server.sip.replies import Envelope, sdp_of
from fastagi_server.sip.session_timer import Terms, grant, granted, is_too_short
from fastagi_server.sip.transactions import Kind, ServerTransaction, kind_of

OFFER_SECONDS = 20.0
"""For the owner to answer an offer of the far end, which waits 32 s."""

GLARE_SECONDS = {True: (2.1, 4.0), False: (0.0, 2.0)}
"""Between an offer that crossed another and its next try, for the caller and for the called."""

RETRY_SECONDS = 5
"""What is said to a far end that offers while an offer of its own waits."""

PENDING = 491
TERMINATED = 487

_UNANSWERED = "offered"
_GLARE = "glare"


class Offers:
    """The offers of one dialog.

    `sent` and `heard` are the SDP of both sides as agreed last. `on_gone` hears a status of
    `GONE`, `on_unacknowledged` that no ACK came for our 2xx, `on_acknowledged` that one did.
    """

    def __init__(
        self,
        desk: Desk,
        dialog: Dialog,
        refreshing: Refreshing,
        terms: Terms,
        *,
        sent: str,
        heard: str,
        is_caller: bool,
        on_gone: Callable[[int], None],
        on_acknowledged: Callable[[], None],
        on_unacknowledged: Callable[[], None],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._desk = desk
        self._dialog = dialog
        self._refreshing = refreshing
        self._terms = terms
        self.sent = sent
        self.heard = heard
        self._glare_seconds = GLARE_SECONDS[is_caller]
        self._on_gone = on_gone
        self._on_acknowledged = on_acknowledged
        self._on_unacknowledged = on_unacknowledged
        self._uniform = uniform
        self._wanted: tuple[str, bool] | None = None
        self._offering: Asked | None = None
        self._offered: ServerTransaction | None = None
        self._acceptance: Acceptance | None = None

    @property
    def awaits_ack(self) -> bool:
        """Whether a 2xx of ours is not acknowledged yet."""
        return self._acceptance is not None

    # -- ours --

    def offer(self, sdp: str) -> None:
        """Offer a new session; the answer is `Answered` or `OfferRefused`."""
        self._wanted = sdp, False
        self._offer_next()

    def repeat(self) -> None:
        """Offer what is agreed already; nobody hears of it."""
        if self._wanted is None:
            self._wanted = self.sent, True
        self._offer_next()

    def _offer_next(self) -> None:
        is_free = not (self._offering or self._offered or self._acceptance)
        is_held_back = self._desk.timers.is_running(_GLARE) or self._desk.has_ended
        if self._wanted is None or is_held_back or not is_free:
            return
        (sdp, is_repeated), self._wanted = self._wanted, None
        request = self._dialog.request("INVITE", *self._refreshing.fields(), sdp=sdp)

        def hear(response: Response) -> None:
            self._hear(asked, response, sdp, is_repeated=is_repeated)

        asked = self._desk.ask(self._dialog, request, hear)
        self._offering = asked

    def _hear(self, asked: Asked, response: Response, sdp: str, *, is_repeated: bool) -> None:
        kind = kind_of(response.status)
        if kind is Kind.SUCCESS:
            self._desk.say(self._dialog.ack(asked.request))
        if kind is Kind.PROVISIONAL or asked is not self._offering:
            return
        self._offering = None
        if kind is Kind.SUCCESS:
            self._take_answer(response, sdp, is_repeated=is_repeated)
        else:
            self._take_refusal(response, sdp, is_repeated=is_repeated)
        self._offer_next()

    def _take_answer(self, response: Response, sdp: str, *, is_repeated: bool) -> None:
        self._dialog.retarget(response)
        self._refreshing.run(granted(response))
        answer = sdp_of(response)
        if not answer:
            self._desk.tell(OfferRefused(response.status, "the answer has no SDP"))
            return
        self.sent, self.heard = sdp, answer
        if not is_repeated:
            self._desk.tell(Answered(answer))

    def _take_refusal(self, response: Response, sdp: str, *, is_repeated: bool) -> None:
        again = self._wanted or (sdp, is_repeated)
        if response.status == PENDING:
            self._wanted = again
            self._desk.timers.start(_GLARE, self._uniform(*self._glare_seconds), self._offer_next)
        elif response.status == TOO_SHORT and self._refreshing.raised(response):
            self._wanted = again
        elif response.status in GONE:
            self._on_gone(response.status)
        elif not is_repeated:
            self._desk.tell(OfferRefused(response.status, response.reason))

    # -- those of the far end --

    def receive(self, request: Request) -> None:
        """Take an INVITE, or an UPDATE with or without an offer."""
        server = ServerTransaction(request)
        offer = sdp_of(request)
        is_update = request.method == "UPDATE"
        self._dialog.retarget(request)
        if is_too_short(request, self._terms):
            self._respond(server, TOO_SHORT, ("Min-SE", str(self._terms.shortest)))
        elif is_update and not offer:
            self._accept(server, "")
        elif self._offering is not None:
            self._respond(server, PENDING)
        elif self._offered is not None:
            self._respond(server, 500, ("Retry-After", str(RETRY_SECONDS)))
        elif offer in {"", self.heard}:
            self._accept(server, self.sent)
        else:
            self._let_answer(server, offer)

    def _let_answer(self, server: ServerTransaction, offer: str) -> None:
        self._offered = server
        if server.request.method == "INVITE":
            self._respond(server, 100)
        self._desk.timers.start(_UNANSWERED, OFFER_SECONDS, lambda: self.refuse(488))
        self._desk.tell(Offered(offer))

    def answer(self, sdp: str) -> None:
        """Answer the offer of the far end. Raises `SipStateError` when there is none."""
        offered = self._take_offered()
        self.sent, self.heard = sdp, sdp_of(offered.request)
        self._accept(offered, sdp)
        self._offer_next()

    def refuse(self, status: int) -> None:
        """Refuse the offer of the far end; the session stays. Raises `SipStateError`."""
        self._respond(self._take_offered(), status)
        self._offer_next()

    def cancel(self, envelope: Envelope) -> int:
        """Take the far end's CANCEL of its offer; the status that answers it (RFC 3261, 9.2)."""
        if self._offered is not None and _is_of(self._offered.request, envelope):
            self.refuse(TERMINATED)
            return 200
        return 200 if self._acceptance and _is_of(self._acceptance.request, envelope) else 481

    def _take_offered(self) -> ServerTransaction:
        offered, self._offered = self._offered, None
        if offered is None:
            raise SipStateError("there is no offer to be answered")
        self._desk.timers.stop(_UNANSWERED)
        return offered

    def _accept(self, server: ServerTransaction, sdp: str) -> None:
        timer, fields = grant(server.request)
        self._refreshing.run(timer)
        self.accept(server, *fields, *self._dialog.answer_fields(server.request), sdp=sdp)

    def accept(self, server: ServerTransaction, *fields: Field, sdp: str) -> None:
        """Send the 2xx of an INVITE until it is acknowledged, that of an UPDATE once."""
        if server.request.method != "INVITE":
            self._respond(server, 200, *fields, sdp=sdp)
            return
        self._acceptance = Acceptance(self._desk, server, self._lose)
        self._acceptance.say(*fields, tag=self._tag, sdp=sdp)

    def acknowledge(self, number: int) -> None:
        """Take an ACK with this number."""
        if self._acceptance is not None and self._acceptance.acknowledge(number):
            self._acceptance = None
            self._on_acknowledged()
            self._offer_next()

    def _lose(self) -> None:
        self._acceptance = None
        self._on_unacknowledged()

    def drop(self) -> None:
        """Make and answer no more offers."""
        self._wanted = None
        self._desk.timers.stop(_GLARE)
        if self._offered is not None:
            self._respond(self._take_offered(), TERMINATED)

    def _respond(
        self, server: ServerTransaction, status: int, *fields: Field, sdp: str = ""
    ) -> None:
        self._desk.respond(server, status, *fields, tag=self._tag, sdp=sdp)

    @property
    def _tag(self) -> str:
        return self._dialog.local.tag or ""


def _is_of(invite: Request, cancel: Envelope) -> bool:
    """Whether a CANCEL is of the same transaction as an INVITE."""
    return Envelope.of(invite).via.branch == cancel.via.branch
