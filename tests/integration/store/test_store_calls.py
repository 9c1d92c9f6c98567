"""The records of calls in a real database: what the topic's ports promise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from fastagi_server.calls.errors import CallNotFoundError, KeyReusedError
from fastagi_server.calls.listing import CallQuery
from fastagi_server.calls.models import (
    Call,
    CallEvent,
    CallStatus,
    CallType,
    ChannelName,
    EventKind,
)
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.errors import StoreError
from fastagi_server.store.idempotency import KEY_LIFETIME
from fastagi_server.store.opening import Store

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def a_call(number: int = 1, *, channel: ChannelName | None = None) -> Call:
    """A call between alice and bob, `number` seconds after noon."""
    moment = NOON + timedelta(seconds=number)
    return Call(
        id=f"call-{number}",
        caller_id="alice",
        participants=("bob", "SIP/1001"),
        call_type=CallType.SCREEN,
        status=CallStatus.INITIATING,
        start_time=moment,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={"name": "Zoë 📞", "note": 'a"b\\c'},
        updated_at=moment,
        channel=channel,
    )


def created(at: datetime = NOON) -> CallEvent:
    """The first event of a call."""
    return CallEvent(EventKind.CREATED, at, "alice", {})


def a_key(key: str = "k", fingerprint: bytes = b"f" * 32) -> IdempotencyKey:
    """A key of alice."""
    return IdempotencyKey("alice", key, fingerprint)


async def count(store: Store, table: str) -> int:
    """The number of rows of a table."""
    query = select(func.count()).select_from(schema.tables.tables[table])
    rows = await store.database.read(lambda connection: connection.rows(query, {}))
    number: int = rows[0][0]
    return number


def ended(call: Call) -> tuple[Call, CallEvent]:
    """The decision to end a call with everything that can be known."""
    done = replace(
        call,
        status=CallStatus.ENDED,
        answered_at=NOON,
        end_time=NOON + timedelta(seconds=60),
        updated_at=NOON + timedelta(seconds=61),
        hangup_cause=16,
        dial_status="ANSWER",
        ring_ms=5,
        answered_ms=60000,
        quality={"mes": 86.2, "mos": 4.31, "jitter_ms": 1.25, "round_trip_ms": None},
    )
    return done, CallEvent(EventKind.ENDED, NOON, "bob", {"hangup_cause": 16})


async def test_call_comes_back_as_it_was(store: Store) -> None:
    """Every field of a call survives the database, to the microsecond and in any script."""
    call = a_call(channel=ChannelName("pbx1", "17.4"))
    assert await store.calls.create(call, created(), None) == (call, True)
    assert await store.calls.get(call.id) == call
    assert await store.calls.events(call.id) == [created()]


@pytest.mark.parametrize("call_id", ["x", "", "a\0b", "x" * 1000, "Zoë"])
async def test_unknown_call(store: Store, call_id: str) -> None:
    """What was never created is not there, has no log, and cannot be changed, whatever its id."""
    assert await store.calls.get(call_id) is None
    assert await store.calls.events(call_id) == []
    assert await store.calls.active(call_id, 10) == []
    assert await store.calls.page(CallQuery(party=call_id), None, 10) == []
    with pytest.raises(CallNotFoundError):
        await store.calls.change(call_id, ended)


async def test_change_is_recorded_and_logged(store: Store) -> None:
    """A decision replaces the call and adds its event to the log."""
    call = a_call()
    await store.calls.create(call, created(), None)
    changed, event = await store.calls.change(call.id, ended)
    assert (changed, event) == ended(call)
    assert await store.calls.get(call.id) == changed
    assert [entry.kind for entry in await store.calls.events(call.id)] == ["created", "ended"]


async def test_decision_to_leave_it(store: Store) -> None:
    """A decision of None changes and logs nothing."""
    call = a_call()
    await store.calls.create(call, created(), None)
    assert await store.calls.change(call.id, lambda _call: None) == (call, None)
    assert await store.calls.events(call.id) == [created()]


async def test_refused_decision(store: Store) -> None:
    """A decision that raises changes and logs nothing."""
    call = a_call()
    await store.calls.create(call, created(), None)

    def refuse(_call: Call) -> None:
        raise CallNotFoundError

    with pytest.raises(CallNotFoundError):
        await store.calls.change(call.id, refuse)
    assert await store.calls.get(call.id) == call
    assert await store.calls.events(call.id) == [created()]


async def test_lost_update_is_impossible(store: Store) -> None:
    """A change of a state that is no longer there fails as a whole."""
    call = a_call()
    await store.calls.create(call, created(), None)

    def race(seen: Call) -> tuple[Call, CallEvent]:
        return ended(replace(seen, id="call-that-went-away"))

    with pytest.raises(StoreError, match="changed while it was being changed"):
        await store.calls.change(call.id, race)
    assert await store.calls.get(call.id) == call
    assert await store.calls.events(call.id) == [created()]


async def test_repeated_key(store: Store) -> None:
    """A key that comes again gives the call of the first time, as it is now."""
    call = a_call()
    await store.calls.create(call, created(), a_key())
    changed, _ = await store.calls.change(call.id, ended)
    assert await store.calls.create(a_call(2), created(), a_key()) == (changed, False)
    assert await count(store, "calls") == 1


async def test_reused_key(store: Store) -> None:
    """A key that comes again with another meaning is refused."""
    await store.calls.create(a_call(), created(), a_key())
    with pytest.raises(KeyReusedError):
        await store.calls.create(a_call(2), created(), a_key(fingerprint=b"g" * 32))
    assert await count(store, "calls") == 1


async def test_key_of_an_adopted_channel(store: Store) -> None:
    """A new key for a known channel is remembered for the known call."""
    call = a_call(channel=ChannelName("", "17.4"))
    await store.calls.create(call, created(), a_key("1"))
    other = a_call(2, channel=ChannelName("", "17.4"))
    assert await store.calls.create(other, created(), a_key("2")) == (call, False)
    assert await store.calls.create(other, created(), a_key("2")) == (call, False)
    assert await count(store, "idempotency_keys") == 2


async def test_calls_without_a_channel_are_not_one(store: Store) -> None:
    """Any number of calls may have no channel."""
    await store.calls.create(a_call(1), created(), None)
    assert (await store.calls.create(a_call(2), created(), None))[1]


async def test_old_keys_are_forgotten(store: Store) -> None:
    """Keys that are older than seven days go when a new one comes; their calls stay."""
    await store.calls.create(a_call(1), created(NOON), a_key("old"))
    at_the_limit = NOON + KEY_LIFETIME
    await store.calls.create(a_call(2), created(at_the_limit), a_key("limit"))
    assert await count(store, "idempotency_keys") == 2
    await store.calls.create(a_call(3), created(at_the_limit + timedelta(seconds=1)), a_key("new"))
    assert await count(store, "idempotency_keys") == 2
    assert (await store.calls.create(a_call(4), created(), a_key("old")))[1]
    assert await count(store, "calls") == 4


async def test_active_calls(store: Store) -> None:
    """Calls are listed newest first, by party or all, and leave the list when they end."""
    calls = [a_call(number) for number in (1, 2, 3)]
    for call in calls:
        await store.calls.create(call, created(), None)
    assert await store.calls.active(None, 10) == calls[::-1]
    assert await store.calls.active(None, 2) == [calls[2], calls[1]]
    await store.calls.change("call-2", ended)
    for party in (None, "alice", "bob", "SIP/1001"):
        assert await store.calls.active(party, 10) == [calls[2], calls[0]]
    assert await store.calls.active("eve", 10) == []


async def test_discard_leaves_nothing(store: Store) -> None:
    """A discarded call takes its log, its parties and its key along."""
    await store.calls.create(a_call(), created(), a_key())
    await store.calls.discard("call-1")
    for table in ("calls", "call_parties", "call_events", "idempotency_keys"):
        assert await count(store, table) == 0
    assert (await store.calls.create(a_call(), created(), a_key()))[1]


async def test_keys_are_digests(store: Store) -> None:
    """A key is found by its digest, has what it was given, and is nowhere in the database."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS, Scope.OPERATOR}))
    assert key.startswith("sk_")
    assert len(key) == 46
    digests = select(schema.api_keys.c.digest)
    ((stored,),) = await store.database.read(lambda connection: connection.rows(digests, {}))
    assert len(stored) == 32
    identity = await store.api_keys.find(stored)
    assert identity == Identity("alice", frozenset({Scope.CALLS, Scope.OPERATOR}))
    assert await store.api_keys.find(b"x" * 32) is None


async def test_scope_of_a_newer_version(store: Store) -> None:
    """A scope that is not known here grants nothing."""

    def add(connection: Connection) -> None:
        values = {
            "digest": b"d" * 32,
            "name": "n",
            "scopes": ["voip.call", "voip.future"],
            "created_at": NOON,
            "revoked_at": None,
        }
        connection.run(schema.api_keys.insert(), values)

    await store.database.write(add)
    assert await store.api_keys.find(b"d" * 32) == Identity("n", frozenset({Scope.CALLS}))


async def test_calls_of_channels(store: Store) -> None:
    """A channel's call is found by system and unique id, whether it has ended or not."""
    first, second = ChannelName("pbx1", "17.4"), ChannelName("pbx2", "17.4")
    one, two = a_call(1, channel=first), a_call(2, channel=second)
    for call in (one, two):
        await store.calls.create(call, created(), None)
    await store.calls.change(two.id, ended)
    unknown = ChannelName("pbx1", "17.5")
    assert await store.calls.of_channels([first, unknown]) == [one]
    assert [call.id for call in await store.calls.of_channels([second, first])] == [two.id, one.id]
    assert await store.calls.of_channels([]) == []
