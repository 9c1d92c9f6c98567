"""What this topic needs from the outside; the store and the PBX's wire provide it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastagi_server.calls.commands import Command
from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent

Decision = Callable[[Call], tuple[Call, CallEvent] | None]
"""Looks at a call as it is now and says what it becomes, with the event to log; None to leave it.
Refuses by raising. It may be run again on a newer state, so it must be pure."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's name for one request: whose it is, and what the request meant."""

    identity: str
    key: str
    fingerprint: bytes


class CallReader(Protocol):
    """Reads the records of calls."""

    async def get(self, call_id: str) -> Call | None:
        """The call with this id, if there is one."""
        ...

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; of one party, or of all."""
        ...

    async def page(self, query: CallQuery, after: Cursor | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls of a list, newest first, from behind `after` on.

        A page that is full may have another one, behind its last call.
        """
        ...

    async def events(self, call_id: str) -> Sequence[CallEvent]:
        """The log of a call, oldest first; empty when there is no such call."""
        ...


class CallWriter(Protocol):
    """Changes the records of calls; each method is one transaction."""

    async def create(
        self,
        call: Call,
        event: CallEvent,
        key: IdempotencyKey | None,
        limit: int | None = None,
        aliases: Collection[str] = (),
    ) -> tuple[Call, bool]:
        """Record a new call, or find the one that this is a repetition of.

        A repetition has the same key, or the same channel. Returns the recorded call and whether
        it is new. `aliases` are further names that the call is found by as a party's, such as
        the users behind the participants' dial strings. Raises KeyReusedError, and
        ConcurrencyExceededError for a new call whose caller has `limit` active calls already that
        he created (None for no limit), which holds for creations at the same moment too.
        """
        ...

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        """Apply a decision to the present state and log it, if it changes anything.

        Returns the call as it is now and the event that was logged. Raises CallNotFoundError.
        """
        ...

    async def discard(self, call_id: str) -> None:
        """Forget a call that never was, with its log and its key."""
        ...


class CallRecords(CallReader, CallWriter, Protocol):
    """Both halves."""


class CallControl(Protocol):
    """Makes the PBX do what is asked about calls. Every method may raise PbxError."""

    async def originate(self, call: Call, recorded: Awaitable[object]) -> None:
        """Ring the participants once `recorded` is there; what can be done before that is.

        After an error, also of `recorded`, nothing of the call is left in the PBX.
        """
        ...

    async def accept(self, call: Call, actor: str) -> bool:
        """Answer a caller whom the PBX keeps ringing; False when there is none to answer.

        The record is written when it returns True. Raises CallStateError where the call rings in
        a page of the actor and must be answered there.
        """
        ...

    async def hang_up(self, call: Call, actor: str) -> bool:
        """End all channels of a call; False when the PBX does not lead this call.

        The record is written when it returns True.
        """
        ...

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """Do something with a call that is under way; `own` are the actor's participants in it.

        Raises CallStateError when the call is not connected or the participant has no channel.
        """
        ...
