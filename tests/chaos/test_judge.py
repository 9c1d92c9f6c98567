"""The judge of the chaos runs sees every loss and every double."""

from dataclasses import replace

import pytest

from .judge import find_faults
from .story import Record, Story

STORY = Story(
    "17.1",
    registered="REGISTERED",
    call_id="c1",
    accepted="REGISTERED",
    ended="QUEUED",
    dial_status="ANSWER",
)
RECORD = Record("c1", "17.1", "ended", "ANSWER", ("created", "accepted", "ended"))
OPEN = Record("c1", "17.1", "connected", "", ("created", "accepted"))


def texts(story: Story, *records: Record) -> list[str]:
    """The faults of one call, in words."""
    return [fault.text for fault in find_faults([story], records)]


def test_a_call_that_is_there_as_told_has_no_fault() -> None:
    """Registered, accepted and ended, and recorded so."""
    assert texts(STORY, RECORD) == []


@pytest.mark.parametrize(
    "found", [(), (replace(RECORD, events=("created",), status="initiating"),)]
)
def test_a_call_nobody_was_told_about_may_be_there_or_not(found: tuple[Record, ...]) -> None:
    """A server that died before it answered has promised nothing."""
    assert texts(Story("17.1", registered="", ended=""), *found) == []


@pytest.mark.parametrize("answer", ["REGISTERED", "QUEUED"])
def test_an_acknowledged_call_that_is_missing_is_lost(answer: str) -> None:
    """The promise of each answer is the same."""
    expected = [f"lost: register was answered {answer}, and there is no such call"]
    assert texts(Story("17.1", registered=answer, call_id="c1")) == expected


def test_an_acknowledged_end_of_a_missing_call_is_a_loss() -> None:
    """Whoever takes the end of a call nobody knows has to make the call known."""
    expected = ["lost: end was answered QUEUED, and there is no such call"]
    assert texts(Story("17.1", registered="", ended="QUEUED")) == expected


def test_two_records_of_one_channel_are_a_double() -> None:
    """One channel is one call, even when nobody was told of it."""
    nobody = Story("17.1", registered="")
    assert texts(nobody, RECORD, replace(RECORD, call_id="c2")) == ["doubled: 2 calls"]


def test_an_id_that_is_not_the_records_is_a_fault() -> None:
    """The dialplan's SGE_CALL_ID names the call in the API."""
    assert texts(STORY, replace(RECORD, call_id="c2")) == ["mistaken: told c1, recorded as c2"]


def test_a_provisional_id_is_none() -> None:
    """QUEUED comes with an id that the API does not know."""
    assert texts(replace(STORY, registered="QUEUED", call_id="queued-1"), RECORD) == []


def test_an_acknowledged_answer_that_is_missing_is_lost() -> None:
    """Accept was taken on and never arrived."""
    silent = replace(RECORD, events=("created", "ended"))
    assert texts(STORY, silent) == ["lost: accept was answered REGISTERED"]


def test_an_acknowledged_end_that_is_missing_is_lost() -> None:
    """The call is open in the API though its end was taken on."""
    assert texts(STORY, OPEN) == ["lost: end was answered QUEUED, and the call is connected"]


def test_an_end_that_nobody_took_on_leaves_the_call_open() -> None:
    """The channel ended while nobody listened."""
    assert texts(replace(STORY, ended=""), OPEN) == []


def test_an_end_with_other_facts_is_a_fault() -> None:
    """What the channel said of its end is what the record says."""
    busy = replace(RECORD, dial_status="BUSY")
    assert texts(STORY, busy) == ["mistaken: ended as BUSY, not ANSWER"]


@pytest.mark.parametrize(
    "events",
    [
        ("accepted", "created", "ended"),
        ("created", "ended", "accepted"),
        ("created", "accepted", "accepted", "ended"),
    ],
)
def test_changes_out_of_order_or_repeated_are_faults(events: tuple[str, ...]) -> None:
    """Created, accepted, ended: each at most once."""
    expected = [f"out of order or repeated: {', '.join(events)}"]
    assert texts(STORY, replace(RECORD, events=events)) == expected


@pytest.mark.parametrize("answer", ["FAILED", "REFUSED"])
def test_nothing_may_be_turned_away(answer: str) -> None:
    """Whatever the API does, the outbox is there to take a statement on."""
    turned_away = Story("17.1", registered=answer, accepted=answer, ended=answer)
    assert texts(turned_away) == [
        f"turned away: register was answered {answer}",
        f"turned away: accept was answered {answer}",
        f"turned away: end was answered {answer}",
    ]


@pytest.mark.parametrize("answer", ["REGISTERED", "QUEUED", "REFUSED"])
def test_an_accept_that_comes_with_the_end_may_be_overtaken(answer: str) -> None:
    """Nobody can answer a call that has ended."""
    hasty = replace(STORY, accepted=answer, overtaken=True)
    assert texts(hasty, replace(RECORD, events=("created", "ended"))) == []


def test_a_record_that_nobody_made_is_a_fault() -> None:
    """The API holds a call that Asterisk never ran."""
    faults = find_faults([], [RECORD])
    assert [(fault.unique_id, fault.text) for fault in faults] == [
        ("17.1", "a call that Asterisk never ran")
    ]
