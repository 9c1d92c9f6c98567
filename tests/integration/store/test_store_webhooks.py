"""The book of webhooks, on both kinds of database."""

from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.events.ports import DeadLetter, RecordsError
from fastagi_server.store.opening import Store, open_store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=15)


def letter(target: str = "billing", event_id: str = "call-7") -> DeadLetter:
    """A dead letter."""
    return DeadLetter(target, event_id, "call.ended", b'{"a": 1}', 10, "status 500", NOON)


async def test_one_leads_at_a_time(store: Store) -> None:
    """Whoever leads goes on until its lease ends without renewal, or until it lets go."""
    book = store.webhooks
    assert await book.lead("billing", "one", NOON, LATER)
    assert not await book.lead("billing", "two", NOON, LATER)
    assert await book.lead("crm", "two", NOON, LATER)
    assert await book.lead("billing", "one", NOON, LATER)
    after = LATER + timedelta(seconds=1)
    assert await book.lead("billing", "two", after, after + timedelta(seconds=15))
    assert not await book.lead("billing", "one", after, after + timedelta(seconds=15))


async def test_a_lease_that_is_let_go_is_free(store: Store) -> None:
    """After a clean stop the next process need not wait; only its owner can let go of a lease."""
    book = store.webhooks
    await book.lead("billing", "one", NOON, LATER)
    await book.release("billing", "two")
    assert not await book.lead("billing", "two", NOON, LATER)
    await book.release("billing", "one")
    assert await book.lead("billing", "two", NOON, LATER)


async def test_positions_are_kept(url: str) -> None:
    """How far a target was told survives; only who leads may write it."""
    async with open_store(url) as store:
        assert await store.webhooks.positions("billing") is None
        await store.webhooks.lead("billing", "one", NOON, LATER)
        assert await store.webhooks.positions("billing") is None
        assert await store.webhooks.save("billing", "one", {"call": 5, "room": 0})
        assert not await store.webhooks.save("billing", "two", {"call": 9, "room": 9})
    async with open_store(url) as store:
        assert await store.webhooks.positions("billing") == {"call": 5, "room": 0}


async def test_a_letter_is_buried_once(store: Store) -> None:
    """A delivery that is given up twice is one dead letter."""
    await store.webhooks.bury(letter())
    await store.webhooks.bury(letter())
    await store.webhooks.bury(letter("crm"))
    first, second = await store.webhooks.dead_letters(10)
    assert (first.target, first.event_id, first.event_type) == ("billing", "call-7", "call.ended")
    assert (first.body, first.attempts, first.reason) == (b'{"a": 1}', 10, "status 500")
    assert first.died_at == NOON
    assert (first.number, second.number) == (1, 2)
    counts = await store.webhooks.count_dead(("billing", "crm", "nobody"))
    assert counts == {"billing": 1, "crm": 1, "nobody": 0}


async def test_letters_are_tried_again(store: Store) -> None:
    """A letter waits when it is asked for; delivered it is gone, else it is dead as before."""
    book = store.webhooks
    await book.bury(letter(event_id="call-1"))
    await book.bury(letter(event_id="call-2"))
    assert await book.waiting_letters("billing", 10) == []
    assert await book.retry([1, 99]) == 1
    assert await book.retry([1]) == 0
    assert await book.retry(None) == 1
    assert await book.dead_letters(10) == []
    waiting = await book.waiting_letters("billing", 10)
    assert [each.event_id for each in waiting] == ["call-1", "call-2"]
    await book.settle(waiting[0].number, is_delivered=True)
    await book.settle(waiting[1].number, is_delivered=False)
    assert await book.waiting_letters("billing", 10) == []
    assert [each.event_id for each in await book.dead_letters(10)] == ["call-2"]


async def test_old_letters_are_forgotten(store: Store) -> None:
    """Dead letters go when they are old."""
    await store.webhooks.bury(letter())
    assert await store.webhooks.forget(NOON, 10) == 0
    assert await store.webhooks.forget(LATER, 10) == 1
    assert await store.webhooks.dead_letters(10) == []


async def test_a_closed_book_cannot_be_used(url: str) -> None:
    """What cannot be read or written is a RecordsError."""
    async with open_store(url) as store:
        pass
    with pytest.raises(RecordsError):
        await store.webhooks.positions("billing")
    with pytest.raises(RecordsError):
        await store.webhooks.lead("billing", "one", NOON, LATER)
