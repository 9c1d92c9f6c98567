"""Tells users over their event sockets of what the HTTP interface tells too, in the same words."""

from fastagi_server.api.bodies import call_body
from fastagi_server.api.signaling_bodies import signaling_body
from fastagi_server.calls.models import Call
from fastagi_server.presence.book import PresenceBook
from fastagi_server.presence.frames import Frame
from fastagi_server.signaling.models import SignalMessage
from fastagi_server.telemetry.measures import Measures


class SocketPush:
    """Implements `signaling.ports.Push` and `presence.feed.CallNews`."""

    def __init__(self, book: PresenceBook, measures: Measures) -> None:
        self._book = book
        self._measures = measures

    def push(self, user: str, message: SignalMessage) -> None:
        """Send `{"type": "Signaling", ...}` with the fields of the message."""
        self._send(user, Frame("Signaling", signaling_body(message)))

    def tell_call(self, user: str, call: Call) -> None:
        """Send `{"type": "Call", "call": {...}}`."""
        self._send(user, Frame("Call", {"call": call_body(call)}))

    def _send(self, user: str, frame: Frame) -> None:
        if not self._book.has_sockets(user):
            return
        try:
            self._book.tell(user, frame)
        except TypeError:  # what a client sent is JSON to Python, but not to others
            self._measures.drops.add("socket_frame")
