"""What the phases of one leg share: its clock and timers, what it asked, what it has to say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex

from fastagi_server.sip.dialogs import Dialog
from fastagi_server.sip.digest import authorization, best_challenge
from fastagi_server.sip.events import Ended, LegState, Refused, SipEvent
from fastagi_server.sip.headers import Field
from fastagi_server.sip.limits import MAX_SENT_SDP
from fastagi_server.sip.messages import Message, Request, Response
from fastagi_server.sip.replies import Envelope, reply
from fastagi_server.sip.transactions import (
    NEVER,
    ClientTransaction,
    Heard,
    ServerTransaction,
)

_CHALLENGES = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}

TOO_LARGE = 513

Hear = Callable[[Response], None]
"""Takes each response to a request, and each repetition of a 2xx to an INVITE."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What answers a challenge of the far end's."""

    username: str
    password: str = field(repr=False)


class Timers:
    """Named instants of one clock, each with what is to happen then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}

    def start(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Act so many seconds from now, instead of what was to happen by this name."""
        self._due[name] = self._clock() + seconds, action

    def stop(self, *names: str) -> None:
        """Do none of these."""
        for name in names:
            self._due.pop(name, None)

    def is_running(self, name: str) -> bool:
        """Whether something is to happen by this name."""
        return name in self._due

    @property
    def deadline(self) -> float:
        """The next instant; infinite without any."""
        return min((at for at, _ in self._due.values()), default=NEVER)

    def wake(self) -> None:
        """Do what is due, the earliest first."""
        while self.deadline <= self._clock():
            name = min(self._due, key=lambda each: self._due[each][0])
            _, action = self._due.pop(name)
            action()


@dataclass(slots=True)
class Asked:
    """A request under way. A challenge that `may_retry` is answered in a new `transaction`."""

    dialog: Dialog
    transaction: ClientTransaction
    hear: Hear
    may_retry: bool = True

    @property
    def request(self) -> Request:
        """The request as it was sent last."""
        return self.transaction.request


class Desk:
    """The clock, the timers, the requests under way and the outgoing tray of one leg.

    `out` holds messages and events in their order. Behind an event that ends the leg there is
    none, whatever comes: this is where that law is kept.
    """

    def __init__(
        self, clock: Callable[[], float], state: LegState, credentials: Credentials | None = None
    ) -> None:
        self.clock = clock
        self.state = state
        self.timers = Timers(clock)
        self.out: list[Message | SipEvent] = []
        self._credentials = credentials
        self._asked: dict[str, Asked] = {}

    def tell(self, event: SipEvent) -> None:
        """Tell the owner."""
        if self.state is LegState.ENDED:
            return
        if isinstance(event, (Refused, Ended)):
            self.state = LegState.ENDED
        self.out.append(event)

    def say(self, message: Message) -> None:
        """Send a message."""
        self.out.append(message)

    @property
    def has_ended(self) -> bool:
        """Whether the owner was told the end."""
        return self.state is LegState.ENDED

    # -- what the far end asked --

    def respond(
        self,
        server: ServerTransaction,
        status: int,
        *fields: Field,
        tag: str,
        reason: str = "",
        sdp: str = "",
    ) -> None:
        """Answer within a transaction; a second final response is not sent."""
        response = reply(server.request, status, *fields, tag=tag, reason=reason, body=sdp.encode())
        if server.respond(response, self.clock()):
            self.say(response)

    # -- what we asked --

    def ask(self, dialog: Dialog, request: Request, hear: Hear) -> Asked:
        """Send a request; `hear` gets its responses.

        In the place of the far end we say 408 when it does not answer, 503 when it cannot any
        more, and 513 to what is too long to be sent.
        """
        transaction = ClientTransaction(request, self.clock())
        asked = Asked(dialog, transaction, hear, may_retry=request.method != "CANCEL")
        self._send(asked)
        return asked

    def _send(self, asked: Asked) -> None:
        key = _key(Envelope.of(asked.request))
        self._asked[key] = asked
        if len(asked.request.body) > MAX_SENT_SDP:
            self.timers.start(key, 0.0, lambda: self._expire(key, TOO_LARGE))
            return
        self.say(asked.request)
        self._watch(key, asked)

    def _watch(self, key: str, asked: Asked) -> None:
        """Wait for the transaction's deadline, if it has one that is still to come."""
        transaction = asked.transaction
        if transaction.deadline == NEVER:
            self.timers.stop(key)
            return
        seconds = transaction.deadline - self.clock()
        if seconds <= 0 and not transaction.is_open:
            self._forget(key)
            return
        self.timers.start(key, seconds, lambda: self._expire(key))

    def _expire(self, key: str, status: int = 408) -> None:
        asked = self._asked.pop(key)
        if asked.transaction.is_open:
            asked.hear(reply(asked.request, status))

    def _forget(self, key: str) -> None:
        self.timers.stop(key)
        self._asked.pop(key, None)

    def give_up(self, asked: Asked) -> None:
        """Wait no longer for the responses to a request."""
        self._forget(_key(Envelope.of(asked.request)))

    @property
    def is_waiting(self) -> bool:
        """Whether a request of ours has no final response yet."""
        return any(asked.transaction.is_open for asked in self._asked.values())

    def receive(self, response: Response, envelope: Envelope) -> bool:
        """Take a response; whether it belongs to a request of ours."""
        key = _key(envelope)
        asked = self._asked.get(key)
        if asked is None:
            return False
        heard, ack = asked.transaction.receive(response, self.clock())
        if ack is not None:
            self.say(ack)
        if heard is Heard.NOTHING:
            return True
        self._watch(key, asked)
        if not self._retried(asked, response):
            asked.hear(response)
        return True

    def fail(self, status: int) -> None:
        """Answer everything that waits in the place of the far end, which cannot any more."""
        for key, asked in list(self._asked.items()):
            self._forget(key)
            if asked.transaction.is_open:
                asked.hear(reply(asked.request, status))

    def _retried(self, asked: Asked, response: Response) -> bool:
        """Answer a challenge, once for each request; whether that was done."""
        if self._credentials is None or not asked.may_retry or response.status not in _CHALLENGES:
            return False
        asks, answers = _CHALLENGES[response.status]
        challenge = best_challenge(response.headers.get_all(asks))
        if challenge is None:
            return False
        request = asked.request
        value = authorization(
            challenge,
            username=self._credentials.username,
            password=self._credentials.password,
            method=request.method,
            uri=request.uri,
            nc=1,
            cnonce=token_hex(8),
            body=request.body,
        )
        renewed = asked.dialog.renumbered(request, (answers, value))
        asked.may_retry = False
        asked.transaction = ClientTransaction(renewed, self.clock())
        self._send(asked)
        return True


def deaf(_response: Response) -> None:
    """Hears a response that changes nothing."""


def _key(envelope: Envelope) -> str:
    """What the response of a request has in common with it (RFC 3261, 17.1.3)."""
    return f"{envelope.via.branch} {envelope.sequence}"
