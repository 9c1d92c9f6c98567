"""The laws of sightings: events in any order, repeated and left out, end in the same record."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.calls import transitions
from fastagi_server.calls.errors import CallEndedError
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import Call, CallStatus, CallType, ChannelName
from fastagi_server.calls.sighting import Place, Report, Seen
from fastagi_server.calls.sightings import SETTLE_TURNS, Sightings
from fastagi_server.calls.transitions import Trigger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALLER = "17.0"
BRIDGE = Place("b", "basic", "simple_bridge")

Event = Callable[[Sightings], list[Report]]

outcomes = st.sampled_from(("BUSY", "NOANSWER", "CHANUNAVAIL", "CANCEL", "ANSWER"))


@dataclass
class Attempt:
    """A phone that is called: whether it rings, what comes of it, how often it holds."""

    rings: bool
    outcome: str
    holds: int


attempts = st.builds(Attempt, st.booleans(), outcomes, st.integers(0, 2))
calls = st.lists(attempts, max_size=3)


class Story:
    """Writes down the events of a call, each a millisecond or more after the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = NOON

    def add(self, event: Callable[[Sightings, datetime], list[Report]]) -> None:
        """The next event."""
        self.now += timedelta(milliseconds=7)
        at = self.now
        self.events.append(lambda sightings: event(sightings, at))


def seen(number: int) -> Seen:
    """The caller, number 0, or a phone that it calls."""
    return Seen(f"17.{number}", CALLER, f"PJSIP/{number}", "1001", "sky-genesis-voip")


def story_of(call: Sequence[Attempt], cause: int) -> list[Event]:
    """What Asterisk says of a call that tries one phone after another until one answers."""
    story, caller = Story(), seen(0)
    story.add(lambda sightings, _: see(sightings, caller))
    for number, attempt in enumerate(call, 1):
        tell_attempt(story, seen(number), attempt)
        if attempt.outcome == "ANSWER":
            break
    story.add(lambda sightings, at: sightings.ends(caller, cause, at))
    return story.events


def tell_attempt(story: Story, phone: Seen, attempt: Attempt) -> None:
    """The part of a story in which one phone is called."""
    caller = seen(0)
    story.add(lambda sightings, _: see(sightings, phone))
    story.add(lambda sightings, _: sightings.dials(caller, phone))
    if attempt.rings:
        story.add(lambda sightings, at: sightings.rings(phone, at))
    story.add(lambda sightings, at: sightings.stops_dialling(caller, phone, attempt.outcome, at))
    if attempt.outcome == "ANSWER":
        story.add(lambda sightings, at: sightings.enters(phone, BRIDGE, at))
        story.add(lambda sightings, at: sightings.enters(caller, BRIDGE, at))
        for _ in range(attempt.holds):
            story.add(lambda sightings, at: sightings.holds(phone, at, is_held=True))
            story.add(lambda sightings, at: sightings.holds(phone, at, is_held=False))
    story.add(lambda sightings, at: sightings.ends(phone, 16, at))


def see(sightings: Sightings, channel: Seen) -> list[Report]:
    """A new channel."""
    sightings.sees(channel)
    return []


@dataclass
class Record:
    """The record of the caller's call, and what it was told."""

    call: Call = field(
        default_factory=lambda: Call(
            id="c",
            caller_id="service",
            participants=("SIP/1001",),
            call_type=CallType.AUDIO,
            status=CallStatus.INITIATING,
            start_time=NOON,
            answered_at=None,
            end_time=None,
            room_id=None,
            metadata={},
            updated_at=NOON,
            channel=ChannelName("pbx1", CALLER),
        )
    )
    told: list[Note] = field(default_factory=list[Note])

    def take(self, reports: list[Report]) -> None:
        """Write reports as the journal does."""
        for report in reports:
            assert report.sighting.unique_id == CALLER
            note = report.note
            self.told.append(note)
            if note.trigger is Trigger.END:
                self.call = transitions.end(self.call, note.facts, now=NOON)
            elif note.trigger is Trigger.ACCEPT:
                with suppress(CallEndedError):
                    self.call = transitions.accept(self.call, answered_at=note.at, now=NOON)
            else:
                self.call = transitions.move(self.call, note.trigger, now=NOON)

    @property
    def outcome(self) -> tuple[object, ...]:
        """All that must not depend on the order of events."""
        call = self.call
        return (
            call.status,
            call.end_time,
            call.hangup_cause,
            call.dial_status,
            call.ring_ms,
            call.answered_ms,
            call.answered_at is not None,
        )


def play(events: Sequence[Event], registered_from: int = 0) -> tuple[Record, Sightings]:
    """Tell events and write what is reported; the call is registered from an event on."""
    record, sightings = Record(), Sightings()
    for number, event in enumerate(events):
        record.take(event(sightings))
        if number >= registered_from:
            answer(sightings, record, [each.unique_id for each in sightings.take_wanted()])
    return record, sightings


def answer(sightings: Sightings, record: Record, wanted: Sequence[str]) -> None:
    """What the records know of channels: one of them is registered."""
    if CALLER in wanted:
        record.take(sightings.claim(CALLER, record.call.id, record.call.status))


def settle(record: Record, sightings: Sightings) -> Record:
    """Look for late registrations, and let time pass."""
    answer(sightings, record, [each.unique_id for each in sightings.unclaimed()])
    for _ in range(2 * SETTLE_TURNS):
        record.take(sightings.turn())
    return record


@given(call=calls, cause=st.sampled_from((0, 16, 17, 19, 34, 127)), data=st.data())
def test_any_order_and_repetition_ends_in_the_same_record(
    call: list[Attempt], cause: int, data: st.DataObject
) -> None:
    """Shuffled, some events twice, registered at any moment: the record is that of the true run."""
    events = story_of(call, cause)
    truth = settle(*play(events))
    extra = data.draw(st.lists(st.sampled_from(events), max_size=4))
    shuffled = data.draw(st.permutations([*events, *extra]))
    registered = data.draw(st.integers(0, len(shuffled)))
    assert settle(*play(shuffled, registered)).outcome == truth.outcome


@given(call=calls, data=st.data())
def test_what_is_left_out_is_found_by_the_next_look(
    call: list[Attempt], data: st.DataObject
) -> None:
    """Whatever is lost, a call whose channel is gone has ended after the next comparison."""
    events = story_of(call, 16)
    kept = [event for event in events if data.draw(st.booleans())]
    record, sightings = play(kept)
    sightings.sees(seen(0))
    record.take(sightings.claim(CALLER, record.call.id, record.call.status))
    record.take(sightings.compare((), NOON + timedelta(hours=1), is_certain=True))
    assert settle(record, sightings).call.status == "ended"


@given(call=calls, data=st.data())
def test_the_end_of_a_call_is_told_first_and_forwards(
    call: list[Attempt], data: st.DataObject
) -> None:
    """Reports never go back: after an end comes nothing but the rest of its story, once."""
    events = data.draw(st.permutations(story_of(call, 16)))
    told = [note.trigger for note in settle(*play(events)).told]
    first_end = told.index(Trigger.END)
    assert told[first_end:] == [Trigger.END, Trigger.END]
    assert told[:first_end].count(Trigger.ACCEPT) <= 1
    assert told[:first_end].count(Trigger.RING) <= 1


@given(call=calls, data=st.data())
def test_nothing_is_reported_of_a_call_that_nobody_registered(
    call: list[Attempt], data: st.DataObject
) -> None:
    """Without a record there are no reports, whatever happens."""
    events = data.draw(st.permutations(story_of(call, 16)))
    record, sightings = play(events, registered_from=len(events))
    for _ in range(10):
        record.take(sightings.turn())
    assert record.told == []


@given(call=st.lists(attempts, min_size=1, max_size=3), limit=st.integers(2, 6))
def test_no_more_is_remembered_than_was_agreed(call: list[Attempt], limit: int) -> None:
    """However many channels come, so many are kept, and each one too many is counted."""
    sightings = Sightings(max_channels=limit)
    for number in range(20):
        for event in story_of(call, 16):
            event(sightings)
        sightings.sees(Seen(f"18.{number}", f"18.{number}"))
        assert len(sightings.unclaimed()) <= limit
    assert sightings.drops >= 20 - limit
