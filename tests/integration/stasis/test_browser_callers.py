"""Calls that begin in a browser, on a fake Asterisk: who is rung, and what is taken over."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from call_stage import APP, SERVICE, Stage, open_stage

from fastagi_server.calls.commands import Hold, Mute
from fastagi_server.calls.errors import CallForbiddenError, CallStateError
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState

ALICE = Identity("alice", frozenset({Scope.CALLS}))
BOBS = "PJSIP/bob@sge-gateway"
GATEWAY = "PJSIP/sge-gateway"

SETTINGS: dict[str, Any] = {
    "users": {"bob"},
    "sge_gateway_listen": "127.0.0.1:5070",
    "sge_gateway_token": "secret",
    "sge_dial_strings": {"1500": ("PJSIP/1001", BOBS)},
}


@pytest.fixture
async def stage(fake_ari: FakeAri, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A linked service; bob has a page open, which rings."""
    fake_ari.phones[BOBS] = PhoneState.RINGS
    fake_ari.phones["PJSIP/1001"] = PhoneState.RINGS
    async with fake_ari, open_stage(tmp_path, fake_ari, **SETTINGS) as opened:
        yield opened


async def order(stage: Stage, *participants: str, call_type: CallType = CallType.AUDIO) -> Call:
    """Alice asks for a call that her offer is to begin."""
    wanted = CallOrder(participants, call_type, {"caller_leg": "webrtc"})
    return (await stage.registry.create(wanted, ALICE, None))[0]


def arrive(stage: Stage, call: Call, user: str = "alice", endpoint: str = GATEWAY) -> str:
    """The channel of a user's browser comes in, which names a call; its id."""
    args = f"browser,{call.id}"
    return stage.fake.calls_in(APP, args=args, endpoint=endpoint, caller_number=user)


async def test_the_participant_is_rung(stage: Stage) -> None:
    """When the browser's channel is there, and for it."""
    call = await order(stage, "SIP/1001")
    assert stage.fake.channels == {}
    alices = arrive(stage, call)
    phone = await stage.channel(f"sge-{call.id}-1")
    assert stage.fake.channels[alices].variables["SGE_CALL_ID"] == call.id
    stage.fake.phone.answers(phone)
    await stage.until(call.id, "connected")
    assert set(stage.fake.bridges[f"sge-{call.id}"].channels) == {alices, phone}
    stage.fake.phone.hangs_up(alices)
    ended = await stage.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (16, "ANSWER")
    await stage.empty()


async def test_an_extension_and_a_user(stage: Stage) -> None:
    """All of their phones ring, and a page is told which call it is."""
    call = await order(stage, "SIP/1500", "carol", "bob")
    arrive(stage, call)
    names = [await stage.channel(f"sge-{call.id}-{number}") for number in (1, 2, 3)]
    channels = [stage.fake.channels[name] for name in names]
    assert [each.endpoint for each in channels] == ["PJSIP/1001", BOBS, BOBS]
    header = "PJSIP_HEADER(add,X-SGE-Session)"
    assert [each.variables.get(header) for each in channels] == [None, call.id, call.id]
    await stage.end(call.id)
    await stage.empty()


@pytest.mark.parametrize(("participant", "cause"), [("SIP/7777", 1), ("carol", 20)])
async def test_nobody_can_be_rung(stage: Stage, participant: str, cause: int) -> None:
    """There is no such number, or no page of this user."""
    call = await order(stage, participant)
    arrive(stage, call)
    assert (await stage.until(call.id, "ended")).hangup_cause == cause
    await stage.empty()


async def test_a_call_that_is_over(stage: Stage) -> None:
    """Who comes too late, or for a call that never was, is hung up."""
    call = await order(stage, "SIP/1001")
    await stage.end(call.id)
    arrive(stage, call)
    await stage.empty()
    stage.fake.calls_in(APP, args="browser,no-such-call", endpoint=GATEWAY)
    await stage.empty()


async def test_only_the_gateway_names_a_call(stage: Stage) -> None:
    """Another phone whose dialplan says the same is a caller for an extension that is none."""
    call = await order(stage, "SIP/1001")
    arrive(stage, call, endpoint="PJSIP/1002")
    await stage.empty()
    assert (await stage.registry.get(call.id, SERVICE)).status == "initiating"


async def test_the_caller_joins_a_call_that_is_rung(stage: Stage) -> None:
    """A call placed as ever gets its caller's browser as its first leg."""
    order = CallOrder(("SIP/1001",), CallType.AUDIO, {})
    call, _ = await stage.registry.create(order, ALICE, None)
    phone = await stage.channel(f"sge-{call.id}-0")
    alices = arrive(stage, call)
    await stage.when(lambda: stage.fake.channels[alices].variables.get("SGE_CALL_ID") == call.id)
    stage.fake.phone.answers(phone)
    await stage.until(call.id, "connected")
    await stage.when(lambda: set(stage.fake.bridges[f"sge-{call.id}"].channels) == {alices, phone})
    await stage.end(call.id)
    await stage.empty()


async def test_users_of_a_placed_call(stage: Stage) -> None:
    """A user who has a page open rings after the first telephone, and is offered Opus."""
    stage.fake.phones["PJSIP/1002"] = PhoneState.ANSWERS
    call = await stage.place("carol", "bob", "SIP/1002")
    bobs = await stage.channel(f"sge-{call.id}-2")
    assert stage.fake.channels[bobs].endpoint == BOBS
    stage.fake.phone.answers(bobs)
    await stage.until(call.id, "connected")
    await stage.end(call.id)
    await stage.empty()


async def test_two_channels_of_one_caller(stage: Stage) -> None:
    """A page that has offered twice: one call rings the telephone once, and the later one talks."""
    call = await order(stage, "SIP/1001")
    given_up, alices = arrive(stage, call), arrive(stage, call)
    phone = await stage.channel(f"sge-{call.id}-1")
    board = stage.telephony.switchboard
    assert board is not None
    await stage.when(lambda: [len(live.legs) for live in board.calls] == [3])
    stage.fake.phone.answers(phone)
    await stage.until(call.id, "connected")
    await stage.when(lambda: given_up not in stage.fake.channels)
    assert set(stage.fake.bridges[f"sge-{call.id}"].channels) == {alices, phone}
    await stage.end(call.id)
    await stage.empty()


async def test_a_call_that_ends_while_its_telephones_are_looked_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not begun."""
    ari = stage.telephony.ari
    assert ari is not None
    look = ari.endpoint

    async def end_first(technology: str, resource: str) -> Any:
        await stage.end(call.id)
        return await look(technology, resource)

    monkeypatch.setattr(ari, "endpoint", end_first)
    call = await order(stage, "SIP/1001")
    alices = arrive(stage, call)
    await stage.until(call.id, "ended")
    await stage.when(lambda: alices not in stage.fake.channels)
    assert all("create" not in request.path for request in stage.fake.requests)
    await stage.empty()


async def test_a_call_is_answered_where_it_rings(stage: Stage) -> None:
    """Not by a request, which would leave the page ringing and the caller in silence."""
    call = await order(stage, "bob")
    arrive(stage, call)
    await stage.channel(f"sge-{call.id}-1")
    bob = Identity("bob", frozenset({Scope.CALLS}))
    with pytest.raises(CallStateError):
        await stage.registry.accept(call.id, bob, None)
    await stage.end(call.id)
    await stage.empty()


async def test_a_browser_alone_is_offered_opus(stage: Stage) -> None:
    """Nobody's codecs are known from whom the browser would take them."""
    call = await stage.place(BOBS)
    created = [each for each in stage.fake.requests if each.path == ("channels", "create")]
    assert created[-1].query["formats"] == "opus,ulaw"
    await stage.end(call.id)
    await stage.empty()


async def test_a_call_is_taken_over(fake_ari: FakeAri, tmp_path: Path) -> None:
    """After a restart of ours the browser's channel is found by the call that it names."""
    fake_ari.phones["PJSIP/1001"] = PhoneState.RINGS
    async with fake_ari:
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as first:
            call = await order(first, "SIP/1001")
            alices = arrive(first, call)
            phone = await first.channel(f"sge-{call.id}-1")
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as second:
            second.fake.phone.answers(phone)
            await second.until(call.id, "connected")
            second.fake.phone.hangs_up(alices)
            await second.until(call.id, "ended")
            await second.empty()


async def test_a_caller_is_gone_meanwhile(fake_ari: FakeAri, tmp_path: Path) -> None:
    """Then the phones that ring for him are ended."""
    fake_ari.phones["PJSIP/1001"] = PhoneState.RINGS
    async with fake_ari:
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as first:
            call = await order(first, "SIP/1001")
            alices = arrive(first, call)
            await first.channel(f"sge-{call.id}-1")
        fake_ari.phone.hangs_up(alices)
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as second:
            await second.until(call.id, "ended")
            await second.empty()


async def test_a_call_without_a_channel_is_left_to_the_gateway(
    fake_ari: FakeAri, tmp_path: Path
) -> None:
    """What Asterisk knows nothing of in Stasis may be talking to the dialplan."""
    async with fake_ari:
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as first:
            call = await order(first, "SIP/600")
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as second:
            assert (await second.registry.get(call.id, SERVICE)).is_active


async def test_a_run_without_a_gateway(fake_ari: FakeAri, tmp_path: Path) -> None:
    """Calls that began in a browser of an earlier run are lost: nobody else would end them."""
    async with fake_ari:
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as first:
            call = await order(first, "SIP/600")
        async with open_stage(tmp_path, fake_ari) as second:
            await second.until(call.id, "ended")


def muted(stage: Stage) -> set[str]:
    """The channels whose party is not heard."""
    return {channel.id for channel in stage.fake.channels.values() if channel.muted == {"in"}}


async def mute(stage: Stage, call: Call, user: str) -> None:
    """A page asks for its own leg, as the gateway does."""
    board = stage.telephony.switchboard
    assert board is not None
    await board.perform(call, Mute(user, "in"), user, frozenset({user}))


async def test_a_page_that_rang_for_a_number_mutes_itself(stage: Stage) -> None:
    """Its leg is found by the user that was dialled; whoever has none mutes nobody."""
    phone = stage.fake.calls_in(APP, args="1500", caller_number="1009")
    call = await stage.only_call()
    bobs = await stage.channel(f"sge-{call.id}-2")
    stage.fake.phone.answers(bobs)
    await stage.until(call.id, "connected")
    await mute(stage, call, "bob")
    assert muted(stage) == {bobs}
    with pytest.raises(CallStateError):
        await mute(stage, call, "carol")
    assert muted(stage) == {bobs}
    board = stage.telephony.switchboard
    assert board is not None
    await board.perform(call, Hold(), "bob", frozenset())
    assert (stage.fake.channels[phone].music, stage.fake.channels[bobs].music) == (True, False)
    await stage.end(call.id)
    await stage.empty()


async def test_pages_mute_themselves_after_a_restart(fake_ari: FakeAri, tmp_path: Path) -> None:
    """The caller's, and one that came into the call later, by the number they call with."""
    fake_ari.phones["PJSIP/1001"] = PhoneState.ANSWERS
    async with fake_ari:
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as first:
            call = await order(first, "SIP/1001")
            alices = arrive(first, call)
            await first.until(call.id, "connected")
            carols = arrive(first, call, "carol~40example.org")
            bridge = first.fake.bridges[f"sge-{call.id}"]
            await first.when(lambda: carols in bridge.channels)
        async with open_stage(tmp_path, fake_ari, **SETTINGS) as second:
            await mute(second, call, "carol@example.org")
            assert muted(second) == {carols}
            await mute(second, call, "alice")
            assert muted(second) == {alices, carols}
            with pytest.raises(CallStateError):
                await mute(second, call, "bob")
            await second.end(call.id)
            await second.empty()


async def test_the_others_are_rung_when_the_caller_comes(stage: Stage) -> None:
    """In a call that was placed they would wait for the first telephone, which may not answer."""
    wanted = CallOrder(("SIP/1001", "bob"), CallType.AUDIO, {})
    call, _ = await stage.registry.create(wanted, ALICE, None)
    phone = await stage.channel(f"sge-{call.id}-0")
    arrive(stage, call)
    bobs = await stage.channel(f"sge-{call.id}-1")
    stage.fake.phone.hangs_up(phone)
    stage.fake.phone.answers(bobs)
    await stage.until(call.id, "connected")
    await stage.end(call.id)
    await stage.empty()


async def test_a_user_rings_nothing_outside(stage: Stage) -> None:
    """That the caller is a browser makes no way around the policy."""
    with pytest.raises(CallForbiddenError):
        await order(stage, "PJSIP/0123@trunk")
