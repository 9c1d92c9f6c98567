"""Whatever is asked of calls, in whatever order, the record stays legal."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.calls.errors import CallEndedError, InvalidCallError
from fastagi_server.calls.models import Call, CallType, EndFacts
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.participants import check_participants
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.calls.transitions import TABLE, Trigger
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures

ALICE = Identity("alice", frozenset({Scope.CALLS}))
TO_BOB = CallOrder(("bob",), CallType.AUDIO, {})

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2199, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
milliseconds = st.none() | st.integers(0, 2**31 - 1)
facts = st.builds(
    EndFacts,
    hangup_cause=st.none() | st.integers(0, 127),
    dial_status=st.none() | st.sampled_from(["ANSWER", "BUSY", "NOANSWER", "CANCEL"]),
    ring_ms=milliseconds,
    answered_ms=milliseconds,
    ended_at=st.none() | moments,
)
steps = st.lists(
    st.tuples(st.just("accept"), st.none() | moments) | st.tuples(st.just("end"), facts),
    max_size=8,
)


def on_a_store(test: Callable[[CallRegistry], Awaitable[None]]) -> None:
    """Run a test on a registry with a database of its own."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(f"sqlite:///{folder}/calls.db") as store:
                await test(CallRegistry(records=store.calls, control=None, measures=Measures()))

    asyncio.run(run())


def check_record(call: Call) -> None:
    """The laws that hold for every record."""
    assert (call.status == "ended") == (call.end_time is not None)
    assert (call.duration_ms is None) == call.is_active
    assert call.status != "connected" or call.answered_at is not None
    assert call.duration_ms is None or call.duration_ms >= 0
    assert call.is_active or call.hangup_cause is None or 0 <= call.hangup_cause <= 127


@settings(max_examples=40, deadline=None)
@given(steps)
def test_any_sequence_leaves_a_legal_record(sequence: list[tuple[str, object]]) -> None:
    """Each request moves the call along the table or is refused, and the log tells every move."""

    async def test(registry: CallRegistry) -> None:
        call, _ = await registry.create(TO_BOB, ALICE, None)
        moves = ["created"]
        for name, argument in sequence:
            legal = TABLE.get((call.status, Trigger(name)))
            try:
                if isinstance(argument, EndFacts):
                    after = await registry.end(call.id, ALICE, argument)
                else:
                    assert argument is None or isinstance(argument, datetime)
                    after = await registry.accept(call.id, ALICE, argument)
            except CallEndedError:
                assert legal is None
                continue
            assert after.status is legal
            if after.status is call.status:
                assert after == call
            else:
                moves.append({"accept": "accepted", "end": "ended"}[name])
            check_record(after)
            assert await registry.get(call.id, ALICE) == after
            call = after
        assert [event.kind for event in await registry.events(call.id, ALICE)] == moves
        assert list(await registry.active(ALICE, 10)) == ([call] if call.is_active else [])

    on_a_store(test)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["accept", "end"]), min_size=2, max_size=30))
def test_requests_at_once_have_an_order(names: list[str]) -> None:
    """Requests in flight together leave a record and a log that some order of them would leave."""

    async def test(registry: CallRegistry) -> None:
        call, _ = await registry.create(TO_BOB, ALICE, None)

        async def ask(name: str) -> None:
            if name == "end":
                await registry.end(call.id, ALICE, EndFacts())
            else:
                await registry.accept(call.id, ALICE, None)

        outcomes = await asyncio.gather(*map(ask, names), return_exceptions=True)
        assert all(outcome is None or type(outcome) is CallEndedError for outcome in outcomes)
        check_record(await registry.get(call.id, ALICE))
        kinds = [event.kind for event in await registry.events(call.id, ALICE)]
        assert kinds in (["created", "accepted"], ["created", "ended"]) or kinds == [
            "created",
            "accepted",
            "ended",
        ]
        assert ("end" in names) == ("ended" in kinds)

    on_a_store(test)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=50))
def test_a_key_is_one_call(keys: list[str]) -> None:
    """However many requests with however many keys are in flight, each key is one call."""

    async def test(registry: CallRegistry) -> None:
        answers = await asyncio.gather(*(registry.create(TO_BOB, ALICE, key) for key in keys))
        calls = {key: call.id for key, (call, _) in zip(keys, answers, strict=True)}
        assert len(set(calls.values())) == len(set(keys))
        assert sum(is_new for _, is_new in answers) == len(set(keys))
        for key, (call, _) in zip(keys, answers, strict=True):
            assert call.id == calls[key]
        assert len(await registry.active(ALICE, 100)) == len(set(keys))

    on_a_store(test)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("12"), st.none() | st.sampled_from("ab")), min_size=1))
def test_a_channel_is_one_call(requests: list[tuple[str, str | None]]) -> None:
    """Whatever keys come with it, each channel is adopted once."""
    service = Identity("service", frozenset({Scope.SERVICE}))

    async def test(registry: CallRegistry) -> None:
        for unique_id, key in requests:
            order = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": unique_id})
            full_key = None if key is None else f"{key}-{unique_id}"
            call, _ = await registry.create(order, service, full_key)
            assert call.metadata["asterisk_channel_id"] == unique_id
        active = await registry.active(service, 100)
        assert len(active) == len({unique_id for unique_id, _ in requests})

    on_a_store(test)


@given(st.text(min_size=1, max_size=40))
def test_no_participant_is_two(participant: str) -> None:
    """Whatever is accepted as a participant holds nothing that separates or ends a dial string."""
    try:
        check_participants([participant])
    except InvalidCallError:
        return
    assert not set(participant) & set("&,^(){}$\"'\\ \t\r\n\0")
    assert participant.isascii()
    assert participant.isprintable()
