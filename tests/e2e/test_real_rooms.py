"""Rooms on a real Asterisk, with real phones."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from meetings import check_alone, check_by_asterisk
from panel import admit, redirect
from room_stage import CONTEXTS, WAIT_SECONDS, RoomStage, open_stage

from lab import processes
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def own_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """One Asterisk for the tests of rooms."""
    with Asterisk.start(extensions=CONTEXTS, root=lab_root) as running:
        admit(running)
        yield running


@pytest.fixture
def pbx(own_asterisk: Asterisk) -> Iterator[Asterisk]:
    """The Asterisk, afterwards without a channel."""
    yield own_asterisk
    for channel in own_asterisk.control.channels():
        own_asterisk.control.hang_up(channel["id"])
    assert own_asterisk.wait_idle(), own_asterisk.cli("core show channels")


@pytest.fixture
async def stage(pbx: Asterisk, tmp_path: Path) -> AsyncIterator[RoomStage]:
    """The rooms on that Asterisk."""
    async with open_stage(pbx, tmp_path) as stage:
        yield stage


@asynccontextmanager
async def calling(
    stage: RoomStage, pbx: Asterisk, user: str, number: str = "8123"
) -> AsyncGenerator[Phone]:
    """A phone that calls the room and stays until it is hung up, at the latest at the end.

    It has a channel, or its answer, already: two phones that start together take the same ports.
    """
    before = {channel.id for channel in await stage.ari.channels()}
    own = set[str]()
    with Phone(pbx, user).place("call-talk", number) as phone:
        async with asyncio.timeout(WAIT_SECONDS):
            while not own and max(phone.statuses()[1:], default=0) < 400:
                own = {channel.id for channel in await stage.ari.channels()} - before
                await asyncio.sleep(0.02)
        yield phone
        # A phone that just vanished would leave a BYE on the way to whoever has its port next.
        for channel in own:
            await stage.ari.hang_up(channel)
        await finished(phone)


async def hears(pbx: Asterisk, phone: Phone) -> bool:
    """Whether audio flows from a phone to Asterisk and back."""
    port = phone.ports.media

    def flows() -> bool:
        log = pbx.log().rpartition(start)[2]
        return all(re.search(rf"{way} +127.0.0.1:{port}\b", log) for way in ("from", "to"))

    start = f"hears {port} {len(pbx.log())}"
    pbx.cli(f'dialplan set global HEARS "{start}"')
    pbx.cli("rtp set debug on")
    try:
        return await asyncio.to_thread(processes.wait_until, flows, WAIT_SECONDS)
    finally:
        pbx.cli("rtp set debug off")


async def finished(phone: Phone) -> bool:
    """Whether the phone's call ended as it should, seen from the phone."""
    return await asyncio.to_thread(phone.wait)


async def test_three_members_and_a_fourth(stage: RoomStage, pbx: Asterisk) -> None:
    """Three phones meet in the bridge; the fourth is refused with 486 and heard of nowhere."""
    path = await stage.create(seats=3)
    async with (
        calling(stage, pbx, "1002") as bob,
        calling(stage, pbx, "1001") as alice,
        calling(stage, pbx, "1003") as nobodys,
    ):
        await stage.until_present(path, "alice", "bob", "1003")
        for phone in (alice, bob, nobodys):
            assert await hears(pbx, phone)
        async with calling(stage, pbx, "1003") as fourth:
            assert await finished(fourth), fourth.explain()
            assert fourth.statuses()[-1] == 486
        await stage.until_present(path, "alice", "bob", "1003")
        assert (await stage.alice.post(f"{path}/close")).status_code == 200
        assert await finished(bob)
        assert await finished(nobodys)
    await stage.until_gone()
    assert [each.id for each in await stage.ari.bridges()] == []
    await check_by_asterisk(stage, path, pbx, pairs=3)


async def test_moderator_rules(stage: RoomStage, pbx: Asterisk) -> None:
    """A caller hears music until the moderator is in, and again when he has hung up."""
    path = await stage.create(require_moderator=True)
    async with calling(stage, pbx, "1002") as bob:
        await stage.until_states(path, "invited", "waiting")
        assert await stage.bridged(path) == set()
        assert await hears(pbx, bob)
        assert "Started music on hold" in pbx.log()
        async with calling(stage, pbx, "1001"):
            await stage.until_present(path, "alice", "bob")
            assert await hears(pbx, bob)
            assert (await stage.alice.post(f"{path}/leave")).status_code == 200
        await stage.until_states(path, "waiting")
        assert await stage.bridged(path) == set()
        assert await hears(pbx, bob)
    await check_by_asterisk(stage, path, pbx, pairs=1)


async def test_room_closes_behind_the_moderator(stage: RoomStage, pbx: Asterisk) -> None:
    """By setting everybody is hung up when the moderator's phone leaves."""
    path = await stage.create(require_moderator=True, close_without_moderator=True)
    async with calling(stage, pbx, "1002") as bob:
        async with calling(stage, pbx, "1001"):
            room = await stage.until_present(path, "alice", "bob")
            await stage.ari.hang_up(room["members"][0]["channel_id"])
        assert await finished(bob)
        await stage.until(path, lambda room: not room["is_active"])


async def test_holding_room(stage: RoomStage, pbx: Asterisk) -> None:
    """In a holding room everybody hears music, and nobody the others."""
    path = await stage.create(bridge_type="holding")
    async with calling(stage, pbx, "1001") as alice, calling(stage, pbx, "1002") as bob:
        await stage.until_present(path, "alice", "bob")
        assert await hears(pbx, alice)
        assert await hears(pbx, bob)
        bridge = await stage.ari.bridge(f"sge-room-{path.rpartition('/')[2]}")
        assert bridge.technology == "holding_bridge"
    await check_alone(stage, path, pbx)


@pytest.mark.parametrize("bridge_type", ["dtmf_events", "proxy_media"])
async def test_other_bridges(stage: RoomStage, pbx: Asterisk, bridge_type: str) -> None:
    """The documented types that Asterisk does not make alone are rooms like any other."""
    path = await stage.create(bridge_type=bridge_type)
    async with calling(stage, pbx, "1001"), calling(stage, pbx, "1002") as bob:
        room = await stage.until_present(path, "alice", "bob")
        assert room["settings"]["bridge_type"] == bridge_type
        assert await hears(pbx, bob)


async def test_moderation(stage: RoomStage, pbx: Asterisk) -> None:
    """Muting and unmuting reach the phone's channel, a kick ends its call, so does leaving."""
    path = await stage.create()
    async with calling(stage, pbx, "1003") as nobodys, calling(stage, pbx, "1002") as bob:
        room = await stage.until_present(path, "alice", "1003", "bob")
        member = f"{path}/members/{room['members'][1]['id']}"
        for act, is_muted in (("mute", True), ("unmute", False)):
            answer = await stage.alice.post(f"{member}/{act}")
            assert answer.json()["members"][1]["is_muted"] is is_muted
        assert (await stage.alice.post(f"{member}/kick")).status_code == 200
        assert await finished(nobodys)
        await stage.until_present(path, "alice", "bob")
        assert (await stage.bob.post(f"{path}/leave")).status_code == 200
        assert await finished(bob)
        await stage.until_present(path, "alice")


async def test_hang_up_frees_the_seat(stage: RoomStage, pbx: Asterisk) -> None:
    """A phone that hangs up leaves the roster, and the next one has its seat."""
    path = await stage.create(seats=2)
    async with calling(stage, pbx, "1002"):
        room = await stage.until_present(path, "alice", "bob")
        await stage.ari.hang_up(room["members"][1]["channel_id"])
        await stage.until_present(path, "alice")
    async with calling(stage, pbx, "1003"):
        await stage.until_present(path, "alice", "1003")


async def test_refusals(stage: RoomStage, pbx: Asterisk) -> None:
    """An unknown number is 404 to the phone, a locked room 403; nobody pays for either."""
    async with calling(stage, pbx, "1002", "8999") as lost:
        assert await finished(lost), lost.explain()
    assert lost.statuses()[-1] == 404
    path = await stage.create()
    await stage.alice.post(f"{path}/lock")
    async with calling(stage, pbx, "1002") as late:
        assert await finished(late), late.explain()
    assert late.statuses()[-1] == 403
    async with calling(stage, pbx, "1001"):
        await stage.until_present(path, "alice")


@pytest.mark.parametrize("keys", ["4711#", "4712#4711#"])
async def test_password(stage: RoomStage, pbx: Asterisk, keys: str) -> None:
    """A caller keys the password in; a wrong one may be corrected."""
    path = await stage.create(password="4711")
    pbx.control.originate(
        "Local/8123@sky-genesis-voip",
        context="test-rooms",
        extension="keys",
        caller_id="4242",
        variables={"KEYS": keys},
    )
    room = await stage.until(path, lambda room: len(room["participants"]) == 2)
    assert len(await stage.bridged(path)) == 1
    assert room["members"][1]["user_id"] is None


async def test_wrong_passwords(stage: RoomStage, pbx: Asterisk) -> None:
    """After three wrong passwords the caller is hung up."""
    path = await stage.create(password="4711")
    pbx.control.originate(
        "Local/8123@sky-genesis-voip",
        context="test-rooms",
        extension="keys",
        variables={"KEYS": "1#2#3#"},
    )
    await stage.until_gone(30)
    assert (await stage.room(path))["participants"] == ["alice"]


async def test_owner_needs_no_password(stage: RoomStage, pbx: Asterisk) -> None:
    """The phone of the owner comes in without one."""
    path = await stage.create(password="4711")
    async with calling(stage, pbx, "1001"):
        await stage.until_states(path, "present")


async def test_phones_that_are_rung(stage: RoomStage, pbx: Asterisk) -> None:
    """A phone that answers takes part; a busy one and one that is away leave no member behind."""
    path = await stage.create()
    with Phone.answering(pbx, "1002") as bobs, Phone.busy(pbx, "1001"):
        await stage.bob.post(f"{path}/join", json={"endpoint": "SIP/1002"})
        await stage.until_present(path, "alice", "bob")
        await stage.alice.post(f"{path}/join", json={"endpoint": "PJSIP/1001"})
        await stage.until_states(path, "invited", "present")
        answer = await stage.eve.post(f"{path}/join", json={"endpoint": "PJSIP/1003"})
        assert answer.status_code in {200, 502}
        await stage.until_states(path, "invited", "present")
        await stage.alice.post(f"{path}/close")
        assert await finished(bobs)


async def test_redirect_by_ami(stage: RoomStage, pbx: Asterisk) -> None:
    """A member who is redirected out of the bridge has left the room and goes on talking."""
    path = await stage.create()
    async with calling(stage, pbx, "1001"), calling(stage, pbx, "1002"):
        room = await stage.until_present(path, "alice", "bob")
        channel = await stage.ari.channel(room["members"][1]["channel_id"])
        await redirect(pbx, channel.name, "test-rooms", "elsewhere")
        await stage.until_present(path, "alice")
        moved = await stage.ari.channel(channel.id)
        assert (moved.dialplan_context, moved.state) == ("test-rooms", "Up")
    await check_by_asterisk(stage, path, pbx, pairs=1)


async def test_recording(stage: RoomStage, pbx: Asterisk) -> None:
    """What is said in the room is recorded until it is stopped, and kept by Asterisk."""
    path = await stage.create(allow_recording=True)
    async with calling(stage, pbx, "1001"), calling(stage, pbx, "1002"):
        await stage.until_present(path, "alice", "bob")
        started = await stage.alice.post(f"{path}/recording/start")
        name = started.json()["recording"]
        assert await stage.until_present(path, "alice", "bob")
        assert (await stage.alice.post(f"{path}/recording/stop")).json()["recording"] is None
        stored = pbx.control.request("GET", f"recordings/stored/{name}")
        assert stored == {"name": name, "format": "wav"}


async def test_lost_bridge(stage: RoomStage, pbx: Asterisk) -> None:
    """A bridge that is destroyed from outside empties the room, which then can be called again."""
    path = await stage.create()
    async with calling(stage, pbx, "1002"):
        await stage.until_present(path, "alice", "bob")
        await stage.ari.destroy_bridge(f"sge-room-{path.rpartition('/')[2]}")
        await stage.until(path, lambda room: room["participants"] == ["alice"])
    async with calling(stage, pbx, "1003"):
        await stage.until_present(path, "alice", "1003")


async def test_restart(pbx: Asterisk, tmp_path: Path) -> None:
    """While the program is away calls go on; afterwards the roster is the bridge again."""
    async with open_stage(pbx, tmp_path) as stage:
        path = await stage.create(seats=4)
        async with calling(stage, pbx, "1002") as bob, calling(stage, pbx, "1001") as alice:
            room = await stage.until_present(path, "alice", "bob")
            gone = room["members"][1]["channel_id"]
            async with AsyncExitStack() as later:
                assert await hears(pbx, alice)
                await stage.stop()
                assert await hears(pbx, alice)
                pbx.control.hang_up(gone)
                assert await finished(bob)
                again = await later.enter_async_context(open_stage(pbx, tmp_path))
                await again.until_present(path, "alice")
                async with calling(again, pbx, "1003"):
                    await again.until_present(path, "alice", "1003")
                    assert await hears(pbx, alice)
                assert (await again.alice.post(f"{path}/close")).status_code == 200
                assert await finished(alice)


async def test_what_a_closed_room_left(pbx: Asterisk, tmp_path: Path) -> None:
    """A bridge of ours that belongs to no active room is cleared away by a reconciliation."""
    async with open_stage(pbx, tmp_path) as stage:
        left = "sge-room-00000000-0000-4000-8000-000000000000"
        await stage.ari.create_bridge(left)
        await stage.conference.reconcile()
        assert [bridge.id for bridge in await stage.ari.bridges()] == []


async def test_restart_while_a_password_is_asked(pbx: Asterisk, tmp_path: Path) -> None:
    """A caller who was asked for the password when the program ended is asked again."""
    async with open_stage(pbx, tmp_path) as stage:
        await stage.create(password="4711")
        before = pbx.log().count("Playing 'conf-getpin")
        async with calling(stage, pbx, "1002"):
            assert await prompts(pbx, before + 1)
            await stage.stop()
            async with open_stage(pbx, tmp_path):
                assert await prompts(pbx, before + 2)


async def prompts(pbx: Asterisk, times: int) -> bool:
    """Whether a password has been asked for so often."""
    return await asyncio.to_thread(
        processes.wait_until,
        lambda: pbx.log().count("Playing 'conf-getpin") >= times,
        WAIT_SECONDS,
    )
