"""The laws of a leg, for two ends that do what they like over a wire that is slow and breaks."""

from collections import Counter, deque

from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.sip.addresses import Uri
from fastagi_server.sip.beginnings import Ground, called, calling
from fastagi_server.sip.dialogs import Origin
from fastagi_server.sip.errors import SipStateError
from fastagi_server.sip.events import Ended, LegState, Refused, SipEvent
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Message, Request, Response, parse_message
from fastagi_server.sip.replies import Envelope, reply
from fastagi_server.sip.session_timer import Terms

LIMITS = Limits(ringing_seconds=60, terms=Terms(interval=90, shortest=90))
STATUSES = (100, 180, 183, 200, 302, 401, 408, 422, 481, 486, 491, 500)

CALLER, CALLEE = 0, 1


class End:
    """One leg of two, what it said and was told, and the wire behind it."""

    def __init__(self, world: "World", port: int) -> None:
        self.world = world
        self.leg: SipLeg | None = None
        self.wire: deque[Message] = deque()
        self.said: list[Message] = []
        self.told: list[SipEvent] = []
        self.acknowledged: set[int] = set()
        self.finals: set[int] = set()
        self.accepted: dict[int, float] = {}
        self.ground = Ground(Origin("127.0.0.1", port), lambda: world.now, LIMITS, None, self.flush)

    def flush(self, leg: SipLeg) -> None:
        """Put onto the wire what the leg says, and check it against the laws."""
        for item in leg.take():
            if isinstance(item, (Request, Response)):
                self._check(item)
                self.said.append(item)
                self.wire.append(parse_message(item.serialize()))
            else:
                self.told.append(item)

    def _check(self, message: Message) -> None:
        """No BYE before the ACKs: ours of their 2xx, and theirs of ours, or 32 s without it."""
        envelope = Envelope.of(message)
        if isinstance(message, Response):
            if envelope.sequence.method == "INVITE" and message.status == 200:
                self.accepted.setdefault(envelope.sequence.number, self.world.now)
            return
        if message.method == "BYE" and self is self.world.ends[CALLER]:
            assert any(isinstance(one, Request) and one.method == "ACK" for one in self.said)
        if message.method == "BYE":
            for number, at in self.accepted.items():
                assert number in self.acknowledged or self.world.now >= at + 32

    def take(self, message: Message) -> None:
        """Give the leg a message of the far end's."""
        envelope = Envelope.of(message)
        if isinstance(message, Request) and message.method == "ACK":
            self.acknowledged.add(envelope.sequence.number)
        if isinstance(message, Response):
            self._take_response(message, envelope)
        elif self.leg is None or self.leg.id != envelope.call_id:
            self._begin(message, envelope)
        else:
            self.leg.receive_request(message, envelope)
            self.flush(self.leg)

    def _take_response(self, response: Response, envelope: Envelope) -> None:
        if self.leg is None:
            return
        known = self.leg.receive_response(response, envelope)
        if known and response.status >= 200 and envelope.sequence.method == "INVITE":
            self.finals.add(envelope.sequence.number)
        self.flush(self.leg)

    def _begin(self, request: Request, envelope: Envelope) -> None:
        if request.method == "INVITE" and envelope.receiver.tag is None and self.leg is None:
            call = called(self.ground, invite=request, envelope=envelope)
            assert not isinstance(call, Response)
            self.leg = call[0]
            self.flush(self.leg)
        elif request.method != "ACK":
            self.wire.append(reply(request, 481, tag="stranger"))


class World:
    """Both ends, the wires between them, and the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ends = (End(self, 5070), End(self, 5060))
        caller = self.ends[CALLER]
        caller.leg = calling(
            caller.ground,
            uri=Uri("1001", "127.0.0.1", 5060),
            user="alice",
            display_name="",
            session="",
            sdp="v=0 0\r\n",
            fields=(),
            on_event=lambda _leg, _event: None,
        )
        caller.flush(caller.leg)
        self.offers = 0

    def deliver(self, side: int) -> None:
        """Take the next message off a side's wire."""
        wire = self.ends[side].wire
        if wire:
            self.ends[1 - side].take(wire.popleft())

    def repeat(self, side: int) -> None:
        """The wire says the next message twice."""
        wire = self.ends[side].wire
        if wire:
            wire.appendleft(wire[0])

    def cut(self, side: int) -> None:
        """Lose what is on the wires, and tell an end; it may come back later."""
        for end in self.ends:
            end.wire.clear()
        leg = self.ends[side].leg
        if leg is not None:
            leg.lose()
            self.ends[side].flush(leg)

    def find(self, side: int) -> None:
        """Tell an end that there is a wire again."""
        leg = self.ends[side].leg
        if leg is not None:
            leg.find()
            self.ends[side].flush(leg)

    def invent(self, side: int, status: int) -> None:
        """Answer the last request of a side as nobody did."""
        end = self.ends[side]
        requests = [one for one in end.said if isinstance(one, Request) and one.method != "ACK"]
        if requests:
            extra = ("Contact", "<sip:127.0.0.1:5060>"), ("Content-Type", "application/sdp")
            end.take(reply(requests[-1], status, *extra, tag="t", body=b"v=0 t\r\n"))

    def stray(self, side: int) -> None:
        """Send a side a BYE of a dialog that it does not have."""
        leg = self.ends[side].leg
        fields = [
            ("Via", "SIP/2.0/TCP x;branch=z9hG4bKstray"),
            ("From", "<sip:x@x>;tag=x"),
            ("To", "<sip:y@y>;tag=y"),
            ("Call-ID", leg.id if leg else "x"),
            ("CSeq", "1000 BYE"),
        ]
        self.ends[side].take(Request("BYE", "sip:y@y", Headers(fields)))

    def want(self, side: int, what: int) -> None:
        """Ask a leg for something, possible or not."""
        end = self.ends[side]
        leg = end.leg
        if leg is None:
            return
        self.offers += 1
        sdp = f"v=0 {self.offers}\r\n"
        wishes = (
            leg.ring,
            lambda: leg.answer(sdp),
            lambda: leg.refuse(486),
            lambda: leg.offer(sdp),
            lambda: leg.hang_up(16),
            leg.snapshot,
        )
        try:
            wishes[what]()
        except SipStateError:
            return

    def wait(self, seconds: float) -> None:
        """Let time go by for both."""
        end_of_time = self.now + seconds
        while True:
            due = min((e.leg.deadline for e in self.ends if e.leg), default=end_of_time)
            if due > end_of_time:
                break
            self.now = max(self.now, due)
            for end in self.ends:
                if end.leg is not None and end.leg.deadline <= self.now:
                    end.leg.wake()
                    end.flush(end.leg)
        self.now = end_of_time

    def check(self) -> None:
        """What holds at every moment."""
        for end in self.ends:
            ends = [event for event in end.told if isinstance(event, (Refused, Ended))]
            assert len(ends) <= 1
            assert not ends or end.told[-1] is ends[0]
            assert end.leg is None or (end.leg.state is LegState.ENDED) == bool(ends)
            acks = {
                Envelope.of(one).sequence.number
                for one in end.said
                if isinstance(one, Request) and one.method == "ACK"
            }
            assert end.finals <= acks
            byes = Counter(
                Envelope.of(one).receiver.tag
                for one in end.said
                if isinstance(one, Request) and one.method == "BYE"
            )
            assert all(count == 1 for count in byes.values())

    def finish(self) -> None:
        """Hang up, let everything arrive and time pass: nothing must be left."""
        for _ in range(10):
            for side in (CALLER, CALLEE):
                self.find(side)
                self.want(side, 4)
            while any(end.wire for end in self.ends):
                self.deliver(CALLER)
                self.deliver(CALLEE)
            self.wait(70)
        self.check()
        for end in self.ends:
            assert end.leg is None or end.leg.is_over


SIDES = st.integers(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("deliver"), SIDES),
    st.tuples(st.just("deliver"), SIDES),
    st.tuples(st.just("deliver"), SIDES),
    st.tuples(st.just("want"), SIDES, st.integers(0, 5)),
    st.tuples(st.just("want"), SIDES, st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 4.0, 21.0, 33.0, 61.0])),
    st.tuples(st.just("repeat"), SIDES),
    st.tuples(st.just("cut"), SIDES),
    st.tuples(st.just("find"), SIDES),
    st.tuples(st.just("invent"), SIDES, st.sampled_from(STATUSES)),
    st.tuples(st.just("stray"), SIDES),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_the_laws_hold_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """One end each; every final response acknowledged; one BYE, and none too early."""
    world = World()
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
        world.check()
    world.finish()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SIDES, st.sampled_from([0, 1, 3, 3])), max_size=30))
def test_offers_over_a_good_wire_are_all_settled(steps: list[tuple[int, int]]) -> None:
    """Whoever offers and answers when: the call stays up, and both ends agree in the end."""
    world = World()

    def settle() -> None:
        for _ in range(6):
            while any(end.wire for end in world.ends):
                world.deliver(CALLER)
                world.deliver(CALLEE)
            for side in (CALLER, CALLEE):
                world.want(side, 1)
            world.wait(4.1)

    world.deliver(CALLER)
    world.want(CALLEE, 1)
    settle()
    for side, what in steps:
        if what == 3:
            world.want(side, what)
        else:
            world.deliver(side)
    settle()
    world.check()
    caller, callee = (end.leg for end in world.ends)
    assert caller is not None
    assert callee is not None
    ours, theirs = caller.snapshot()["talk"], callee.snapshot()["talk"]
    assert (ours["sent"], ours["heard"]) == (theirs["heard"], theirs["sent"])
