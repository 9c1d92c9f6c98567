"""An exchange with its neighbours: calls in a dictionary, a gateway and sockets that take notes."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from fastagi_server.calls.models import Call, CallStatus, CallType
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.signaling.errors import SignalingError
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.mailbox import Mailboxes
from fastagi_server.signaling.models import SignalMessage
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOB = Identity("bob", frozenset({Scope.CALLS}))
EVE = Identity("eve", frozenset({Scope.CALLS}))
OPERATOR = Identity("operator", frozenset({Scope.OPERATOR}))
NOBODY = Identity("nobody", frozenset())

CALL = "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11"

SDP = (
    "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
    "a=fingerprint:sha-256 "
    "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:"
    "DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n"
)
OFFER = {"type": "offer", "sdp": SDP}
ANSWER = {"type": "answer", "sdp": SDP}
CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0"


def a_call(*participants: str, status: CallStatus = CallStatus.INITIATING) -> Call:
    """A call that alice makes to these participants."""
    return Call(
        id=CALL,
        caller_id="alice",
        participants=participants,
        call_type=CallType.VIDEO,
        status=status,
        start_time=NOON,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={},
        updated_at=NOON,
    )


class NotingGateway:
    """Takes every message, or refuses it with `refusal`."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, str]] = []
        self.refusal: SignalingError | None = None

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Gateway."""
        if self.refusal is not None:
            raise self.refusal
        self.received.append((call.id, user, message.kind))


class NotingSockets:
    """Notes what is pushed to whom, and who is waiting."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str]] = []
        self.waiting: list[str] = []
        self._news = asyncio.Event()

    def push(self, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Push."""
        self.pushed.append((user, message.kind))

    @contextmanager
    def polling(self, user: str) -> Generator[None]:
        """See signaling.ports.Attendance."""
        self.waiting.append(user)
        self._news.set()
        try:
            yield
        finally:
            self.waiting.remove(user)

    async def crowd(self, number: int = 1) -> None:
        """Wait until so many wait."""
        while len(self.waiting) < number:
            self._news.clear()
            await self._news.wait()


class ExchangeStage:
    """An exchange in which alice calls; numbers begin with 1."""

    def __init__(self, *participants: str, extensions: dict[str, str] | None = None) -> None:
        self.calls: dict[str, Call] = {CALL: a_call(*participants)}
        self.measures = Measures()
        self.sockets = NotingSockets()
        self.gateway = NotingGateway()
        self.time = 0.0
        self.exchange = Exchange(
            calls=self,
            directory=ExtensionTable(extensions or {}),
            measures=self.measures,
            push=self.sockets,
            attendance=self.sockets,
            mailboxes=Mailboxes(measures=self.measures, clock=lambda: self.time),
            now=lambda: NOON,
            first_number=1,
        )
        self.exchange.gateway = self.gateway

    async def get(self, call_id: str) -> Call | None:
        """See signaling.ports.Calls."""
        return self.calls.get(call_id)

    def end_call(self) -> None:
        """Let the record of the call say that it has ended."""
        self.calls[CALL] = replace(self.calls[CALL], status=CallStatus.ENDED)

    async def read_kinds(self, by: Identity, *, after: int = 0, wait: float = 0) -> list[str]:
        """The kinds of what somebody reads."""
        messages = await self.exchange.read(CALL, by, after=after, wait_seconds=wait)
        return [message.kind.value for message in messages]
