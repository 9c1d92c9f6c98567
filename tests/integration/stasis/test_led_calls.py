"""The switchboard and its applications on a fake Asterisk: what phones do, what is recorded."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from call_stage import APP, OUTBOUND, SERVICE, Stage, open_stage

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.models import Application
from fastagi_server.calls.commands import Hold, Mute, Play, SendDtmf, Transfer, Unhold, Unmute
from fastagi_server.calls.errors import (
    CallStateError,
    PbxRefusedError,
    PbxTooSlowError,
    PbxUnreachableError,
)
from fastagi_server.calls.models import Call, CallType, EndFacts
from fastagi_server.calls.orders import CallOrder
from fastagi_server.store.errors import StoreBusyError
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState


@pytest.fixture
async def stage(fake_ari: FakeAri, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A linked service whose phones 1001 and 1002 answer at once and 1003 waits for the test."""
    async with fake_ari, open_stage(tmp_path, fake_ari, **SETTINGS) as opened:
        fake_ari.phones["PJSIP/1001"] = PhoneState.ANSWERS
        fake_ari.phones["PJSIP/1002"] = PhoneState.ANSWERS
        yield opened


SETTINGS = {
    "sge_dial_strings": {"1500": ("PJSIP/1002", "PJSIP/1003")},
    "sge_trunk": "PJSIP/trunk",
    "sge_outbound_allow": ("0X.",),
    "sge_outbound_deny": ("0900X.",),
    "asterisk_ari_timeout_seconds": 0.5,
}


async def test_two_phones(stage: Stage) -> None:
    """Both are rung, bridged and, at the end, gone with their bridge."""
    call = await stage.place("SIP/1001", "PJSIP/1002")
    await stage.until(call.id, "connected")
    assert set(stage.fake.bridges[f"sge-{call.id}"].channels) == {
        f"sge-{call.id}-0",
        f"sge-{call.id}-1",
    }
    ended = await stage.end(call.id)
    assert (ended.status, ended.hangup_cause, ended.dial_status) == ("ended", 16, "ANSWER")
    await stage.empty()
    assert await stage.kinds(call.id) == ["created", "ringing", "accepted", "ended"]
    switchboard = stage.telephony.switchboard
    assert switchboard is not None
    await stage.when(lambda: switchboard.calls == ())


@pytest.mark.parametrize(
    ("call_type", "first_offer"),
    [
        (CallType.AUDIO, None),
        (CallType.VIDEO, "opus,g722,ulaw,alaw,vp8,vp9,h264"),
        (CallType.SCREEN, "opus,g722,ulaw,alaw,vp8,vp9,h264"),
    ],
)
async def test_what_is_offered(stage: Stage, call_type: CallType, first_offer: str | None) -> None:
    """The first phone of a call with pictures is offered them, the second what the first has."""
    call = await stage.place("SIP/1001", "SIP/1002", call_type=call_type)
    await stage.until(call.id, "connected")
    made = [each.query for each in stage.fake.requests if each.path == ("channels", "create")]
    assert [each.get("formats") or None for each in made] == [first_offer, None]
    assert made[1]["originator"] == f"sge-{call.id}-0"
    await stage.end(call.id)


async def test_a_phone_hangs_up(stage: Stage) -> None:
    """The other one is hung up too."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    stage.fake.phone.hangs_up(f"sge-{call.id}-1")
    ended = await stage.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (16, "ANSWER")
    await stage.empty()


@pytest.mark.parametrize(
    ("state", "cause", "status"),
    [(PhoneState.BUSY, 17, "BUSY"), (PhoneState.OFFLINE, 20, "CHANUNAVAIL")],
)
async def test_a_phone_that_does_not_answer(
    stage: Stage, state: PhoneState, cause: int, status: str
) -> None:
    """The call ends with its cause, and nothing is left."""
    stage.fake.phones["PJSIP/1002"] = state
    call = await stage.place("SIP/1001", "SIP/1002")
    ended = await stage.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (cause, status)
    await stage.empty()


async def test_a_refused_call_leaves_nothing(stage: Stage) -> None:
    """When Asterisk cannot ring the first phone there is neither a record nor a channel."""
    stage.fake.phones["PJSIP/1001"] = PhoneState.OFFLINE
    with pytest.raises(PbxRefusedError):
        await stage.place("SIP/1001", "SIP/1002")
    assert await stage.registry.active(SERVICE, 10) == []
    await stage.empty()


async def test_a_phone_rings_once_the_call_is_recorded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel is made meanwhile; without a record it is taken away and nothing rang."""
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def fail(*_: object) -> tuple[Call, bool]:
        await written
        raise StoreBusyError("the disk is slow")

    monkeypatch.setattr(stage.store.calls, "create", fail)
    placing = asyncio.create_task(stage.place("SIP/1001", "SIP/1002"))
    await stage.when(lambda: stage.fake.channels)
    (channel,) = stage.fake.channels.values()
    assert not channel.dialled
    written.set_result(None)
    with pytest.raises(StoreBusyError):
        await placing
    assert not channel.dialled
    await stage.empty()
    assert stage.telephony.switchboard is not None
    assert stage.telephony.switchboard.calls == ()


async def test_a_failing_pbx_leaves_nothing(stage: Stage) -> None:
    """A failure half-way, or an answer that is lost: what was made is taken back."""
    stage.fake.refuse_next()
    with pytest.raises(PbxRefusedError):
        await stage.place("SIP/1001")
    stage.fake.lose_next_answer()
    with pytest.raises(PbxTooSlowError):
        await stage.place("SIP/1001")
    assert await stage.registry.active(SERVICE, 10) == []
    await stage.empty()


async def test_a_pbx_that_is_away(stage: Stage) -> None:
    """Nothing is placed, ended or held without events; a call that goes on is still led after."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    board = stage.telephony.switchboard
    assert board is not None
    stage.fake.cut_sockets()
    await stage.when(lambda: not board.is_linked)
    with pytest.raises(PbxUnreachableError):
        await stage.place("SIP/1003")
    with pytest.raises(PbxUnreachableError):
        await stage.end(call.id)
    with pytest.raises(PbxUnreachableError):
        await stage.registry.command(call.id, SERVICE, Hold())
    await stage.when(lambda: board.is_linked)
    assert (await stage.end(call.id)).status == "ended"
    await stage.empty()


async def test_a_caller_is_connected(stage: Stage) -> None:
    """He is recorded, rings the extension's phone and is answered when it is."""
    caller = stage.fake.calls_in(APP, args="1003", caller_number="1002")
    call = await stage.only_call()
    assert call.participants == ("SIP/1003",)
    assert call.metadata["caller_id"] == "1002"
    phone = await stage.channel(f"sge-{call.id}-1")
    stage.fake.phone.rings(phone)
    await stage.until(call.id, "ringing")
    stage.fake.phone.answers(phone)
    await stage.until(call.id, "connected")
    assert stage.fake.channels[caller].state == "Up"
    stage.fake.phone.hangs_up(caller)
    assert (await stage.until(call.id, "ended")).dial_status == "ANSWER"
    await stage.empty()


async def test_a_registered_caller_has_one_record(stage: Stage) -> None:
    """The call that the dialplan registered is the one that is led."""
    metadata = {"asterisk_call_id": "17.4", "asterisk_system": "pbx1"}
    order = CallOrder(("SIP/1003",), CallType.VIDEO, metadata)
    registered, _ = await stage.registry.create(order, SERVICE, None)
    variables = {"SGE_CALL_ID": registered.id}
    stage.fake.calls_in(APP, args="1003", channel_id="17.4", variables=variables)
    await stage.channel(f"sge-{registered.id}-1")
    assert [call.id for call in await stage.registry.active(SERVICE, 10)] == [registered.id]


async def test_somebody_elses_call_is_not_taken(stage: Stage) -> None:
    """A channel that names the call of another channel gets one of its own."""
    metadata = {"asterisk_call_id": "17.4", "asterisk_system": "pbx1"}
    order = CallOrder(("SIP/1003",), CallType.AUDIO, metadata)
    registered, _ = await stage.registry.create(order, SERVICE, None)
    variables = {"SGE_CALL_ID": registered.id}
    stage.fake.calls_in(APP, args="1003", channel_id="17.5", variables=variables)
    await stage.when(lambda: any(each.startswith("sge-") for each in stage.fake.channels))
    assert len(await stage.registry.active(SERVICE, 10)) == 2


async def test_the_first_of_two_phones_wins(stage: Stage) -> None:
    """The other one is told that the call was answered elsewhere."""
    stage.fake.calls_in(APP, args="1500", caller_number="1001")
    call = await stage.only_call()
    await stage.until(call.id, "connected")
    await stage.when(lambda: f"sge-{call.id}-2" not in stage.fake.channels)
    hung_up = [str(each) for each in stage.fake.requests if each.method == "DELETE"]
    assert any(f"sge-{call.id}-2" in each for each in hung_up)


async def test_a_caller_gives_up(stage: Stage) -> None:
    """The phone stops ringing; 16 is what the caller meant."""
    caller = stage.fake.calls_in(APP, args="1003")
    call = await stage.only_call()
    await stage.channel(f"sge-{call.id}-1")
    stage.fake.phone.hangs_up(caller, cause=127)
    ended = await stage.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (16, "CANCEL")
    await stage.empty()


async def test_a_number_that_is_none(stage: Stage) -> None:
    """Cause 1, and nobody is rung."""
    stage.fake.calls_in(APP, args="1001&PJSIP/1002")
    await stage.empty()
    query = [request for request in stage.fake.requests if "create" in str(request)]
    assert query == []


async def test_a_user_takes_a_call(stage: Stage) -> None:
    """The caller is answered in his name and the phone stops ringing."""
    caller = stage.fake.calls_in(APP, args="1003")
    call = await stage.only_call()
    await stage.channel(f"sge-{call.id}-1")
    accepted = await stage.registry.accept(call.id, SERVICE, None)
    assert accepted.status == "connected"
    assert stage.fake.channels[caller].state == "Up"
    await stage.when(lambda: list(stage.fake.channels) == [caller])
    again = await stage.registry.accept(call.id, SERVICE, None)
    assert again.answered_at == accepted.answered_at


async def test_a_call_out(stage: Stage) -> None:
    """An allowed number is rung through the trunk."""
    stage.fake.phones["PJSIP/0301234@trunk"] = PhoneState.ANSWERS
    stage.fake.calls_in(OUTBOUND, args="0301234")
    call = await stage.only_call()
    await stage.until(call.id, "connected")
    assert stage.fake.channels[f"sge-{call.id}-1"].endpoint == "PJSIP/0301234@trunk"


async def test_a_call_out_that_is_refused(stage: Stage) -> None:
    """A denied number rings nobody; the record has the cause that the caller hears."""
    stage.fake.calls_in(OUTBOUND, args="0900123")
    await stage.empty()
    assert not [request for request in stage.fake.requests if "create" in str(request)]


async def test_commands(stage: Stage) -> None:
    """Each does in Asterisk what it says, to whom it says."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    first, second = (stage.fake.channels[f"sge-{call.id}-{number}"] for number in (0, 1))
    held = await stage.registry.command(call.id, SERVICE, Hold())
    assert (held.status, second.music, first.music) == ("on_hold", True, False)
    back = await stage.registry.command(call.id, SERVICE, Unhold())
    assert (back.status, second.music) == ("connected", False)
    await stage.registry.command(call.id, SERVICE, Mute("SIP/1002"))
    assert second.muted == {"in"}
    await stage.registry.command(call.id, SERVICE, Unmute("SIP/1002"))
    assert second.muted == set()
    await stage.registry.command(call.id, SERVICE, SendDtmf("12#"))
    assert second.digits == "12#"
    await stage.registry.command(call.id, SERVICE, Play("hello-world"))
    await stage.registry.command(call.id, SERVICE, Play("hello-world", "SIP/1001"))
    with pytest.raises(CallStateError):
        await stage.registry.command(call.id, SERVICE, Mute("SIP/1003"))
    stage.fake.refuse_next(status=400)
    with pytest.raises(PbxRefusedError):
        await stage.registry.command(call.id, SERVICE, Play("no-such-sound"))


async def test_a_transfer(stage: Stage) -> None:
    """The one leaves, the other talks to the new phone."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    await stage.registry.command(call.id, SERVICE, Transfer("SIP/1003", "SIP/1001"))
    new = await stage.channel(f"sge-{call.id}-2")
    await stage.when(lambda: f"sge-{call.id}-0" not in stage.fake.channels)
    stage.fake.phone.answers(new)
    stage.fake.phone.hangs_up(f"sge-{call.id}-1")
    await stage.until(call.id, "ended")
    await stage.empty()


async def test_commands_before_the_answer(stage: Stage) -> None:
    """Nothing can be held, or transferred, that is not connected."""
    call = await stage.place("SIP/1003")
    with pytest.raises(CallStateError):
        await stage.registry.command(call.id, SERVICE, Hold())


async def test_a_phone_holds(stage: Stage) -> None:
    """The record follows the phone."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    stage.fake.phone.holds(f"sge-{call.id}-1")
    await stage.until(call.id, "on_hold")
    stage.fake.phone.unholds(f"sge-{call.id}-1")
    await stage.until(call.id, "connected")


async def test_an_adopted_call_is_hung_up(stage: Stage) -> None:
    """A channel that the dialplan leads is ended by its id, if it is this call's."""
    metadata = {"asterisk_call_id": "17.4", "asterisk_system": "pbx1"}
    order = CallOrder(("SIP/1003",), CallType.AUDIO, metadata)
    call, _ = await stage.registry.create(order, SERVICE, None)
    assert (await stage.registry.end(call.id, SERVICE, EndFacts())).status == "ended"
    requests = [str(request) for request in stage.fake.requests]
    assert not [each for each in requests if each.startswith("DELETE channels/17.4")]


async def test_the_successor_leads_on(fake_ari: FakeAri, tmp_path: Path) -> None:
    """What talked goes on, what was rung is answered, what is gone is lost, no ghost stays."""
    async with fake_ari:
        fake_ari.phones["PJSIP/1001"] = PhoneState.ANSWERS
        fake_ari.phones["PJSIP/1002"] = PhoneState.ANSWERS
        async with open_stage(tmp_path, fake_ari) as before:
            talking = await before.place("SIP/1001", "SIP/1002")
            lost = await before.place("SIP/1001", "SIP/1002")
            half = await before.place("SIP/1001", "SIP/1002")
            ringing = await before.place("SIP/1003", "SIP/1002")
            for call in (talking, lost, half):
                await before.until(call.id, "connected")
        for channel in (f"sge-{lost.id}-0", f"sge-{lost.id}-1", f"sge-{half.id}-1"):
            fake_ari.phone.hangs_up(channel)
        fake_ari.phone.answers(f"sge-{ringing.id}-0")
        async with open_stage(tmp_path, fake_ari) as after:
            await after.until(lost.id, "ended")
            await after.until(half.id, "ended")
            await after.until(ringing.id, "connected")
            await after.until(talking.id, "connected")
            log = await after.registry.events(lost.id, SERVICE)
            assert log[-1].facts == {"reason": "lost"}
            await after.end(talking.id)
            await after.end(ringing.id)
            await after.empty()


async def test_a_channel_that_ends_while_it_is_taken_over(
    fake_ari: FakeAri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call ends as lost; the others, which are asked for with it, are led on."""
    subscribe = AriClient.subscribe
    async with fake_ari:
        fake_ari.phones["PJSIP/1001"] = PhoneState.ANSWERS
        fake_ari.phones["PJSIP/1002"] = PhoneState.ANSWERS
        async with open_stage(tmp_path, fake_ari) as before:
            calls = [await before.place("SIP/1001", "SIP/1002") for _ in range(3)]
            for call in calls:
                await before.until(call.id, "connected")
        gone, *going_on = calls

        async def hang_up_first(client: AriClient, app: str, *sources: str) -> Application:
            if f"sge-{gone.id}-0" in fake_ari.channels:
                fake_ari.phone.hangs_up(f"sge-{gone.id}-0")
            return await subscribe(client, app, *sources)

        monkeypatch.setattr(AriClient, "subscribe", hang_up_first)
        async with open_stage(tmp_path, fake_ari) as after:
            assert (await after.until(gone.id, "ended")).end_time is not None
            for call in going_on:
                assert (await after.registry.get(call.id, SERVICE)).status == "connected"
                await after.end(call.id)
            await after.empty()
