"""Live calls to begin with."""

from datetime import datetime, timedelta

from call_samples import NOON

from fastagi_server.calls.legs import Effect, Leg, LegState, Note
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import EndFacts
from fastagi_server.calls.transitions import Trigger


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def placed(*endpoints: str, is_conference: bool = False) -> LiveCall:
    """A call that the API asked for; its legs are called 0, 1 and so on."""
    legs = [Leg(str(number), endpoint, endpoint) for number, endpoint in enumerate(endpoints)]
    return LiveCall("c", legs, is_conference=is_conference)


def arrived(*endpoints: str) -> LiveCall:
    """A call of a channel that came by itself, as leg 0."""
    legs = [Leg(str(number), endpoint) for number, endpoint in enumerate(endpoints, 1)]
    return LiveCall("c", [Leg("0", state=LegState.RINGING), *legs])


def ended(effects: list[Effect]) -> EndFacts:
    """The facts of the one note of the end among effects."""
    (note,) = (each for each in effects if isinstance(each, Note) and each.trigger == Trigger.END)
    return note.facts


def talking(*, is_conference: bool = False) -> LiveCall:
    """A call of two phones, connected two seconds after noon."""
    live = placed("PJSIP/1", "PJSIP/2", is_conference=is_conference)
    live.begin()
    live.answers("0", at(1))
    live.rings("1", at(1.5))
    live.answers("1", at(2))
    return live
