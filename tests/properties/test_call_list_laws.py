"""Whatever calls there are and whatever is asked, the pages of a list are the list."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.store.opening import Store, open_store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = ("alice", "bob", "carol")

moments = st.integers(0, 4).map(lambda seconds: NOON + timedelta(seconds=seconds))
names = st.sampled_from(NAMES)
statuses = st.sampled_from(CallStatus)
call_types = st.sampled_from(CallType)
room_ids = st.none() | st.sampled_from(["room-1", "room-2"])
causes = st.none() | st.sampled_from([16, 17])


@st.composite
def some_calls(draw: st.DrawFn) -> list[Call]:
    """Up to twelve calls, several of one moment and of one party."""
    calls: list[Call] = []
    for number in range(draw(st.integers(0, 12))):
        moment = draw(moments)
        status = draw(statuses)
        call = Call(
            id=f"call-{number}",
            caller_id=draw(names),
            participants=tuple(draw(st.lists(names, min_size=1, max_size=3))),
            call_type=draw(call_types),
            status=status,
            start_time=moment,
            answered_at=None,
            end_time=moment if status is CallStatus.ENDED else None,
            room_id=draw(room_ids),
            metadata={},
            updated_at=moment,
            hangup_cause=draw(causes),
        )
        calls.append(call)
    return calls


queries = st.builds(
    CallQuery,
    is_active=st.none() | st.booleans(),
    statuses=st.frozensets(statuses),
    party=st.none() | names,
    caller=st.none() | names,
    call_type=st.none() | call_types,
    room_id=room_ids,
    hangup_cause=causes,
    since=st.none() | moments,
    until=st.none() | moments,
)


def belongs(call: Call, query: CallQuery) -> bool:
    """What a query means, said once more and simply."""
    return (
        query.is_active in {None, call.is_active}
        and (not query.statuses or call.status in query.statuses)
        and query.party in {None, call.caller_id, *call.participants}
        and query.caller in {None, call.caller_id}
        and query.call_type in {None, call.call_type}
        and query.room_id in {None, call.room_id}
        and (query.hangup_cause is None or query.hangup_cause == call.hangup_cause)
        and (query.since is None or query.since <= call.start_time)
        and (query.until is None or call.start_time < query.until)
    )


async def add(store: Store, call: Call) -> None:
    """Record a call as it is; one that has ended is ended as the service does it."""
    event = CallEvent(EventKind.CREATED, NOON, "alice", {})
    await store.calls.create(call, event, None)
    await store.calls.change(call.id, lambda _call: (call, event))


async def whole_list(store: Store, query: CallQuery, size: int) -> list[Call]:
    """All pages of a list, one after the other."""
    found: list[Call] = []
    after: Cursor | None = None
    while page := await store.calls.page(query, after, size):
        assert len(page) <= size
        found += page
        after = Cursor.from_text(str(Cursor.behind(page[-1])))
    return found


@settings(max_examples=40, deadline=None)
@given(some_calls(), st.lists(queries, min_size=1, max_size=8), st.integers(1, 5))
def test_pages_are_the_list(calls: list[Call], asked: list[CallQuery], size: int) -> None:
    """The pages hold each call that belongs to the list once, and in its order."""

    async def test() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(f"sqlite:///{folder}/calls.db") as store:
                for call in calls:
                    await add(store, call)
                for query in (CallQuery(), *asked):
                    expected = sorted(
                        (call for call in calls if belongs(call, query)),
                        key=lambda call: (call.start_time, call.id),
                        reverse=True,
                    )
                    assert await whole_list(store, query, size) == expected

    asyncio.run(test())
