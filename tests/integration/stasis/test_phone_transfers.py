"""Transfers by phones, returning callers and quality, on a fake Asterisk with real records."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from call_stage import APP, SERVICE, Stage, open_stage

from fastagi_server.calls.models import CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.stasis.upkeep import PbxView
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState


def answering(fake: FakeAri) -> FakeAri:
    """The fake with two phones that answer at once."""
    fake.phones["PJSIP/1001"] = PhoneState.ANSWERS
    fake.phones["PJSIP/1002"] = PhoneState.ANSWERS
    return fake


@pytest.fixture
async def stage(fake_ari: FakeAri, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A linked service whose phones 1001 and 1002 answer at once."""
    async with fake_ari, open_stage(tmp_path, answering(fake_ari)) as opened:
        yield opened


async def test_a_phone_transfers(stage: Stage) -> None:
    """The channel in its place is led on; the call ends with it, and nothing is left."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    heir = stage.fake.phone.transfers(f"sge-{call.id}-1", "1004")
    await stage.when(lambda: f"sge-{call.id}-1" not in stage.fake.channels)
    assert set(stage.fake.bridges[f"sge-{call.id}"].channels) == {f"sge-{call.id}-0", heir}
    await stage.when(lambda: APP in stage.fake.channels[heir].watchers)
    stage.fake.phone.hangs_up(heir, cause=17)
    assert (await stage.until(call.id, "ended")).hangup_cause == 17
    await stage.empty()
    assert await stage.kinds(call.id) == ["created", "ringing", "accepted", "transferred", "ended"]
    transferred = (await stage.registry.events(call.id, SERVICE))[3]
    assert transferred.facts == {"participant": "SIP/1002", "to": "1004"}
    assert transferred.actor == "asterisk"


async def test_the_channel_of_a_transfer_is_gone_at_once(stage: Stage) -> None:
    """Nothing more is told of it, but the call ends all the same."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    stage.fake.phone.hangs_up(stage.fake.phone.transfers(f"sge-{call.id}-1", "1004"))
    await stage.until(call.id, "ended")
    await stage.empty()


async def test_a_transferred_call_outlives_the_service(fake_ari: FakeAri, tmp_path: Path) -> None:
    """The successor finds who came by the transfer in the bridge, and leads him on."""
    async with answering(fake_ari):
        async with open_stage(tmp_path, fake_ari) as before:
            call = await before.place("SIP/1001", "SIP/1002")
            await before.until(call.id, "connected")
            heir = fake_ari.phone.transfers(f"sge-{call.id}-0", "1004")
            await before.when(lambda: f"sge-{call.id}-0" not in fake_ari.channels)
            await before.when(lambda: heir in fake_ari.bridges[f"sge-{call.id}"].channels)
        async with open_stage(tmp_path, fake_ari) as after:
            assert (await after.until(call.id, "connected")).end_time is None
            assert [each.id for each in await after.registry.active(SERVICE, 10)] == [call.id]
            fake_ari.phone.hangs_up(heir)
            await after.until(call.id, "ended")
            await after.empty()


async def test_a_channel_that_comes_again(stage: Stage) -> None:
    """Its first call has ended: it is a call of its own, which its successor finds too."""
    channel = stage.fake.calls_in(APP, args="1001")
    first = await stage.only_call()
    await stage.until(first.id, "connected")
    world = stage.fake.world
    world.leave(world.channels[channel])
    await stage.until(first.id, "ended")
    world.enter(world.channels[channel], APP, "1002")
    second = await stage.only_call()
    await stage.until(second.id, "connected")
    assert second.id != first.id
    assert second.metadata["asterisk_channel_id"] == channel
    assert world.channels[channel].variables["SGE_CALL_ID"] == second.id
    stage.fake.phone.hangs_up(channel)
    assert (await stage.until(second.id, "ended")).hangup_cause == 16
    assert (await stage.registry.get(first.id, SERVICE)).participants == ("SIP/1001",)
    await stage.empty()


async def test_the_successor_leads_a_channel_that_came_again(
    fake_ari: FakeAri, tmp_path: Path
) -> None:
    """It is found by the channel that is noted in the record."""
    async with answering(fake_ari):
        async with open_stage(tmp_path, fake_ari) as before:
            channel = fake_ari.calls_in(APP, args="1001")
            first = await before.only_call()
            await before.until(first.id, "connected")
            fake_ari.world.leave(fake_ari.channels[channel])
            await before.until(first.id, "ended")
            fake_ari.world.enter(fake_ari.channels[channel], APP, "1002")
            second = await before.only_call()
            await before.until(second.id, "connected")
        async with open_stage(tmp_path, fake_ari) as after:
            await after.until(second.id, "connected")
            fake_ari.phone.hangs_up(channel)
            await after.until(second.id, "ended")
            await after.empty()


async def test_how_a_call_sounded(stage: Stage) -> None:
    """What Asterisk tells of both legs is in the record once both are gone."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    for leg, lost in ((f"sge-{call.id}-1", 0), (f"sge-{call.id}-0", 25)):
        stage.fake.phone.sounded(
            leg,
            RTPAUDIOQOS=f"lp={lost};rxcount=75;txcount=75;rlp=0",
            RTPAUDIOQOSJITTER="avgrxjitter=000.002000;",
            RTPAUDIOQOSMES="avgrxmes=080.000000;",
            SOMETHING="avgrxmes=001.000000;",
        )
    stage.fake.phone.hangs_up(f"sge-{call.id}-1")
    await stage.until(call.id, "ended")
    await stage.empty()
    await stage.measured(call.id)
    assert (await stage.registry.get(call.id, SERVICE)).quality == {
        "mes": 80.0,
        "mos": 4.0,
        "loss_percent": 25.0,
        "jitter_ms": 2.0,
        "round_trip_ms": None,
    }
    assert (await stage.kinds(call.id))[-2:] == ["ended", "measured"]


async def test_who_ended_a_call(stage: Stage) -> None:
    """The phone, the user who asked for it, or whoever ended its channel in Asterisk."""
    for end, by in (("phone", "callee"), ("user", "user"), ("console", "pbx")):
        call = await stage.place("SIP/1001", "SIP/1002")
        await stage.until(call.id, "connected")
        leg = f"sge-{call.id}-1"
        if end == "phone":
            stage.fake.phone.hangs_up(leg)
        elif end == "user":
            await stage.end(call.id)
        else:
            assert stage.telephony.ari is not None
            await stage.telephony.ari.hang_up(leg)
        await stage.until(call.id, "ended")
        await stage.empty()
        (told,) = (e for e in await stage.registry.events(call.id, SERVICE) if e.kind == "ended")
        assert told.facts["ended_by"] == by


@pytest.mark.parametrize(("dialplan", "missed"), [("pbx7", {"pbx7"}), ("", {"pbx1"})])
async def test_only_calls_of_this_pbx_are_missed(
    stage: Stage, dialplan: str, missed: set[str]
) -> None:
    """Of calls whose channels are not here those of the system that this Asterisk calls itself."""
    stage.fake.world.variables["SGE_SYSTEM"] = dialplan
    calls = [
        (
            await stage.registry.create(
                CallOrder(
                    ("SIP/1001",),
                    CallType.AUDIO,
                    {"asterisk_call_id": "17.4", "asterisk_system": system},
                ),
                SERVICE,
                None,
            )
        )[0]
        for system in ("pbx1", "pbx2", "pbx7")
    ]
    ari, board = stage.telephony.ari, stage.telephony.switchboard
    assert ari is not None
    assert board is not None
    led, gone = await PbxView(ari, board, system_name="pbx1").unseen(calls)
    assert led == set()
    assert {each.channel.system for each in calls if each.channel and each.id in gone} == missed
