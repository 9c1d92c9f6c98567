"""What the gateway needs from the outside."""

from collections.abc import Mapping
from typing import Any, Protocol

from fastagi_server.calls.commands import Command
from fastagi_server.calls.models import Call
from fastagi_server.signaling.models import SignalKind, SignalMessage
from fastagi_server.sip.legs import OnEvent, SipLeg


class Mail(Protocol):
    """The way into users' mailboxes; `signaling.exchange.Exchange` is one."""

    def deliver(
        self, call_id: str, *, from_user: str, to_user: str, kind: SignalKind, payload: Any
    ) -> SignalMessage:
        """Put a message into the mailbox. Never waits."""
        ...

    def admit(self, call_id: str, user: str) -> None:
        """Let a user speak in a call whose leg he is, though no participant names him."""
        ...


class Pages(Protocol):
    """Knows which users have a page open; `presence.book.PresenceBook` is one."""

    def is_reachable(self, user: str) -> bool:
        """Whether the user can be told something now."""
        ...

    def expect(self, user: str) -> None:
        """The user ought to have a page open: he is gone if he does not show up in time."""
        ...


class LedCalls(Protocol):
    """The calls that are led in Asterisk."""

    @property
    def is_linked(self) -> bool:
        """Whether it is known which calls are led: Asterisk was asked, and tells of changes."""
        ...

    def leads_call(self, call_id: str) -> bool:
        """Whether the channels of this call are led here now."""
        ...

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """See calls.ports.CallControl. Raises CallStateError and PbxError."""
        ...


class UserAgent(Protocol):
    """Makes legs in SIP; `sip.agent.SipAgent` is one."""

    @property
    def state(self) -> str:
        """How the connection to Asterisk stands: a word of `supervise`."""
        ...

    def invite(
        self,
        *,
        number: str,
        user: str,
        display_name: str,
        session: str,
        sdp: str,
        on_event: OnEvent,
    ) -> SipLeg:
        """Call a number on behalf of a user. Never waits."""
        ...

    def restore(self, saved: Mapping[str, Any], on_event: OnEvent) -> SipLeg:
        """Go on with the leg of a snapshot. Raises SipError, KeyError, TypeError, ValueError."""
        ...
