"""Who may do what with calls; the records are a list in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from call_samples import ALICE, BOB, EVE, NOON, SERVICE

from fastagi_server.calls.errors import (
    CallEndedError,
    CallForbiddenError,
    CallNotFoundError,
    PbxRefusedError,
    PbxUnreachableError,
)
from fastagi_server.calls.identity import Identity, Scope
from fastagi_server.calls.models import Call, CallEvent, CallType, EndFacts
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.ports import CallControl, Decision, IdempotencyKey
from fastagi_server.calls.registry import CallRegistry, utc_now
from fastagi_server.telemetry.measures import Measures

NOBODY = Identity("nobody", frozenset())
OPERATOR = Identity("operator", frozenset({Scope.OPERATOR}))
ADOPTION = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": "17.4"})
TO_BOB = CallOrder(("bob",), CallType.AUDIO, {})
TO_PHONE = CallOrder(("SIP/1001",), CallType.AUDIO, {})


class _MemoryRecords:
    """Records of calls in a dictionary, for one test."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.log: dict[str, list[CallEvent]] = {}
        self.keys: list[IdempotencyKey | None] = []

    async def get(self, call_id: str) -> Call | None:
        return self.calls.get(call_id)

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        return [
            call
            for call in self.calls.values()
            if call.is_active and (party is None or party in (call.caller_id, *call.participants))
        ][:limit]

    async def events(self, call_id: str) -> Sequence[CallEvent]:
        return self.log[call_id]

    async def create(
        self, call: Call, event: CallEvent, key: IdempotencyKey | None
    ) -> tuple[Call, bool]:
        self.keys.append(key)
        for known in self.calls.values():
            if call.channel is not None and known.channel == call.channel:
                return known, False
        self.calls[call.id] = call
        self.log[call.id] = [event]
        return call, True

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        if call_id not in self.calls:
            raise CallNotFoundError
        decision = decide(self.calls[call_id])
        if decision is None:
            return self.calls[call_id], None
        self.calls[call_id], event = decision
        self.log[call_id].append(event)
        return decision

    async def discard(self, call_id: str) -> None:
        del self.calls[call_id]


class _Phones:
    """A PBX that rings, or does not."""

    def __init__(self, refusal: PbxRefusedError | PbxUnreachableError | None = None) -> None:
        self.rung: list[Call] = []
        self._refusal = refusal

    async def originate(self, call: Call) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.rung.append(call)


class _Desk:
    """A registry on records in memory, at noon, with its measures."""

    def __init__(self, control: CallControl | None = None) -> None:
        self.now = NOON
        self.records = _MemoryRecords()
        self.measures = Measures()
        self.registry = CallRegistry(
            records=self.records, control=control, measures=self.measures, now=self.tell
        )

    def tell(self) -> datetime:
        return self.now

    async def call(self, by: Identity = ALICE, order: CallOrder = TO_BOB) -> Call:
        return (await self.registry.create(order, by, None))[0]


async def test_create_a_call_between_users() -> None:
    """The creator becomes the caller, the call begins now, and nothing rings by itself."""
    desk = _Desk()
    call, is_new = await desk.registry.create(TO_BOB, ALICE, None)
    assert is_new
    assert call == Call(
        id=call.id,
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=call.status,
        start_time=NOON,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={},
        updated_at=NOON,
    )
    assert call.status == "initiating"
    assert desk.measures.calls.values == {("created",): 1}


async def test_adopt_a_channel() -> None:
    """An adopted call carries the channel's id, and is counted as adopted."""
    desk = _Desk()
    call, is_new = await desk.registry.create(ADOPTION, SERVICE, "key-1")
    assert is_new
    assert call.metadata == {"asterisk_call_id": "17.4", "asterisk_channel_id": "17.4"}
    assert desk.records.keys == [IdempotencyKey("service", "key-1", ADOPTION.fingerprint)]
    assert desk.measures.calls.values == {("adopted",): 1}


async def test_adopt_the_same_channel_again() -> None:
    """The second adoption of a channel gives the first call and counts nothing."""
    desk = _Desk()
    first, _ = await desk.registry.create(ADOPTION, SERVICE, None)
    second, is_new = await desk.registry.create(ADOPTION, SERVICE, None)
    assert (second, is_new) == (first, False)
    assert desk.measures.calls.values == {("adopted",): 1}


async def test_client_cannot_name_the_channel() -> None:
    """Metadata that names a channel is ours, and what a client sends under it is left out."""
    metadata = {"asterisk_channel_id": "other", "asterisk_channel_name": "SIP/x", "note": "n"}
    order = CallOrder(("bob",), CallType.AUDIO, metadata)
    call, _ = await _Desk().registry.create(order, ALICE, None)
    assert call.metadata == {"note": "n"}


async def test_only_the_telephone_system_adopts() -> None:
    """A user who names a channel is refused before anything is recorded."""
    desk = _Desk()
    with pytest.raises(CallForbiddenError, match="Not authorized to adopt a channel"):
        await desk.registry.create(ADOPTION, ALICE, None)
    assert desk.records.calls == {}


async def test_dial_string_without_a_pbx() -> None:
    """A dial string that nobody could ring is refused and leaves nothing behind."""
    desk = _Desk()
    with pytest.raises(PbxUnreachableError):
        await desk.registry.create(TO_PHONE, ALICE, None)
    assert desk.records.calls == {}


async def test_dial_string_is_rung() -> None:
    """The PBX is asked to ring with the call's own id as that of the channel."""
    phones = _Phones()
    call = await _Desk(phones).call(order=TO_PHONE)
    assert phones.rung == [call]
    assert call.metadata == {"asterisk_channel_id": call.id}


@pytest.mark.parametrize("refusal", [PbxRefusedError("no such endpoint"), PbxUnreachableError()])
async def test_refused_origination_leaves_nothing(
    refusal: PbxRefusedError | PbxUnreachableError,
) -> None:
    """A call that the PBX does not place was never there."""
    desk = _Desk(_Phones(refusal))
    with pytest.raises(type(refusal)):
        await desk.registry.create(TO_PHONE, ALICE, None)
    assert desk.records.calls == {}
    assert desk.measures.calls.values == {}


async def test_users_are_not_rung() -> None:
    """A call between users does not reach the PBX."""
    phones = _Phones()
    await _Desk(phones).call(order=TO_BOB)
    assert phones.rung == []


@pytest.mark.parametrize("who", [ALICE, BOB, SERVICE, OPERATOR])
async def test_parties_and_trusted_keys_see_the_call(who: Identity) -> None:
    """The caller, a participant, the telephone system and an operator see a call and its log."""
    desk = _Desk()
    call = await desk.call()
    assert await desk.registry.get(call.id, who) == call
    assert [event.kind for event in await desk.registry.events(call.id, who)] == ["created"]


async def test_others_may_do_nothing_with_the_call() -> None:
    """Somebody else neither sees nor changes it."""
    desk = _Desk()
    call = await desk.call()
    with pytest.raises(CallForbiddenError, match="User not authorized for this call"):
        await desk.registry.get(call.id, EVE)
    with pytest.raises(CallForbiddenError, match="User not authorized for this call"):
        await desk.registry.events(call.id, EVE)
    with pytest.raises(CallForbiddenError, match="User not authorized for this call"):
        await desk.registry.accept(call.id, EVE, None)
    with pytest.raises(CallForbiddenError, match="User not authorized to end this call"):
        await desk.registry.end(call.id, EVE, EndFacts())
    assert desk.records.calls == {call.id: call}


async def test_scope_is_needed_for_everything() -> None:
    """A credential without a scope for calls is refused everywhere, even for its own calls."""
    desk = _Desk()
    call = await desk.call()
    with pytest.raises(CallForbiddenError, match="no scope for calls"):
        await desk.registry.create(TO_BOB, NOBODY, None)
    with pytest.raises(CallForbiddenError, match="no scope for calls"):
        await desk.registry.get(call.id, NOBODY)
    with pytest.raises(CallForbiddenError, match="no scope for calls"):
        await desk.registry.active(NOBODY, 10)
    with pytest.raises(CallForbiddenError, match="no scope for calls"):
        await desk.registry.accept(call.id, NOBODY, None)
    with pytest.raises(CallForbiddenError, match="no scope for calls"):
        await desk.registry.end(call.id, NOBODY, EndFacts())


async def test_unknown_call() -> None:
    """An id that no call has is not found, whoever asks."""
    registry = _Desk().registry
    with pytest.raises(CallNotFoundError, match="Call not found"):
        await registry.get("x", SERVICE)
    with pytest.raises(CallNotFoundError):
        await registry.events("x", SERVICE)
    with pytest.raises(CallNotFoundError):
        await registry.accept("x", SERVICE, None)
    with pytest.raises(CallNotFoundError):
        await registry.end("x", SERVICE, EndFacts())


async def test_life_of_a_call() -> None:
    """A call is accepted and ended once; repetitions change and count nothing."""
    desk = _Desk()
    call = await desk.call()
    desk.now = NOON + timedelta(seconds=5)
    accepted = await desk.registry.accept(call.id, BOB, None)
    assert await desk.registry.accept(call.id, ALICE, None) == accepted
    desk.now = NOON + timedelta(seconds=65)
    ended = await desk.registry.end(call.id, ALICE, EndFacts(hangup_cause=16, ring_ms=5000))
    assert await desk.registry.end(call.id, BOB, EndFacts(hangup_cause=31)) == ended
    assert accepted.answered_at == NOON + timedelta(seconds=5)
    assert ended == replace(
        accepted,
        status=ended.status,
        end_time=NOON + timedelta(seconds=65),
        updated_at=NOON + timedelta(seconds=65),
        hangup_cause=16,
        ring_ms=5000,
    )
    assert [(event.kind, event.actor, event.facts) for event in desk.records.log[call.id]] == [
        ("created", "alice", {}),
        ("accepted", "bob", {}),
        ("ended", "alice", {"hangup_cause": 16, "ring_ms": 5000}),
    ]
    assert desk.measures.calls.values == {("created",): 1, ("accepted",): 1, ("ended",): 1}


async def test_accept_at_the_time_of_the_pbx() -> None:
    """What the PBX says about the answer is what is recorded."""
    desk = _Desk()
    call = await desk.call()
    answered_at = NOON + timedelta(seconds=3)
    assert (await desk.registry.accept(call.id, BOB, answered_at)).answered_at == answered_at


async def test_accept_after_the_end() -> None:
    """An ended call cannot be accepted."""
    desk = _Desk()
    call = await desk.call()
    await desk.registry.end(call.id, ALICE, EndFacts())
    with pytest.raises(CallEndedError):
        await desk.registry.accept(call.id, BOB, None)


async def test_lists() -> None:
    """A user lists the calls he is in, a trusted key all, and nobody more than he asked for."""
    desk = _Desk()
    mine = await desk.call(ALICE)
    other = await desk.call(EVE, CallOrder(("carol",), CallType.VIDEO, {}))
    ended = await desk.call(ALICE)
    await desk.registry.end(ended.id, ALICE, EndFacts())
    assert await desk.registry.active(ALICE, 10) == [mine]
    assert await desk.registry.active(BOB, 10) == [mine]
    assert await desk.registry.active(OPERATOR, 10) == [mine, other]
    assert await desk.registry.active(SERVICE, 1) == [mine]


def test_clock() -> None:
    """The clock is aware and in UTC."""
    assert utc_now().utcoffset() == timedelta(0)
