"""Lists of calls: what belongs to one, in which order, page by page."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.dialects import sqlite

from fastagi_server.calls.errors import ConcurrencyExceededError
from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.calls.ports import Decision, IdempotencyKey
from fastagi_server.store import call_lists
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import open_database
from fastagi_server.store.opening import Store

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ALL = CallQuery()


def a_call(
    number: int,
    *,
    caller: str = "alice",
    callee: str = "bob",
    call_type: CallType = CallType.AUDIO,
    room_id: str | None = None,
) -> Call:
    """A call that began `number` seconds after noon."""
    moment = NOON + timedelta(seconds=number)
    return Call(
        id=f"call-{number:04}",
        caller_id=caller,
        participants=(callee,),
        call_type=call_type,
        status=CallStatus.INITIATING,
        start_time=moment,
        answered_at=None,
        end_time=None,
        room_id=room_id,
        metadata={},
        updated_at=moment,
    )


def created(call: Call) -> CallEvent:
    """The first event of a call."""
    return CallEvent(EventKind.CREATED, call.start_time, call.caller_id, {})


def becomes(status: CallStatus, cause: int | None = None) -> Decision:
    """The decision that a call has this status and hang-up cause."""

    def decide(call: Call) -> tuple[Call, CallEvent]:
        end = NOON if status is CallStatus.ENDED else None
        changed = replace(call, status=status, hangup_cause=cause, end_time=end)
        return changed, CallEvent(EventKind.ENDED, NOON, "asterisk", {})

    return decide


async def add(store: Store, *calls: Call) -> None:
    """Record calls."""
    for call in calls:
        await store.calls.create(call, created(call), None)


async def ids(
    store: Store, query: CallQuery, after: Cursor | None = None, limit: int = 100
) -> list[int]:
    """The numbers of the calls on a page."""
    found = await store.calls.page(query, after, limit)
    return [int(call.id.removeprefix("call-")) for call in found]


@pytest.fixture
async def six(store: Store) -> Store:
    """Six calls that differ in all that can be asked for."""
    await add(
        store,
        a_call(1),
        a_call(2, callee="carol", room_id="room-1"),
        a_call(3, caller="bob", callee="alice", call_type=CallType.VIDEO),
        a_call(4, caller="carol", callee="dave", room_id="room-1"),
        a_call(5, callee="alice"),
        a_call(6, call_type=CallType.SCREEN, room_id="room-2"),
    )
    await store.calls.change("call-0001", becomes(CallStatus.ENDED, 16))
    await store.calls.change("call-0002", becomes(CallStatus.ENDED, 17))
    await store.calls.change("call-0003", becomes(CallStatus.RINGING))
    await store.calls.change("call-0005", becomes(CallStatus.CONNECTED))
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (ALL, [6, 5, 4, 3, 2, 1]),
        (CallQuery(is_active=True), [6, 5, 4, 3]),
        (CallQuery(is_active=False), [2, 1]),
        (CallQuery(statuses=frozenset({CallStatus.ENDED})), [2, 1]),
        (CallQuery(statuses=frozenset({CallStatus.RINGING, CallStatus.CONNECTED})), [5, 3]),
        (CallQuery(statuses=frozenset({CallStatus.RINGING, CallStatus.ENDED})), [3, 2, 1]),
        (CallQuery(statuses=frozenset(CallStatus)), [6, 5, 4, 3, 2, 1]),
        (CallQuery(is_active=True, statuses=frozenset({CallStatus.ENDED})), []),
        (CallQuery(party="alice"), [6, 5, 3, 2, 1]),
        (CallQuery(party="alice", is_active=True), [6, 5, 3]),
        (CallQuery(party="carol"), [4, 2]),
        (CallQuery(party="eve"), []),
        (CallQuery(caller="alice"), [6, 5, 2, 1]),
        (CallQuery(caller="bob", party="alice"), [3]),
        (CallQuery(call_type=CallType.VIDEO), [3]),
        (CallQuery(room_id="room-1"), [4, 2]),
        (CallQuery(room_id="room-1", is_active=True), [4]),
        (CallQuery(hangup_cause=17), [2]),
        (CallQuery(since=NOON + timedelta(seconds=3)), [6, 5, 4, 3]),
        (CallQuery(until=NOON + timedelta(seconds=3)), [2, 1]),
        (
            CallQuery(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=4)),
            [3, 2],
        ),
        (
            CallQuery(
                party="alice",
                caller="alice",
                is_active=True,
                statuses=frozenset({CallStatus.CONNECTED}),
                call_type=CallType.AUDIO,
                since=NOON,
                until=NOON + timedelta(hours=1),
            ),
            [5],
        ),
    ],
)
async def test_conditions(six: Store, query: CallQuery, expected: Sequence[int]) -> None:
    """A list holds the calls for which all that is asked is true, newest first."""
    assert await ids(six, query) == expected


@pytest.mark.parametrize(
    "query", [ALL, CallQuery(party="alice"), CallQuery(call_type=CallType.AUDIO)]
)
async def test_pages(store: Store, query: CallQuery) -> None:
    """Pages follow one another without a gap, though calls of one moment span two of them."""
    calls = [replace(a_call(number), start_time=NOON) for number in range(1, 8)]
    await add(store, *calls)
    pages: list[list[int]] = []
    after: Cursor | None = None
    while page := await store.calls.page(query, after, 3):
        pages.append([int(call.id.removeprefix("call-")) for call in page])
        after = Cursor.from_text(str(Cursor.behind(page[-1])))
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


async def test_pages_while_calls_come_and_end(store: Store) -> None:
    """The next page goes on where the last one ended, whatever happened in between."""
    await add(store, *(a_call(number) for number in range(1, 7)))
    active = CallQuery(is_active=True)
    first = await store.calls.page(active, None, 2)
    await add(store, a_call(7))
    await store.calls.change("call-0005", becomes(CallStatus.ENDED))
    await store.calls.change("call-0003", becomes(CallStatus.ENDED))
    assert await ids(store, active, Cursor.behind(first[-1]), 2) == [4, 2]


async def test_rows_hold_whole_calls(six: Store) -> None:
    """A call in a list is the call as it is got alone."""
    for query in (ALL, CallQuery(party="alice"), CallQuery(hangup_cause=16)):
        for call in await six.calls.page(query, None, 10):
            assert call == await six.calls.get(call.id)


async def test_aliases(store: Store) -> None:
    """A call is found by the further names of its parties, while it is active and afterwards."""
    call = a_call(1, callee="SIP/1002")
    await store.calls.create(call, created(call), None, aliases=["bob", "alice"])
    assert await store.calls.active("bob", 10) == [call]
    await store.calls.change(call.id, becomes(CallStatus.ENDED))
    assert await store.calls.active("bob", 10) == []
    assert await ids(store, CallQuery(party="bob")) == [1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (ALL, True),
        (CallQuery(is_active=False, party="alice", since=NOON), True),
        (CallQuery(statuses=frozenset({CallStatus.ENDED})), True),
        (CallQuery(room_id="room-1", until=NOON), True),
        (CallQuery(room_id="room-1", is_active=True), False),
        (CallQuery(party="alice", caller="alice"), False),
        (CallQuery(hangup_cause=16), False),
    ],
)
def test_bounded_lists(query: CallQuery, expected: bool) -> None:  # noqa: FBT001 - a table's cell
    """Lists that an index gives row by row are told from those that must be searched."""
    assert call_lists.is_bounded(query) is expected


@pytest.mark.parametrize(
    ("names", "index"),
    [
        ({"after"}, "calls_by_time"),
        ({"is_active", "after"}, "active_calls"),
        ({"is_active", "party", "after"}, "active_calls_of_party"),
        ({"party", "since", "until"}, "calls_of_party"),
        ({"room_id", "after"}, "calls_of_room"),
    ],
)
async def test_bounded_lists_need_no_sorting(sqlite_url: str, names: set[str], index: str) -> None:
    """Each list that is called bounded is read along its own index, from the place asked for."""
    database = open_database(sqlite_url)
    statement = call_lists._statement(frozenset(names))  # pyright: ignore[reportPrivateUsage]
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))

    def plan(connection: Connection) -> list[str]:
        driver = connection._driver  # pyright: ignore[reportPrivateUsage]  # SQL of a test only
        rows = driver.execute(f"EXPLAIN QUERY PLAN {compiled}", dict.fromkeys(compiled.params, 1))
        return [row[3] for row in rows]

    steps = await database.read(plan)
    assert index in steps[0]
    assert not any("TEMP B-TREE" in step for step in steps)
    await database.close()


async def test_limit_of_a_caller(store: Store) -> None:
    """A caller has as many active calls of his own as he may have; being called does not count."""
    await add(store, a_call(1), a_call(2), a_call(3, caller="bob", callee="alice"))
    fourth = a_call(4)
    with pytest.raises(ConcurrencyExceededError):
        await store.calls.create(fourth, created(fourth), None, 2)
    assert await store.calls.create(fourth, created(fourth), None, 3) == (fourth, True)
    await store.calls.change("call-0001", becomes(CallStatus.ENDED))
    fifth = a_call(5)
    assert await store.calls.create(fifth, created(fifth), None, 3) == (fifth, True)


async def test_repetition_at_the_limit(store: Store) -> None:
    """A repeated request gives its call although the caller has as many as he may have."""
    call = a_call(1)
    key = IdempotencyKey("alice", "k", b"f" * 32)
    await store.calls.create(call, created(call), key, 1)
    assert await store.calls.create(a_call(2), created(call), key, 1) == (call, False)


async def test_limit_at_the_same_moment(store: Store) -> None:
    """Calls that are created at once do not slip past the limit, nor do they hold others up."""
    calls = [a_call(number, caller=("alice", "bob")[number % 2]) for number in range(1, 25)]
    outcomes = await asyncio.gather(
        *(store.calls.create(call, created(call), None, 5) for call in calls),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConcurrencyExceededError)]
    assert len(refused) == 14
    assert len(await store.calls.active(None, 100)) == 10
    assert len(await ids(store, CallQuery(caller="alice"))) == 5
    assert len(await ids(store, CallQuery(caller="bob"))) == 5


async def test_one_key_at_the_same_moment(store: Store) -> None:
    """Requests that repeat one another at the same moment get one call."""
    key = IdempotencyKey("alice", "k", b"f" * 32)
    calls = [a_call(number) for number in range(1, 9)]
    outcomes = await asyncio.gather(
        *(store.calls.create(call, created(call), key) for call in calls)
    )
    assert len({call.id for call, _ in outcomes}) == 1
    assert sum(is_new for _, is_new in outcomes) == 1
    assert len(await ids(store, ALL)) == 1
