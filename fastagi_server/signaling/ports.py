"""What this topic needs from the outside."""

from contextlib import AbstractContextManager
from typing import Protocol

from fastagi_server.calls.models import Call
from fastagi_server.signaling.models import SignalMessage


class Calls(Protocol):
    """The records of calls; `calls.ports.CallReader` is one."""

    async def get(self, call_id: str) -> Call | None:
        """The call with this id, if there is one."""
        ...


class Gateway(Protocol):
    """Makes what browsers send into calls of the PBX."""

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """Take a message of this user that is for Asterisk; the call has not ended.

        Only what must be known for the answer to the sender is waited for; whatever comes of the
        message comes as messages. Raises SignalingError.
        """
        ...


class Push(Protocol):
    """Tells users at once what their mailbox got."""

    def push(self, user: str, message: SignalMessage) -> None:
        """Send the message to every socket that the user has open; never waits, never raises."""
        ...


class Attendance(Protocol):
    """Knows who can be told something at this moment."""

    def polling(self, user: str) -> AbstractContextManager[None]:
        """Count the user as present while the context lasts: he waits for messages."""
        ...
