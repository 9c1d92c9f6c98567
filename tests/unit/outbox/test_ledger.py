"""The tables: order within a call, limits, back-offs, dead letters, memory."""

import sqlite3
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from fastagi_server.outbox import ledger
from fastagi_server.outbox.database import open_database
from fastagi_server.outbox.errors import OutboxFullError
from fastagi_server.registration.documents import to_document
from fastagi_server.registration.models import Registration, provisional_call_id
from fastagi_server.registration.ports import Entry, Standing

REGISTRATION = Registration("pbx", "17.4", "", "", "", "", "", "", ("SIP/1001",), "audio")
ALL = 100


@pytest.fixture
def db(tmp_path: Path) -> Generator[sqlite3.Connection]:
    """An empty outbox."""
    connection = open_database(tmp_path / "outbox.db")
    yield connection
    connection.close()


def add(db: sqlite3.Connection, kind: str, unique_id: str, now: float = 0.0) -> bool:
    """Append a registration under any kind."""
    registration = replace(REGISTRATION, unique_id=unique_id)
    return ledger.append(db, kind, registration.key, to_document(registration), now, ALL)


def due(db: sqlite3.Connection, now: float = 0.0, limit: int = ALL) -> list[Entry]:
    """What may be delivered."""
    return list(ledger.backlog(db, now, limit).due)


def names(entries: list[Entry]) -> list[str]:
    """Kind and key of each entry."""
    return [f"{entry.kind} {entry.key}" for entry in entries]


def test_only_the_first_of_a_call_is_offered(db: sqlite3.Connection) -> None:
    """Later statements of a call wait for the first, those of other calls do not."""
    assert add(db, "register", "1")
    assert add(db, "end", "1")
    assert add(db, "register", "2")
    assert names(due(db)) == ["register agi-pbx-1", "register agi-pbx-2"]


def test_next_one_follows_a_delivery(db: sqlite3.Connection) -> None:
    """When the first has been delivered the next is offered, with the id that came back."""
    add(db, "register", "1")
    add(db, "end", "1")
    ledger.deliver(db, due(db)[0], "c1", 5.0)
    (entry,) = due(db, 5.0)
    assert (entry.kind, entry.call_id, entry.age_seconds) == ("end", "c1", 5.0)


def test_repeated_kind_is_not_added(db: sqlite3.Connection) -> None:
    """The same statement about the same call waits once."""
    assert add(db, "end", "1")
    assert not add(db, "end", "1")
    assert ledger.backlog(db, 0.0, ALL).pending == 1


def test_limit_refuses_the_next_entry(db: sqlite3.Connection) -> None:
    """A full outbox says so and keeps what it has."""
    ledger.append(db, "register", "a", "{}", 0.0, 2)
    ledger.append(db, "register", "b", "{}", 0.0, 2)
    with pytest.raises(OutboxFullError):
        ledger.append(db, "register", "c", "{}", 0.0, 2)
    assert ledger.statistics(db, 0.0).pending == 2


def test_postponed_entry_waits_for_its_time(db: sqlite3.Connection) -> None:
    """Until then it is not offered, and neither is what follows it; others are."""
    add(db, "register", "1")
    add(db, "end", "1")
    add(db, "register", "2")
    ledger.postpone(db, due(db)[0].number, 10.0, "api_error")
    look = ledger.backlog(db, 4.0, ALL)
    assert names(list(look.due)) == ["register agi-pbx-2"]
    assert look.next_due_seconds == 6.0
    later = due(db, 10.0)
    assert names(later) == ["register agi-pbx-2", "register agi-pbx-1"]
    assert [entry.attempts for entry in later] == [0, 1]


def test_backlog_is_limited_and_oldest_first(db: sqlite3.Connection) -> None:
    """A look takes no more than was asked for, in the order of time."""
    for number in range(5):
        add(db, "register", str(number), now=float(number))
    look = ledger.backlog(db, 9.0, 2)
    assert names(list(look.due)) == ["register agi-pbx-0", "register agi-pbx-1"]
    assert (look.pending, look.dead, look.oldest_seconds) == (5, 0, 9.0)


def test_empty_outbox_has_no_age(db: sqlite3.Connection) -> None:
    """Nothing waits, nothing is due, nothing is old."""
    look = ledger.backlog(db, 9.0, 2)
    assert (look.due, look.next_due_seconds, look.oldest_seconds) == ((), None, 0.0)


def test_dead_letter_makes_room_for_the_next(db: sqlite3.Connection) -> None:
    """An entry given up is listed with its reason, and its call goes on."""
    add(db, "register", "1")
    add(db, "end", "1")
    assert ledger.bury(db, due(db)[0], "forbidden", 3.0, ALL) == 0
    assert names(due(db, 3.0)) == ["end agi-pbx-1"]
    (letter,) = ledger.dead_letters(db, 3.0, ALL)
    assert (letter.kind, letter.code, letter.attempts, letter.age_seconds) == (
        "register",
        "forbidden",
        1,
        3.0,
    )


def test_oldest_dead_letters_are_lost_beyond_the_limit(db: sqlite3.Connection) -> None:
    """Dead letters cannot fill the disk; how many were lost is reported."""
    for unique_id in ("1", "2", "3"):
        add(db, "register", unique_id)
    lost = [ledger.bury(db, entry, "forbidden", 0.0, 2) for entry in due(db)]
    assert lost == [0, 0, 1]
    assert [letter.key for letter in ledger.dead_letters(db, 0.0, ALL)] == [
        "agi-pbx-2",
        "agi-pbx-3",
    ]


def test_retried_letters_wait_again_in_their_order(db: sqlite3.Connection) -> None:
    """Letters of one call come back in order, young and without attempts."""
    add(db, "register", "1")
    add(db, "end", "1")
    for _ in range(2):
        ledger.bury(db, due(db)[0], "forbidden", 0.0, ALL)
    assert ledger.retry(db, None, 7.0, ALL) == 2
    (entry,) = due(db, 7.0)
    assert (entry.kind, entry.attempts, entry.age_seconds) == ("register", 0, 0.0)
    assert ledger.statistics(db, 7.0) == ledger.Statistics(2, 0, 0.0, 0)


def test_one_letter_may_be_retried_or_dropped(db: sqlite3.Connection) -> None:
    """Operators choose letters by their numbers; unknown numbers do nothing."""
    for unique_id in ("1", "2", "3"):
        add(db, "register", unique_id)
    for entry in due(db):
        ledger.bury(db, entry, "forbidden", 0.0, ALL)
    assert ledger.retry(db, [2, 99], 0.0, ALL) == 1
    assert ledger.drop(db, [1, 99]) == 1
    assert [letter.number for letter in ledger.dead_letters(db, 0.0, ALL)] == [3]
    assert ledger.drop(db, None) == 1
    assert [letter.key for letter in ledger.pending_letters(db, 0.0, ALL)] == ["agi-pbx-2"]


def test_standing_knows_what_waits_and_what_came_back(db: sqlite3.Connection) -> None:
    """A call waits until its last statement is delivered, then its real id is known."""
    add(db, "register", "1")
    call = provisional_call_id("agi-pbx-1")
    assert ledger.standing(db, call) == Standing(waits=True, call_id=None)
    ledger.deliver(db, due(db)[0], "c1", 0.0)
    assert ledger.standing(db, call) == Standing(waits=False, call_id="c1")
    assert ledger.standing(db, "queued-other") == Standing(waits=False, call_id=None)


def test_ids_are_forgotten_a_day_after_their_last_use(db: sqlite3.Connection) -> None:
    """What was delivered is remembered for a day, counted from the last delivery of its call."""
    add(db, "register", "1")
    ledger.deliver(db, due(db)[0], "c1", 0.0)
    add(db, "register", "2")
    ledger.deliver(db, due(db)[0], "c2", 0.0)
    add(db, "end", "2")
    ledger.deliver(db, due(db)[0], "c2", 50_000.0)
    ledger.prune(db, 86_400.0)
    assert ledger.standing(db, provisional_call_id("agi-pbx-1")).call_id is None
    assert ledger.standing(db, provisional_call_id("agi-pbx-2")).call_id == "c2"


def test_remembered_ids_are_limited(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many calls were queued within a day, only the latest are remembered."""
    monkeypatch.setattr(ledger, "REMEMBERED_LIMIT", 2)
    for number in (1, 2, 3):
        add(db, "register", str(number))
        ledger.deliver(db, due(db)[0], f"c{number}", float(number))
    ledger.prune(db, 4.0)
    assert ledger.statistics(db, 4.0).remembered_calls == 2
    assert ledger.standing(db, provisional_call_id("agi-pbx-1")).call_id is None


def test_clock_set_back_delays_nothing_for_long(db: sqlite3.Connection) -> None:
    """An entry due in a far future, by a clock that was wrong, is due at once."""
    add(db, "register", "1", now=100_000.0)
    assert due(db, 0.0) == []
    ledger.prune(db, 0.0)
    (entry,) = due(db, 0.0)
    assert entry.age_seconds == 0.0


def test_damaged_document_is_offered_as_such(db: sqlite3.Connection) -> None:
    """An entry that cannot be read is still found, so that it can be set aside."""
    ledger.append(db, "register", "agi-pbx-1", "scribble", 0.0, ALL)
    (entry,) = due(db)
    assert entry.statement is None
