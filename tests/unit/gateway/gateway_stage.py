"""A gateway among doubles: legs that only note what is asked of them, a mailbox, pages, records."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from fastagi_server.calls.commands import Command
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.models import Call, CallStatus, CallType
from fastagi_server.gateway.clerk import Clerk
from fastagi_server.gateway.gateway import Gateway
from fastagi_server.gateway.register import SessionRegister
from fastagi_server.signaling.dialogs import DialogRecord
from fastagi_server.signaling.models import SignalKind, SignalMessage
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import Ended, Invitation, LegState, Refused, SipEvent
from fastagi_server.sip.legs import OnEvent, SipLeg
from fastagi_server.telemetry.measures import Measures
from tests.unit.calls.memory_records import MemoryRecords

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.7 40000 typ host"
WITHOUT_CANDIDATE = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
    "a=fingerprint:sha-256 5A:5A\r\na=mid:0\r\n"
)
SDP = f"{WITHOUT_CANDIDATE}a={CANDIDATE}\r\n"


class FakeLeg(SipLeg):
    """A leg that notes what is asked of it; `hear` tells its owner an event."""

    def __init__(self, leg_id: str = "leg-1", *, on_event: OnEvent | None = None) -> None:
        self.id = leg_id
        self.asked: list[str] = []
        self.is_asked = asyncio.Event()
        self.is_late = False
        self.now = LegState.CALLING
        if on_event is not None:
            self.on_event = on_event

    @property
    def state(self) -> LegState:
        """How the test wants it to stand."""
        return self.now

    def hear(self, event: SipEvent) -> None:
        """Something happens on the leg."""
        if isinstance(event, (Ended, Refused)):
            self.now = LegState.ENDED
        self.on_event(self, event)

    def ring(self) -> None:
        """See SipLeg."""
        self._note("ring")

    def answer(self, sdp: str) -> None:
        """See SipLeg."""
        self._note(f"answer {_places(sdp)}")
        self.now = LegState.UP

    def refuse(self, status: int) -> None:
        """See SipLeg."""
        self._note(f"refuse {status}")

    def offer(self, sdp: str) -> None:
        """See SipLeg."""
        self._note(f"offer {_places(sdp)}")

    def hang_up(self, cause: int | None = None) -> None:
        """See SipLeg."""
        self._note("hang_up" if cause is None else f"hang_up {cause}")

    def snapshot(self) -> dict[str, Any]:
        """See SipLeg."""
        return {"asked": len(self.asked)}

    def _note(self, what: str) -> None:
        if self.is_late:
            raise SipStateError("too late")
        self.asked.append(what)
        self.is_asked.set()


def _places(sdp: str) -> str:
    """Where media is sent to, by the first medium."""
    (line, *_) = (each for each in sdp.splitlines() if each.startswith("m="))
    return line.split(" ")[1]


class FakeAgent:
    """Makes such legs, and notes whom they call."""

    def __init__(self) -> None:
        self.state = "up"
        self.legs: list[FakeLeg] = []
        self.invited: list[tuple[str, str, str, str]] = []
        self.restored: list[Mapping[str, Any]] = []

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
        """See UserAgent."""
        del session
        self.invited.append((number, user, display_name, _places(sdp)))
        return self._new(on_event)

    def restore(self, saved: Mapping[str, Any], on_event: OnEvent) -> SipLeg:
        """See UserAgent; without "asked" it is no snapshot."""
        self.restored.append(saved)
        _ = saved["asked"]
        leg = self._new(on_event)
        leg.now = LegState.UP
        return leg

    def _new(self, on_event: OnEvent) -> FakeLeg:
        self.legs.append(FakeLeg(f"leg-{len(self.legs) + 1}", on_event=on_event))
        return self.legs[-1]


class FakeMail:
    """Keeps what was delivered: call, addressee, kind and payload."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, Any]] = []
        self.admitted: list[tuple[str, str]] = []

    def deliver(
        self, call_id: str, *, from_user: str, to_user: str, kind: SignalKind, payload: Any
    ) -> SignalMessage:
        """See Mail."""
        self.sent.append((call_id, to_user, kind.value, payload))
        number = len(self.sent)
        return SignalMessage(str(number), call_id, from_user, to_user, kind, payload, number, NOON)

    def admit(self, call_id: str, user: str) -> None:
        """See Mail."""
        self.admitted.append((call_id, user))

    @property
    def kinds(self) -> list[str]:
        """The kinds of all messages, in order."""
        return [kind for _, _, kind, _ in self.sent]

    @property
    def reasons(self) -> list[str]:
        """The reasons of all hang-ups."""
        return [payload["reason"] for _, _, kind, payload in self.sent if kind == "hangup"]


@dataclass
class FakePages:
    """Users with a page open, and who was expected to have one."""

    open: set[str] = field(default_factory=set[str])
    expected: list[str] = field(default_factory=list[str])

    def is_reachable(self, user: str) -> bool:
        """See Pages."""
        return user in self.open

    def expect(self, user: str) -> None:
        """See Pages."""
        self.expected.append(user)


@dataclass
class FakeLed:
    """Calls that are led, and the commands that came for them."""

    calls: set[str] = field(default_factory=set[str])
    is_linked: bool = True
    commands: list[tuple[Command, str, frozenset[str]]] = field(
        default_factory=list[tuple[Command, str, frozenset[str]]]
    )

    def leads_call(self, call_id: str) -> bool:
        """See LedCalls."""
        return call_id in self.calls

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """See LedCalls."""
        del call
        self.commands.append((command, actor, own))


class MemoryDialogs:
    """Dialogs in a dictionary."""

    def __init__(self) -> None:
        self.records: dict[str, DialogRecord] = {}

    async def kept(self) -> Sequence[DialogRecord]:
        """See DialogRecords."""
        return list(self.records.values())

    async def save(self, record: DialogRecord) -> None:
        """See DialogRecords."""
        self.records[record.leg_id] = record

    async def remove(self, leg_id: str) -> None:
        """See DialogRecords."""
        self.records.pop(leg_id, None)


class Stage:
    """A gateway and all its doubles. Its clerk writes when `settle` is awaited."""

    def __init__(self) -> None:
        self.agent, self.mail, self.pages, self.led = (
            FakeAgent(),
            FakeMail(),
            FakePages(),
            FakeLed(),
        )
        self.records, self.dialogs, self.measures = MemoryRecords(), MemoryDialogs(), Measures()
        self.journal = CallJournal(records=self.records, measures=self.measures, now=lambda: NOON)
        self.clerk = Clerk(self.journal, self.dialogs, measures=self.measures)
        self.register = SessionRegister(
            self.clerk, mail=self.mail, pages=self.pages, led=self.led, measures=self.measures
        )
        self.gateway = Gateway(
            self.agent,
            self.register,
            mail=self.mail,
            pages=self.pages,
            led=self.led,
            journal=self.journal,
        )

    def call(
        self,
        *participants: str,
        status: CallStatus = CallStatus.INITIATING,
        caller_leg: str = "webrtc",
    ) -> Call:
        """A call of alice's, recorded."""
        number = len(self.records.calls) + 1
        call = Call(
            id=f"call-{number}",
            caller_id="alice",
            participants=participants or ("SIP/1001",),
            call_type=CallType.AUDIO,
            status=status,
            start_time=NOON,
            answered_at=None,
            end_time=None,
            room_id=None,
            metadata={"caller_leg": caller_leg} if caller_leg else {},
            updated_at=NOON,
        )
        self.records.calls[call.id] = call
        self.records.log[call.id] = []
        return call

    async def send(
        self, call: Call, kind: SignalKind, payload: Any = None, by: str = "alice"
    ) -> None:
        """A browser sends a message to Asterisk."""
        message = SignalMessage("0", call.id, by, "asterisk", kind, payload or {}, 0, NOON)
        await self.gateway.receive(replace(call), by, message)

    async def offer(self, call: Call, sdp: str = SDP, by: str = "alice") -> None:
        """A browser offers."""
        await self.send(call, SignalKind.OFFER, {"type": "offer", "sdp": sdp}, by)

    async def answer(self, call: Call, sdp: str = SDP, by: str = "bob") -> None:
        """A browser answers."""
        await self.send(call, SignalKind.ANSWER, {"type": "answer", "sdp": sdp}, by)

    async def begin(self, *participants: str) -> tuple[Call, FakeLeg]:
        """A call whose INVITE is out."""
        call = self.call(*participants)
        await self.offer(call)
        return call, self.agent.legs[-1]

    async def ring(
        self, session: str, user: str = "bob", *, name: str = "Somebody", sdp: str = SDP
    ) -> FakeLeg:
        """Asterisk calls a user who has a page open."""
        self.pages.open.add(user)
        leg = self.invite(session, user, name=name, sdp=sdp)
        await self.pause()
        return leg

    def invite(self, session: str, user: str, *, name: str = "Somebody", sdp: str = SDP) -> FakeLeg:
        """Asterisk calls a user; nothing that has to wait is done yet."""
        leg = FakeLeg("in")
        leg.now = LegState.INVITED
        self.gateway.invited(leg, Invitation(user, session, "1001", name, sdp))
        return leg

    @staticmethod
    async def pause() -> None:
        """Let everything run that can without waiting."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Write what the clerk has to write."""
        await self.clerk.close()

    def kinds(self, call: Call) -> list[str]:
        """What is logged of a call."""
        return [str(event.kind) for event in self.records.log[call.id]]
