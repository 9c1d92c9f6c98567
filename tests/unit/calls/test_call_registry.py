"""Who may do what with calls; the records are a list in memory."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest
from call_samples import ALICE, BOB, EVE, NOON, SERVICE
from memory_records import MemoryRecords

from fastagi_server.calls.commands import Command, Hold, SendDtmf, Transfer
from fastagi_server.calls.errors import (
    CallEndedError,
    CallForbiddenError,
    CallNotFoundError,
    CallStateError,
    PbxRefusedError,
    PbxUnreachableError,
)
from fastagi_server.calls.journal import utc_now
from fastagi_server.calls.listing import CallQuery
from fastagi_server.calls.models import Call, CallEvent, CallType, EndFacts
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy, pattern_of
from fastagi_server.calls.ports import CallControl, IdempotencyKey
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.telemetry.measures import Measures

NOBODY = Identity("nobody", frozenset())
OPERATOR = Identity("operator", frozenset({Scope.OPERATOR}))
ADOPTION = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": "17.4"})
TO_BOB = CallOrder(("bob",), CallType.AUDIO, {})
TO_PHONE = CallOrder(("SIP/1001",), CallType.AUDIO, {})


class _Phones:
    """A PBX that rings, or does not."""

    def __init__(self, refusal: PbxRefusedError | PbxUnreachableError | None = None) -> None:
        self.rung: list[Call] = []
        self.hung_up: list[tuple[str, str]] = []
        self.performed: list[tuple[Command, str, frozenset[str]]] = []
        self._refusal = refusal

    async def originate(self, call: Call, recorded: Awaitable[object]) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.rung.append(call)

    async def accept(self, call: Call, actor: str) -> bool:
        return False

    async def hang_up(self, call: Call, actor: str) -> bool:
        if self._refusal is not None:
            raise self._refusal
        self.hung_up.append((call.id, actor))
        return False

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.performed.append((command, actor, own))


class _Slow(MemoryRecords):
    """Records that are written when a test says so, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def create(
        self,
        call: Call,
        event: CallEvent,
        key: IdempotencyKey | None,
        limit: int | None = None,
        aliases: Collection[str] = (),
    ) -> tuple[Call, bool]:
        await self.written
        return await super().create(call, event, key, limit, aliases)


class _Desk:
    """A registry on records in memory, at noon, with its measures."""

    def __init__(
        self,
        control: CallControl | None = None,
        users: Mapping[str, str] = MappingProxyType({}),
        outbound: OutboundPolicy = NO_CALLS_OUT,
    ) -> None:
        self.now = NOON
        self.records = MemoryRecords()
        self.measures = Measures()
        self.registry = CallRegistry(
            records=self.records,
            control=control,
            measures=self.measures,
            directory=ExtensionTable(users),
            max_calls=3,
            outbound=outbound,
            now=self.tell,
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
    """The PBX is asked to ring with the channel's id made of the call's."""
    phones = _Phones()
    call = await _Desk(phones).call(order=TO_PHONE)
    assert phones.rung == [call]
    assert call.metadata == {"asterisk_channel_id": f"sge-{call.id}-0"}


@pytest.mark.parametrize(
    ("by", "key", "is_asked"),
    [(SERVICE, None, True), (SERVICE, "key-1", False), (ALICE, None, False)],
)
async def test_the_pbx_hears_of_a_call_that_will_be(
    by: Identity, key: str | None, *, is_asked: bool
) -> None:
    """Before the record is written the PBX is asked only where nothing can refuse the call."""
    phones = _Phones()
    desk = _Desk(phones)
    desk.registry = CallRegistry(
        records=(records := _Slow()), control=phones, measures=desk.measures, max_calls=3
    )
    creation = asyncio.create_task(desk.registry.create(TO_PHONE, by, key))
    for _ in range(5):
        await asyncio.sleep(0)
    assert bool(phones.rung) is is_asked
    records.written.set_result(None)
    call, _ = await creation
    assert phones.rung == [call]


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


@pytest.mark.parametrize(
    "dial_string",
    ["PJSIP/+32470123456@trunk", "PJSIP/1001/sip:900@192.0.2.1", "DAHDI/g1/900", "sip/900@trunk"],
)
async def test_only_the_telephone_system_rings_outside(dial_string: str) -> None:
    """A user rings the PBX's own telephones; what lies beyond a trunk costs somebody money."""
    phones = _Phones()
    desk = _Desk(phones)
    order = CallOrder(("SIP/1001", dial_string), CallType.AUDIO, {})
    with pytest.raises(CallForbiddenError, match="beyond a trunk"):
        await desk.registry.create(order, ALICE, None)
    assert desk.records.calls == {}
    call = await desk.call(order=TO_PHONE)
    with pytest.raises(CallForbiddenError, match="beyond a trunk"):
        await desk.registry.command(call.id, ALICE, Transfer(dial_string))
    assert phones.performed == []
    await desk.registry.create(order, SERVICE, None)
    assert [each.participants for each in phones.rung] == [("SIP/1001",), order.participants]


async def test_a_user_rings_outside_what_the_policy_allows() -> None:
    """Where users may call out, allowed numbers are rung for them, in calls and in transfers."""
    policy = OutboundPolicy(trunk="PJSIP/trunk", allow=(pattern_of("0X."),), for_users=True)
    phones = _Phones()
    desk = _Desk(phones, outbound=policy)
    order = CallOrder(("PJSIP/0301234@trunk",), CallType.AUDIO, {})
    call = await desk.call(order=order)
    assert [each.participants for each in phones.rung] == [("PJSIP/0301234@trunk",)]
    await desk.registry.command(call.id, ALICE, Transfer("PJSIP/0305678@trunk"))
    assert [command for command, _, _ in phones.performed] == [Transfer("PJSIP/0305678@trunk")]
    with pytest.raises(CallForbiddenError, match="beyond a trunk"):
        await desk.registry.command(call.id, ALICE, Transfer("PJSIP/1234@trunk"))
    with pytest.raises(CallForbiddenError, match="beyond a trunk"):
        await desk.call(order=CallOrder(("PJSIP/trunk",), CallType.AUDIO, {}))


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


async def test_facts_after_the_end() -> None:
    """The telephone system may tell later what it knows of an ended call, and users may not."""
    desk = _Desk()
    call = await desk.call()
    await desk.registry.end(call.id, ALICE, EndFacts())
    told = await desk.registry.end(call.id, ALICE, EndFacts(hangup_cause=17))
    assert told.hangup_cause is None
    told = await desk.registry.end(call.id, SERVICE, EndFacts(hangup_cause=16))
    assert told.hangup_cause == 16
    kinds = [event.kind for event in await desk.registry.events(call.id, SERVICE)]
    assert kinds == ["created", "ended", "measured"]


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


async def test_a_user_is_limited_and_the_telephone_system_is_not() -> None:
    """The limit of active calls goes to the records with a user's call, and with no other."""
    desk = _Desk()
    await desk.call(ALICE)
    await desk.registry.create(ADOPTION, SERVICE, None)
    assert desk.records.limits == [3, None]


async def test_whose_telephone_rings_is_a_party() -> None:
    """The user of a participant's telephone sees, answers and ends the call."""
    desk = _Desk(_Phones(), {"1001": "bob"})
    call = await desk.call(order=TO_PHONE)
    assert desk.records.aliases == [frozenset({"bob"})]
    assert await desk.registry.get(call.id, BOB) == call
    assert (await desk.registry.accept(call.id, BOB, None)).status == "connected"
    with pytest.raises(CallForbiddenError):
        await desk.registry.get(call.id, EVE)


async def test_end_hangs_up() -> None:
    """Who ends a call has its channels hung up, unless it is the PBX that reports the end."""
    phones = _Phones()
    desk = _Desk(phones)
    first, second = await desk.call(order=TO_PHONE), await desk.call(order=TO_PHONE)
    await desk.registry.end(first.id, ALICE, EndFacts())
    await desk.registry.end(first.id, ALICE, EndFacts())
    await desk.registry.end(second.id, SERVICE, EndFacts(hangup_cause=17))
    assert phones.hung_up == [(first.id, "alice")]


async def test_a_call_that_cannot_be_hung_up_goes_on() -> None:
    """When the PBX cannot be asked to hang up, the record does not say that it was."""
    desk = _Desk()
    call = await desk.call()
    desk.registry = CallRegistry(
        records=desk.records, control=_Phones(PbxUnreachableError()), measures=desk.measures
    )
    with pytest.raises(PbxUnreachableError):
        await desk.registry.end(call.id, ALICE, EndFacts())
    assert desk.records.calls[call.id].status == "initiating"


async def test_commands_reach_the_pbx_and_the_log() -> None:
    """A command goes to the PBX with the asker's own participants; keys pressed are not kept."""
    phones = _Phones()
    desk = _Desk(phones, {"1001": "bob"})
    call = await desk.call(order=TO_PHONE)
    await desk.registry.command(call.id, BOB, Hold())
    await desk.registry.command(call.id, ALICE, SendDtmf("12#"))
    assert phones.performed == [
        (Hold(), "bob", frozenset({"SIP/1001"})),
        (SendDtmf("12#"), "alice", frozenset()),
    ]
    assert [(event.kind, event.facts) for event in desk.records.log[call.id]] == [
        ("created", {}),
        ("dtmf", {"digits": 3}),
    ]


async def test_commands_that_cannot_be() -> None:
    """A stranger, an ended call, a call without a PBX and a PBX that is away: each is refused."""
    desk = _Desk()
    call = await desk.call()
    with pytest.raises(CallForbiddenError):
        await desk.registry.command(call.id, EVE, Hold())
    with pytest.raises(CallStateError):
        await desk.registry.command(call.id, ALICE, Hold())
    await desk.registry.end(call.id, ALICE, EndFacts())
    with pytest.raises(CallEndedError):
        await desk.registry.command(call.id, ALICE, Hold())
    away = _Desk(_Phones(PbxUnreachableError()))
    call = await away.call()
    with pytest.raises(PbxUnreachableError):
        await away.registry.command(call.id, ALICE, SendDtmf("1"))
    assert len(away.records.log[call.id]) == 1


async def test_pages() -> None:
    """A user's page is of his own calls, whatever he asks; a trusted key's is as asked."""
    desk = _Desk()
    await desk.registry.page(CallQuery(is_active=False), ALICE, None, 10)
    await desk.registry.page(CallQuery(party="bob"), SERVICE, None, 10)
    assert desk.records.queries == [
        CallQuery(is_active=False, party="alice"),
        CallQuery(party="bob"),
    ]
    with pytest.raises(CallForbiddenError):
        await desk.registry.page(CallQuery(party="bob"), ALICE, None, 10)


def test_clock() -> None:
    """The clock is aware and in UTC."""
    assert utc_now().utcoffset() == timedelta(0)
