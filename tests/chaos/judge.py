"""Compares what Asterisk was told with what the API has."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from .story import ACKNOWLEDGED, Record, Story

EVENTS: Final = ("created", "accepted", "ended")
"""Every change of a call, in the one order in which they may come."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A law that was broken, in words, for one call."""

    unique_id: str
    text: str


def find_faults(stories: Iterable[Story], records: Iterable[Record]) -> list[Fault]:
    """Every fault there is; empty when nothing was lost, doubled or put out of order.

    To be asked when the outbox is empty.
    """
    recorded: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        recorded[record.unique_id].append(record)
    faults: list[Fault] = []
    for story in stories:
        found = recorded.pop(story.unique_id, [])
        faults += [Fault(story.unique_id, text) for text in _faults_of(story, found)]
    faults += [Fault(unique_id, "a call that Asterisk never ran") for unique_id in recorded]
    return faults


def _faults_of(story: Story, found: Sequence[Record]) -> Iterable[str]:
    if len(found) > 1:
        yield f"doubled: {len(found)} calls"
    for verb, answer in story.answers.items():
        overtaken = verb == "accept" and answer == "REFUSED" and story.overtaken
        if answer not in ACKNOWLEDGED and not overtaken:
            yield f"turned away: {verb} was answered {answer}"
    if not found:
        yield from _losses(story)
        return
    record = found[0]
    if story.registered == "REGISTERED" and story.call_id != record.call_id:
        yield f"mistaken: told {story.call_id}, recorded as {record.call_id}"
    accepted = story.accepted in ACKNOWLEDGED and not story.overtaken
    if accepted and "accepted" not in record.events:
        yield f"lost: accept was answered {story.accepted}"
    if story.ended in ACKNOWLEDGED:
        yield from _faults_of_end(story, record)
    if list(record.events) != [event for event in EVENTS if event in record.events]:
        yield f"out of order or repeated: {', '.join(record.events)}"


def _losses(story: Story) -> Iterable[str]:
    for verb, answer in story.answers.items():
        if answer in ACKNOWLEDGED:
            yield f"lost: {verb} was answered {answer}, and there is no such call"


def _faults_of_end(story: Story, record: Record) -> Iterable[str]:
    if record.status != "ended":
        yield f"lost: end was answered {story.ended}, and the call is {record.status}"
    elif record.dial_status != story.dial_status:
        yield f"mistaken: ended as {record.dial_status}, not {story.dial_status}"
