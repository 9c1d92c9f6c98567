"""Browsers that call each other through a real Asterisk: two, with video, three in a room."""

import asyncio

import pytest
from page_stage import TONES, CallStage, User

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]


async def connect(calls: CallStage, *, video: bool = False) -> tuple[User, User, str]:
    """Have alice call bob, who accepts."""
    alice, bob = await calls.sign_in("alice"), await calls.sign_in("bob")
    call_id = await alice.dial("bob", video=video)
    await bob.accept(video=video)
    await alice.wait("connected")
    await bob.wait("connected")
    return alice, bob, call_id


async def test_two_browsers_talk(calls: CallStage) -> None:
    """Both hear each other and not themselves; who is called may hang up."""
    alice, bob, call_id = await connect(calls)
    await alice.hears(TONES["bob"])
    await bob.hears(TONES["alice"])
    await alice.hears_no(TONES["alice"])
    await asyncio.gather(alice.talks(), bob.talks())
    await bob.do("hangup")
    assert (await alice.wait("ended"))[:2] == ["ended", "them"]
    record = await calls.ended(call_id)
    assert record["caller_id"] == "alice"


async def test_two_browsers_see_each_other(calls: CallStage) -> None:
    """Pictures come in on both sides in the size that they were sent in."""
    alice, bob, _ = await connect(calls, video=True)
    await asyncio.gather(alice.sees(), bob.sees())
    await alice.hears(TONES["bob"])
    await bob.hears(TONES["alice"])


async def test_a_camera_in_mid_call(calls: CallStage) -> None:
    """A camera that comes later is seen at the far end, and the sound goes on."""
    alice, bob, _ = await connect(calls)
    await bob.hears(TONES["alice"])
    await alice.do("startVideo")
    await bob.until("(await stage.media()).framesIn >= 20")
    await bob.hears(TONES["alice"])
    await alice.hears(TONES["bob"])


async def test_mute_and_hold_between_browsers(calls: CallStage) -> None:
    """Who is muted or on hold is not heard by the other."""
    alice, bob, _ = await connect(calls)
    await bob.hears(TONES["alice"])
    await alice.do("mute")
    await bob.hears_no(TONES["alice"])
    await alice.do("unmute")
    await bob.hears(TONES["alice"])
    await bob.do("hold")
    await bob.wait("held")
    await alice.hears_no(TONES["bob"])
    await bob.do("resume")
    await alice.hears(TONES["bob"])
    await bob.hears(TONES["alice"])


async def test_the_service_mutes(calls: CallStage) -> None:
    """A page that says that it is muted is not heard, even if it goes on sending."""
    alice, bob, call_id = await connect(calls)
    await bob.hears(TONES["alice"])
    await alice.run("stage.client.sendSignaling(given[0], 'mute', {})", call_id)
    await bob.hears_no(TONES["alice"])
    await alice.talks()
    await alice.run("stage.client.sendSignaling(given[0], 'unmute', {})", call_id)
    await bob.hears(TONES["alice"])


async def test_two_browsers_without_asterisk(calls: CallStage) -> None:
    """A direct call passes sound and pictures from browser to browser, and no channel."""
    alice, bob = await calls.sign_in("alice"), await calls.sign_in("bob")
    call_id = await alice.dial("bob", video=True, direct=True)
    await bob.accept(video=True)
    await alice.wait("connected")
    await asyncio.gather(alice.sees(), bob.sees())
    await alice.hears(TONES["bob"])
    await bob.hears(TONES["alice"])
    assert calls.asterisk.control.channels() == []
    await alice.do("hangup")
    assert (await bob.wait("ended"))[:2] == ["ended", "them"]
    await calls.ended(call_id)


async def test_three_browsers_in_a_room(calls: CallStage) -> None:
    """Everybody hears the two others; who leaves is heard no more."""
    users = [await calls.sign_in(name) for name in TONES]
    room = await users[0].run("stage.client.rooms.create('Stand-up', {maxParticipants: 5})")
    for user in users:
        await user.join(room["id"])
    for user in users:
        for name, tone in TONES.items():
            if name != user.name:
                await user.hears(tone)
    await asyncio.gather(*(user.talks() for user in users))
    await users[2].do("hangup")
    await users[0].hears_no(TONES["carol"])
    await users[0].hears(TONES["bob"])


async def test_a_room_by_its_number(calls: CallStage) -> None:
    """Browsers that dial a room's number hear each other there."""
    alice, bob = await calls.sign_in("alice"), await calls.sign_in("bob")
    await alice.run("stage.client.rooms.create('Planning', {maxParticipants: 5, number: '123'})")
    await alice.dial("9123")
    await bob.dial("9123")
    await alice.hears(TONES["bob"])
    await bob.hears(TONES["alice"])
    await alice.do("hangup")
    await bob.hears_no(TONES["alice"])
