"""The transactions of RFC 3261, 17, over a transport that loses nothing: messages in and out.

The laws:

1. A request has one final response. Behind the 2xx to an INVITE may come the same one again, or
   that of another branch when a proxy sent the INVITE to several; nothing else is heard.
2. Nothing is sent twice to make up for a loss: TCP does that. What is said again is said because
   the peer said its part again.
3. Every final response to an INVITE is acknowledged: other than 2xx by the transaction, with the
   branch of the INVITE; a 2xx by the dialog, with a new one (and so not here).
4. A request without a response for 64*T1 has failed (timers B and F). An INVITE that was answered
   provisionally may take as long as its owner lets it.
5. The 2xx of an INVITE keeps its transaction open for 64*T1, so that it is known again when it is
   repeated (RFC 6026). Timers D, I, J and K are zero over TCP; H is 64*T1.

    client  WAITING -> PROCEEDING -> ACCEPTED | COMPLETED
    server  WAITING -> PROCEEDING -> ACCEPTED | COMPLETED -> CONFIRMED
"""

from enum import Enum, auto

from fastagi_server.sip.fields import CSeq
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.messages import Request, Response

T1_SECONDS = 0.5
T2_SECONDS = 4.0
GIVE_UP_SECONDS = 64 * T1_SECONDS

NEVER = float("inf")

_SUCCESS = 200
_FAILURE = 300
_SAME_FIELDS = frozenset({"from", "call-id", "route", "authorization", "proxy-authorization"})


class State(Enum):
    """How far a transaction is."""

    WAITING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()


class Kind(Enum):
    """What a response means to a transaction."""

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()


class Heard(Enum):
    """What a response is to the owner of a client transaction."""

    NEWS = auto()
    AGAIN = auto()
    NOTHING = auto()


_S, _K = State, Kind
_CLIENT: dict[tuple[State, Kind], tuple[State, Heard]] = {
    (_S.WAITING, _K.PROVISIONAL): (_S.PROCEEDING, Heard.NEWS),
    (_S.WAITING, _K.SUCCESS): (_S.ACCEPTED, Heard.NEWS),
    (_S.WAITING, _K.FAILURE): (_S.COMPLETED, Heard.NEWS),
    (_S.PROCEEDING, _K.PROVISIONAL): (_S.PROCEEDING, Heard.NEWS),
    (_S.PROCEEDING, _K.SUCCESS): (_S.ACCEPTED, Heard.NEWS),
    (_S.PROCEEDING, _K.FAILURE): (_S.COMPLETED, Heard.NEWS),
    (_S.ACCEPTED, _K.SUCCESS): (_S.ACCEPTED, Heard.AGAIN),
}
_SERVER: dict[tuple[State, Kind], State] = {
    (_S.WAITING, _K.PROVISIONAL): _S.PROCEEDING,
    (_S.WAITING, _K.SUCCESS): _S.ACCEPTED,
    (_S.WAITING, _K.FAILURE): _S.COMPLETED,
    (_S.PROCEEDING, _K.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, _K.SUCCESS): _S.ACCEPTED,
    (_S.PROCEEDING, _K.FAILURE): _S.COMPLETED,
}


def kind_of(status: int) -> Kind:
    """What a status means to a transaction."""
    if status < _SUCCESS:
        return Kind.PROVISIONAL
    return Kind.SUCCESS if status < _FAILURE else Kind.FAILURE


def companion(request: Request, method: str, to: str) -> Request:
    """The ACK or CANCEL that belongs to an INVITE's own transaction (RFC 3261, 9.1 and 17.1.1.3).

    Fields of ours (`X-`) go along, because by one of them Asterisk knows us.
    """
    number = CSeq.parse(request.headers.get("CSeq") or "").number
    same = [
        (name, value)
        for name, value in request.headers
        if name.lower() in _SAME_FIELDS or name.lower().startswith("x-")
    ]
    via = request.headers.get("Via") or ""
    own = [("Via", via), ("Max-Forwards", "70"), ("To", to), ("CSeq", f"{number} {method}")]
    return Request(method, request.uri, Headers((*own, *same)))


class ClientTransaction:
    """One request of ours; `deadline` is when it has failed, in seconds of the owner's clock."""

    def __init__(self, request: Request, now: float) -> None:
        self.request = request
        self.state = State.WAITING
        self.deadline = now + GIVE_UP_SECONDS

    @property
    def is_invite(self) -> bool:
        """Whether the request is an INVITE, which alone is acknowledged and may take long."""
        return self.request.method == "INVITE"

    @property
    def is_open(self) -> bool:
        """Whether the final response is yet to come."""
        return self.state in {State.WAITING, State.PROCEEDING}

    def receive(self, response: Response, now: float) -> tuple[Heard, Request | None]:
        """Take a response: what it is to the owner, and the ACK to send if one is due (law 3)."""
        kind = kind_of(response.status)
        state, heard = _CLIENT.get((self.state, kind), (self.state, Heard.NOTHING))
        if heard is Heard.NEWS:
            self._become(state, now)
        if heard is not Heard.NEWS or not self.is_invite or kind is not Kind.FAILURE:
            return heard, None
        return heard, companion(self.request, "ACK", response.headers.get("To") or "")

    def _become(self, state: State, now: float) -> None:
        self.state = state
        if self.is_invite and state is State.PROCEEDING:
            self.deadline = NEVER
        elif self.is_invite and state is State.ACCEPTED:
            self.deadline = now + GIVE_UP_SECONDS
        elif state is not State.PROCEEDING:
            self.deadline = now


class ServerTransaction:
    """One request of the peer's, and what we said to it last.

    `deadline` is when nothing more can come of it: for an INVITE, when its ACK has not come.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state = State.WAITING
        self.last: Response | None = None
        self.deadline = NEVER

    @property
    def is_open(self) -> bool:
        """Whether we owe the final response."""
        return self.state in {State.WAITING, State.PROCEEDING}

    def respond(self, response: Response, now: float) -> bool:
        """Note a response; whether it may be sent, which a second final one may not (law 1)."""
        state = _SERVER.get((self.state, kind_of(response.status)))
        if state is None:
            return False
        self.state, self.last = state, response
        if not self.is_open:
            invited = self.request.method == "INVITE"
            self.deadline = now + GIVE_UP_SECONDS if invited else now
        return True

    def acknowledge(self) -> bool:
        """Take an ACK; whether it is the first."""
        if self.state not in {State.ACCEPTED, State.COMPLETED}:
            return False
        self.state = State.CONFIRMED
        return True
