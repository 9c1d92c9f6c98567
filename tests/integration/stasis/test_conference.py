"""Callers in rooms of a fake Asterisk: who comes in, who is refused how, and who is left."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conference_stage import ALICE, APP, BOB, ConferenceStage, open_conference_stage
from structlog.testing import capture_logs

from fastagi_server.ari import events
from fastagi_server.ari.models import Channel
from fastagi_server.calls.errors import (
    PbxRefusedError,
    PbxTooSlowError,
    PbxUnreachableError,
)
from fastagi_server.rooms.attendance import Attendance
from fastagi_server.rooms.errors import (
    RoomBusyError,
    RoomError,
    RoomForbiddenError,
    RoomFullError,
)
from fastagi_server.rooms.models import BridgeType
from fastagi_server.rooms.orders import JoinOrder
from fastagi_server.stasis import conference, prompts
from fastagi_server.store.errors import StoreError
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAri]:
    """A fake Asterisk."""
    async with FakeAri() as asterisk:
        yield asterisk


@pytest.fixture
async def stage(
    asterisk: FakeAri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConferenceStage]:
    """The rooms on it; prompts are not waited for, because nobody plays them."""
    monkeypatch.setattr(prompts, "PROMPT_SECONDS", 0)
    async with open_conference_stage(asterisk, tmp_path) as stage:
        yield stage


async def test_caller_comes_in(stage: ConferenceStage) -> None:
    """A caller is answered, put into the bridge of the room he dialled, and taken out of it."""
    room = await stage.create()
    channel = stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")
    assert stage.asterisk.bridges[room.bridge_id].channels == [channel]
    assert stage.asterisk.channels[channel].state == "Up"
    stage.asterisk.phone.hangs_up(channel)
    await stage.until_states(room, alice="invited")


async def test_unknown_number(stage: ConferenceStage) -> None:
    """A number of no room is refused unanswered with cause 1, after a prompt."""
    channel = stage.call("1002", "999")
    assert await stage.until_gone(channel) == "1"
    assert stage.asked(f"POST channels/{channel}/play") == 1
    assert stage.asked(f"POST channels/{channel}/answer") == 0


async def test_full_and_locked(stage: ConferenceStage) -> None:
    """No seat is cause 17 and a lock cause 21, both unanswered."""
    room = await stage.create(seats=1)
    full = stage.call("1002")
    assert await stage.until_gone(full) == "17"
    await stage.desk.moderation.lock(room.id, ALICE, is_locked=True)
    locked = stage.call("1002")
    assert await stage.until_gone(locked) == "21"
    assert stage.asked("POST channels/1710000000.1/answer") == 0


async def test_music_until_the_moderator(stage: ConferenceStage) -> None:
    """Who waits hears music outside the bridge, and comes in with the moderator."""
    room = await stage.create(require_moderator=True)
    channel = stage.call("1002")
    await stage.until_states(room, alice="invited", bob="waiting")
    await stage.until_asked(f"POST channels/{channel}/moh")
    assert stage.asterisk.bridges[room.bridge_id].channels == []
    moderator = stage.call("1001")
    await stage.until_states(room, alice="present", bob="present")
    assert not stage.asterisk.channels[channel].music
    stage.asterisk.phone.hangs_up(moderator)
    await stage.until_states(room, bob="waiting")
    assert stage.asterisk.channels[channel].music
    assert stage.asterisk.bridges[room.bridge_id].channels == []


async def test_password(stage: ConferenceStage) -> None:
    """A wrong password may be corrected; the owner's phone is not asked."""
    room = await stage.create(password="4711")
    channel = stage.call("1003")
    await stage.until_asked(f"POST channels/{channel}/play")
    stage.asterisk.phone.presses(channel, "12#4711#")
    await stage.until_states(room, alice="invited", x1003="present")
    stage.call("1001")
    await stage.until_states(room, alice="present", x1003="present")


async def test_told_twice(stage: ConferenceStage) -> None:
    """A caller who is in the room is not asked for its password when his coming is told again."""
    room = await stage.create(password="4711")
    channel = stage.call("1003")
    await stage.until_asked(f"POST channels/{channel}/play")
    stage.asterisk.phone.presses(channel, "4711#")
    await stage.until_states(room, alice="invited", x1003="present")
    before = len(stage.asterisk.requests)
    now = datetime.now(UTC)
    stage.conference.receive(events.StasisStart(now, APP, _channel(stage, channel), ("123",), None))
    stage.asterisk.phone.hangs_up(channel)
    await stage.until_states(room, alice="invited")
    assert len(stage.asterisk.requests) == before


async def test_wrong_passwords(stage: ConferenceStage) -> None:
    """Three wrong passwords are enough."""
    room = await stage.create(password="4711")
    channel = stage.call("1002")
    await stage.until_asked(f"POST channels/{channel}/answer")
    stage.asterisk.phone.presses(channel, "1#2#3#")
    assert await stage.until_gone(channel) == "21"
    assert (await stage.room(room)).participants == ("alice",)


async def test_keys_that_never_come(
    stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who keys nothing in is not waited for."""
    monkeypatch.setattr(prompts, "KEYS_SECONDS", 0)
    await stage.create(password="4711")
    assert await stage.until_gone(stage.call("1002")) == "21"


async def test_hang_up_while_asked(stage: ConferenceStage) -> None:
    """A caller who hangs up while he is asked for the password leaves nothing behind."""
    room = await stage.create(password="4711")
    channel = stage.call("1002")
    await stage.until_asked(f"POST channels/{channel}/play")
    stage.asterisk.phone.hangs_up(channel)
    later = stage.call("1001")
    await stage.until_states(room, alice="present")
    assert channel not in stage.asterisk.channels
    assert list(stage.asterisk.channels) == [later]


async def test_ring_a_member(stage: ConferenceStage) -> None:
    """A member's phone that answers is in the bridge; chan_sip's name means PJSIP's."""
    stage.asterisk.phones["PJSIP/1002"] = PhoneState.ANSWERS
    room = await stage.create()
    await stage.desk.registry.join(room.id, JoinOrder(endpoint="SIP/1002"), BOB)
    await stage.until_states(room, alice="invited", bob="present")
    assert stage.asterisk.bridges[room.bridge_id].channels == [f"{room.bridge_id}-0"]
    await stage.desk.registry.leave(room.id, BOB)
    assert stage.asterisk.channels == {}


async def test_ring_a_busy_member(stage: ConferenceStage) -> None:
    """A member whose phone refuses is what he was before."""
    stage.asterisk.phones["PJSIP/1001"] = PhoneState.BUSY
    room = await stage.create()
    await stage.desk.registry.join(room.id, JoinOrder(), ALICE)
    await stage.desk.registry.join(room.id, JoinOrder(endpoint="PJSIP/1001"), ALICE)
    await stage.until_states(room, alice="joined")


async def test_ring_refused(stage: ConferenceStage) -> None:
    """When Asterisk refuses, or its answer is lost, there is neither member nor channel."""
    room = await stage.create()
    stage.asterisk.refuse_next()
    order = JoinOrder(endpoint="PJSIP/1002")
    with pytest.raises(PbxRefusedError):
        await stage.desk.registry.join(room.id, order, BOB)
    stage.asterisk.lose_next_answer()
    with pytest.raises(PbxTooSlowError):
        await stage.desk.registry.join(room.id, order, BOB)
    await stage.until_states(room, alice="invited")
    assert stage.asterisk.channels == {}


@pytest.mark.parametrize(
    ("bridge_type", "made"), [("holding", "holding"), ("dtmf_events", "mixing")]
)
async def test_bridges(stage: ConferenceStage, bridge_type: str, made: str) -> None:
    """A holding room plays music; the types that cannot stand alone are made with mixing."""
    room = await stage.create(bridge_type=BridgeType(bridge_type))
    bridge = stage.asterisk.bridges[room.bridge_id]
    assert (bridge.type, bridge.music) == (made, made == "holding")


async def test_no_bridge_no_room(stage: ConferenceStage) -> None:
    """A bridge that is refused, or cannot be watched, leaves neither room nor bridge behind."""
    stage.asterisk.refuse_next()
    with pytest.raises(PbxRefusedError):
        await stage.create()
    stage.asterisk.lose_next_answer()
    with pytest.raises(PbxTooSlowError):
        await stage.create()
    assert stage.asterisk.bridges == {}
    assert await stage.desk.registry.active(ALICE, 10) == []


async def test_mute_and_unmute(stage: ConferenceStage) -> None:
    """A muted member is not heard, not even when he comes in muted."""
    room = await stage.create(require_moderator=True)
    channel = stage.call("1002")
    await stage.until_states(room, alice="invited", bob="waiting")
    await stage.desk.moderation.mute(room.id, "bob", ALICE, is_muted=True)
    stage.call("1001")
    await stage.until_states(room, alice="present", bob="present")
    assert stage.asterisk.channels[channel].muted == {"in"}
    await stage.desk.moderation.mute(room.id, "bob", ALICE, is_muted=False)
    assert stage.asterisk.channels[channel].muted == set()


async def test_recording(stage: ConferenceStage) -> None:
    """A recording that Asterisk ends by itself is not running any more."""
    room = await stage.create(allow_recording=True)
    started = await stage.desk.moderation.start_recording(room.id, ALICE)
    name = started.recording or ""
    recording = {**stage.asterisk.world.recordings[name], "state": "done"}
    stage.asterisk.world.publish("RecordingFinished", (APP,), recording=recording)
    await stage.until(room, lambda now: now.recording is None)


async def test_prompt_is_waited_for(
    stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal comes when the prompt is over."""
    monkeypatch.setattr(prompts, "PROMPT_SECONDS", 60)
    channel = stage.call("1002", "999")
    await stage.until_asked(f"POST channels/{channel}/play")
    assert channel in stage.asterisk.channels
    playback = {**next(iter(stage.asterisk.world.playbacks.values())), "state": "done"}
    stage.asterisk.world.publish("PlaybackFinished", (APP,), playback=playback)
    assert await stage.until_gone(channel) == "1"


async def test_lost_bridge(stage: ConferenceStage) -> None:
    """A bridge that is destroyed from outside is made again."""
    room = await stage.create()
    stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")
    stage.asterisk.world.destroy_bridge(stage.asterisk.bridges[room.bridge_id])
    await stage.until_states(room, alice="invited")
    stage.call("1003")
    await stage.until_states(room, alice="invited", x1003="present")


async def test_bridge_that_vanished(stage: ConferenceStage) -> None:
    """A caller for whom there is no bridge, though nobody told of its end, gets one."""
    room = await stage.create()
    del stage.asterisk.bridges[room.bridge_id]
    stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")


async def test_records_of_another_program(
    asterisk: FakeAri, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bridges of ours that no record knows are cleared away, with who is in them."""
    async with open_conference_stage(asterisk, tmp_path_factory.mktemp("one")) as one:
        room = await one.create()
        channel = one.call("1002")
        await one.until_states(room, alice="invited", bob="present")
    async with open_conference_stage(asterisk, tmp_path_factory.mktemp("other")) as other:
        assert (asterisk.bridges, asterisk.channels) == ({}, {})
        assert await other.until_gone(channel) == "16"


@pytest.mark.parametrize(
    ("error", "cause"),
    [(RoomBusyError(), "41"), (RoomFullError(), "17"), (RoomForbiddenError("no"), "21")],
)
async def test_seat_lost_on_the_way(
    stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch, error: RoomError, cause: str
) -> None:
    """A caller who was answered and gets no seat after all is hung up, not left in silence."""

    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Attendance, "call_in", refuse)
    room = await stage.create()
    channel = stage.call("1002")
    assert await stage.until_gone(channel) == cause
    assert stage.asked(f"POST channels/{channel}/answer") == 1
    assert (await stage.room(room)).participants == ("alice",)


async def test_attended_transfer(stage: ConferenceStage) -> None:
    """The channel that takes another one's place in Asterisk has its seat in the room."""
    room = await stage.create(seats=2)
    old = stage.call("1003")
    await stage.until_states(room, alice="invited", x1003="present")
    heir = replace(_channel(stage, old), id="17.99", name="PJSIP/1002-1", caller_number="1002")
    now = datetime.now(UTC)
    stage.conference.receive(
        events.StasisStart(now, APP, heir, args=(), replace_channel=_channel(stage, old))
    )
    await stage.until_states(room, alice="invited", bob="present")


async def test_other_applications(stage: ConferenceStage) -> None:
    """What another application is told is none of ours."""
    room = await stage.create()
    channel = stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")
    before = len(stage.asterisk.requests)
    now = datetime.now(UTC)
    stage.conference.receive(events.StasisEnd(now, "sky-genesis-voip", _channel(stage, channel)))
    stage.conference.receive(
        events.StasisStart(now, "sky-genesis-voip", _channel(stage, channel), (), None)
    )
    await stage.until_states(room, alice="invited", bob="present")
    assert len(stage.asterisk.requests) == before


async def test_too_many_callers(stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of callers on their way in the next one is turned away, and counted."""
    monkeypatch.setattr(conference, "MAX_CALLERS", 0)
    await stage.create()
    assert await stage.until_gone(stage.call("1002")) == "42"
    assert stage.measures.drops.values == {("room_caller",): 1}


async def test_records_that_cannot_be_read(
    stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller is not left in silence when the records fail."""

    async def fail(_: str) -> None:
        raise StoreError("disk")

    monkeypatch.setattr(stage.desk.attendance, "find", fail)
    with capture_logs() as logs:
        assert await stage.until_gone(stage.call("1002")) == "42"
    assert [line["event"] for line in logs] == ["caller_lost"]


async def test_nothing_without_a_link(stage: ConferenceStage) -> None:
    """Without events no room is made, closed or recorded, and nobody is rung."""
    room = await stage.create(allow_recording=True)
    stage.conference.lose("cut")
    desk = stage.desk
    for request in (
        stage.create(number="124"),
        desk.moderation.close(room.id, ALICE),
        desk.moderation.start_recording(room.id, ALICE),
        desk.registry.join(room.id, JoinOrder(endpoint="PJSIP/1002"), BOB),
    ):
        with pytest.raises(PbxUnreachableError):
            await request


async def test_cut_socket(stage: ConferenceStage) -> None:
    """Who hung up while the socket was away has left when it is back."""
    room = await stage.create(seats=4)
    gone, stays = stage.call("1002"), stage.call("1003")
    await stage.until_states(room, alice="invited", bob="present", x1003="present")
    stage.asterisk.cut_sockets()
    stage.asterisk.phone.hangs_up(gone)
    await stage.until_states(room, alice="invited", x1003="present")
    assert stage.asterisk.bridges[room.bridge_id].channels == [stays]


async def test_asterisk_restarted(stage: ConferenceStage) -> None:
    """After a restart of Asterisk the room is empty, has a bridge and can be called."""
    room = await stage.create()
    stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")
    await stage.asterisk.restart()
    await stage.until_states(room, alice="invited")
    async with asyncio.timeout(5):
        while not (channel := stage.call("1003")):  # noqa: ASYNC110 - the fake's
            await asyncio.sleep(0)
    await stage.until_states(room, alice="invited", x1003="present")
    assert stage.asterisk.bridges[room.bridge_id].channels == [channel]


async def test_program_restarted(
    asterisk: FakeAri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new run finds the rooms, clears away what belongs to none, and adopts who is there."""
    monkeypatch.setattr(prompts, "PROMPT_SECONDS", 0)
    async with open_conference_stage(asterisk, tmp_path) as first:
        room = await first.create(seats=4)
        first.call("1002")
        await first.until_states(room, alice="invited", bob="present")
        other = await first.create(number="124")
    async with open_conference_stage(asterisk, tmp_path) as second:
        await second.until_states(room, alice="invited", bob="present")
        second.call("1003")
        await second.until_states(room, alice="invited", bob="present", x1003="present")
        await second.desk.moderation.close(other.id, ALICE)
        assert list(asterisk.bridges) == [room.bridge_id]


async def test_events_that_were_lost(
    stage: ConferenceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When events of a room had to be dropped, the rooms are reconciled."""
    room = await stage.create()
    dispatch = stage.conference._dispatch  # pyright: ignore[reportPrivateUsage]  # no public limit
    monkeypatch.setattr(dispatch, "_total_limit", 0)
    stage.call("1002")
    await stage.until_states(room, alice="invited", bob="present")
    assert stage.measures.drops.values[("room_event",)] >= 1


def _channel(stage: ConferenceStage, channel: str) -> Channel:
    return Channel.from_json(stage.asterisk.channels[channel].document())
