"""The 2xx to an INVITE, said until the far end acknowledges it (RFC 3261, 13.3.1.4)."""

from collections.abc import Callable

from fastagi_server.sip.desk import Desk
from fastagi_server.sip.headers import Field
from fastagi_server.sip.messages import Request
from fastagi_server.sip.replies import Envelope
from fastagi_server.sip.transactions import (
    GIVE_UP_SECONDS,
    T1_SECONDS,
    T2_SECONDS,
    ServerTransaction,
)

_AGAIN = "accepted-again"
_LOST = "accepted-lost"


class Acceptance:
    """Says a 2xx at once and again after 0.5, 1, 2, 4, 4... s, for 32 s at most.

    TCP loses nothing, but a proxy in between may: the law holds for every transport. `on_lost`
    is called when no ACK came; the dialog is confirmed all the same, and to be ended by BYE.
    """

    def __init__(self, desk: Desk, invite: ServerTransaction, on_lost: Callable[[], None]) -> None:
        self._desk = desk
        self._invite = invite
        self._on_lost = on_lost
        self._pause = T1_SECONDS

    def say(self, *fields: Field, tag: str, sdp: str) -> None:
        """Send the response."""
        self._desk.respond(self._invite, 200, *fields, tag=tag, sdp=sdp)
        self._desk.timers.start(_LOST, GIVE_UP_SECONDS, self._lose)
        self._wait()

    def acknowledge(self, number: int) -> bool:
        """Take an ACK with this number; whether it is the one that was waited for."""
        if number != Envelope.of(self.request).sequence.number or not self._invite.acknowledge():
            return False
        self._desk.timers.stop(_AGAIN, _LOST)
        return True

    @property
    def request(self) -> Request:
        """The INVITE."""
        return self._invite.request

    def _wait(self) -> None:
        self._desk.timers.start(_AGAIN, self._pause, self._repeat)
        self._pause = min(2 * self._pause, T2_SECONDS)

    def _repeat(self) -> None:
        if self._invite.last is not None:
            self._desk.say(self._invite.last)
        self._wait()

    def _lose(self) -> None:
        self._desk.timers.stop(_AGAIN)
        self._on_lost()
