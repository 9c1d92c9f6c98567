"""The laws of a live call, for reports in any order, repeated and left out."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.calls.legs import (
    CloseBridge,
    Dial,
    Effect,
    HangUp,
    Join,
    Leg,
    LegState,
    Note,
    OpenBridge,
)
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.transitions import Trigger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHANNELS = ("0", "1", "2", "3", "stranger")

Report = tuple[str, str, int]
REPORTED = ("rings", "answers", "gone", "held", "resumed", "ending", "left", "replaced")
ASKED = ("park", "unpark", "transfer", "accept", "arrives", "end", "stock")

reports = st.lists(
    st.tuples(
        st.sampled_from((*REPORTED, *ASKED)),
        st.sampled_from(CHANNELS),
        st.sampled_from((0, 16, 17, 19, 20, 26, 34, 127)),
    ),
    max_size=30,
)


class Pbx:
    """Plays a call and keeps what it ordered; only channels that were dialled can report."""

    def __init__(self, live: LiveCall) -> None:
        self.live = live
        self.ordered: list[Effect] = []
        self.clock = 0
        self.there = {leg.channel_id for leg in live.legs if leg.state is not LegState.WAITING}
        self.hung_up = Counter[str]()
        self.after_end: list[Effect] = []

    def take(self, effects: list[Effect]) -> None:
        """Carry out."""
        for effect in effects:
            if self.ended_notes:
                self.after_end.append(effect)
            self.ordered.append(effect)
            if isinstance(effect, Dial):
                self.there.add(effect.channel_id)
            if isinstance(effect, HangUp):
                assert effect.channel_id in self.there
                self.hung_up[effect.channel_id] += 1

    @property
    def ended_notes(self) -> int:
        """How often the end was noted."""
        notes = (each for each in self.ordered if isinstance(each, Note))
        return sum(note.trigger is Trigger.END for note in notes)

    def report(self, report: Report) -> None:
        """Report something of a channel that is there, or ask for it."""
        what, channel, cause = report
        self.clock += 1
        now = NOON + timedelta(seconds=self.clock)
        if what in ASKED:
            self.take(self.ask(what, channel, now))
        elif channel in self.there:
            self.take(self.tell(what, channel, cause, now))

    def tell(self, what: str, channel: str, cause: int, now: datetime) -> list[Effect]:
        """Report it."""
        live = self.live
        if what == "gone":
            self.there.discard(channel)
            return live.gone(channel, cause, now)
        if what == "ending":
            return live.ending(channel)
        if what == "replaced":
            heir = Leg(f"h{self.clock}", state=LegState.UP)
            self.there.add(heir.channel_id)
            return live.replaced(channel, heir, "9", now)
        effects: list[Effect] = getattr(live, what)(channel, now)
        if what == "left" and live.leg(channel) is None:
            self.there.discard(channel)
        return effects

    def ask(self, what: str, channel: str, now: datetime) -> list[Effect]:
        """Ask for it."""
        live = self.live
        leg = live.leg(channel)
        match what:
            case "park":
                return live.park(leg, now, "alice")
            case "unpark":
                return live.unpark(now, "alice")
            case "transfer":
                new = Leg(f"t{len(live.legs)}", "PJSIP/9")
                return live.transfer(leg, new) if leg is not None else []
            case "accept":
                return live.accept(now, "bob")
            case "arrives":
                browser = Leg(f"b{self.clock}", state=LegState.RINGING)
                self.there.add(browser.channel_id)
                return live.arrives(browser, now, calls=channel == "0")
            case "end":
                return live.end(now, actor="alice")
            case _:
                return live.take_stock(dict.fromkeys(self.there, LegState.UP), now)

    def finish(self) -> None:
        """End the call and let every channel go."""
        now = NOON + timedelta(hours=1)
        self.take(self.live.end(now))
        for channel in sorted(self.there):
            self.take(self.live.gone(channel, 16, now))


def a_call(legs: int, *, arrived: bool, is_conference: bool) -> LiveCall:
    """A call with so many legs."""
    made = [Leg(str(number), f"PJSIP/{number}") for number in range(legs)]
    if arrived:
        made[0] = Leg("0", state=LegState.RINGING)
    return LiveCall("c", made, is_conference=is_conference)


calls = st.builds(a_call, st.integers(1, 4), arrived=st.booleans(), is_conference=st.booleans())


@given(calls, reports)
def test_a_call_ends_once_and_leaves_nothing(live: LiveCall, told: list[Report]) -> None:
    """One note of the end, nothing begun after it, nobody left, and the bridge closed once."""
    pbx = Pbx(live)
    pbx.take(live.begin())
    for report in told:
        pbx.report(report)
    pbx.finish()
    kinds = Counter(type(effect) for effect in pbx.ordered)
    assert pbx.ended_notes == 1
    assert not [each for each in pbx.after_end if isinstance(each, Dial | Join | OpenBridge)]
    assert live.is_over
    assert kinds[OpenBridge] == kinds[CloseBridge]
    assert kinds[OpenBridge] <= 1


@given(
    calls,
    st.lists(
        st.tuples(
            st.sampled_from(("rings", "answers", "gone")), st.sampled_from(CHANNELS), st.just(16)
        ),
        max_size=30,
    ),
)
def test_nobody_is_hung_up_twice(live: LiveCall, told: list[Report]) -> None:
    """Every channel is ordered to end at most once, and dialled at most once."""
    pbx = Pbx(live)
    pbx.take(live.begin())
    for report in told:
        pbx.report(report)
    pbx.finish()
    dialled = Counter(each.channel_id for each in pbx.ordered if isinstance(each, Dial))
    assert all(count == 1 for count in pbx.hung_up.values())
    assert all(count == 1 for count in dialled.values())


@given(calls, reports)
def test_who_is_still_there_after_the_end_was_told_to_go(
    live: LiveCall, told: list[Report]
) -> None:
    """When a call ends, each channel that is still there was hung up."""
    pbx = Pbx(live)
    pbx.take(live.begin())
    for report in told:
        pbx.report(report)
        if live.is_ended:
            there = {leg.channel_id for leg in live.legs if leg.state is not LegState.GONE}
            assert there <= set(pbx.hung_up)
