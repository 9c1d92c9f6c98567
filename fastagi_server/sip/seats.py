"""The legs of an agent, each with its way to the far end, its alarm, and what waits for a way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from fastagi_server.sip.connection import Connection
from fastagi_server.sip.events import SipEvent
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.messages import Message, Request, Response
from fastagi_server.sip.transactions import NEVER
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

MAX_HELD = 8
"""Messages of one leg that wait for a connection."""


@dataclass(slots=True)
class _Seat:
    """A leg, and the connection of its last request."""

    leg: SipLeg
    way: Connection | None
    alarm: asyncio.TimerHandle | None = None
    alarm_at: float = NEVER
    held: list[Message] = field(default_factory=list[Message])

    def stop_alarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None


class Seats:
    """Sends what the legs say, tells what they tell, and wakes them in time.

    `link` gives the connection that we keep open to the far end, while there is one: requests of
    ours go over it, responses over the connection of their request, and either over the other
    when its own is gone.
    """

    def __init__(self, link: Callable[[], Connection | None], measures: Measures) -> None:
        self._link = link
        self._measures = measures
        self._loop = asyncio.get_running_loop()
        self._seats: dict[str, _Seat] = {}

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def legs(self) -> list[SipLeg]:
        """Every leg about which there is something to say or hear yet."""
        return [seat.leg for seat in self._seats.values()]

    def add(self, leg: SipLeg, way: Connection | None = None) -> None:
        """Carry a leg from now on; `way` is where its first request came from."""
        self._seats[leg.id] = _Seat(leg, way)
        self.flush(leg)

    def find(self, call_id: str, way: Connection | None = None) -> SipLeg | None:
        """The leg with this id; a request of its far end has come by `way`."""
        seat = self._seats.get(call_id)
        if seat is not None and way is not None:
            seat.way = way
        return seat.leg if seat is not None else None

    def flush(self, leg: SipLeg) -> None:
        """Send and tell what the leg has to say, and see when it wants to be woken."""
        seat = self._seats.get(leg.id)
        if seat is None:
            return
        for item in leg.take():
            if isinstance(item, (Request, Response)):
                self._send(seat, item)
            else:
                self._tell(leg, item)
        if leg.is_over:
            del self._seats[leg.id]
            seat.stop_alarm()
        elif leg.deadline != seat.alarm_at:
            self._set_alarm(seat)

    def turn_away(self, leg: SipLeg) -> None:
        """Tell the end of a leg that cannot begin."""
        leg.lose()
        for item in leg.take():
            if not isinstance(item, (Request, Response)):
                self._tell(leg, item)

    def _tell(self, leg: SipLeg, event: SipEvent) -> None:
        """Tell from the loop: an owner is not to be met in the middle of a method of his."""
        self._loop.call_soon(_hand_over, leg, event)

    def _send(self, seat: _Seat, message: Message) -> None:
        ways = [self._link(), seat.way]
        if isinstance(message, Response):
            ways.reverse()
        for way in ways:
            if way is not None and way.is_open:
                way.send(message)
                return
        if len(seat.held) < MAX_HELD:
            seat.held.append(message)
        else:
            self._measures.drops.add("sip_held")

    # -- time --

    def _set_alarm(self, seat: _Seat) -> None:
        seat.stop_alarm()
        seat.alarm_at = seat.leg.deadline
        if seat.alarm_at != NEVER:
            seat.alarm = self._loop.call_at(seat.alarm_at, self._wake, seat)

    def _wake(self, seat: _Seat) -> None:
        seat.alarm_at = NEVER
        seat.leg.wake()
        self.flush(seat.leg)

    # -- the link --

    def connected(self) -> None:
        """There is a link again: say what was held back, and go on."""
        for seat in list(self._seats.values()):
            held, seat.held = seat.held, []
            for message in held:
                self._send(seat, message)
            seat.leg.find()
            self.flush(seat.leg)

    def disconnected(self) -> None:
        """The link is gone."""
        for leg in self.legs:
            leg.lose()
            self.flush(leg)

    def close(self) -> None:
        """Wake nobody any more."""
        for seat in self._seats.values():
            seat.stop_alarm()


def _hand_over(leg: SipLeg, event: SipEvent) -> None:
    try:
        leg.on_event(leg, event)
    except Exception:
        log.exception("sip_event_failed", event_type=type(event).__name__)
