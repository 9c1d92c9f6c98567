"""Channels, and who is told what is said there."""

import asyncio

import pytest

from fastagi_server.presence.channels import (
    MAX_CHANNELS_PER_SOCKET,
    MAX_WAITING,
    ChannelError,
    Channels,
    check_channel,
)
from fastagi_server.presence.frames import Frame
from fastagi_server.telemetry.measures import Measures
from tests.unit.presence.presence_doubles import Ear


def word(text: str) -> Frame:
    """A frame that says this."""
    return Frame("Word", {"text": text})


def words(ear: Ear) -> list[str]:
    """What a listener was told since the last time."""
    return [frame["text"] for frame in ear.take()]


@pytest.mark.parametrize(
    "name",
    ["system", "user:alice", "chat:alice", "presence:bob", "presence:all", "group:sales"],
)
def test_channels_that_a_user_may_listen_on(name: str) -> None:
    """His own, anybody's presence, groups and the system's are open to a user."""
    check_channel(name, "alice")


@pytest.mark.parametrize("name", ["user:bob", "chat:bob"])
def test_channels_of_others(name: str) -> None:
    """What is said to somebody is for him alone."""
    with pytest.raises(ChannelError, match="somebody else's"):
        check_channel(name, "alice")


@pytest.mark.parametrize(
    "name", ["", "all", "tenant:1", "presence:", "presence", "user:al ice", "group:" + "x" * 400]
)
def test_names_that_are_no_channels(name: str) -> None:
    """Other words are no channels, nor is a name that no user could have."""
    with pytest.raises(ChannelError, match="no such channel"):
        check_channel(name, "alice")


async def test_listeners_are_told() -> None:
    """Who listens on a channel is told what is said there, until he listens no more."""
    channels, ear = Channels(measures=Measures()), Ear()
    channels.subscribe("group:a", ear)
    channels.publish(word("one"), "group:a")
    channels.publish(word("other"), "group:b")
    channels.unsubscribe("group:a", ear)
    channels.publish(word("two"), "group:a")
    assert words(ear) == ["one"]


async def test_nobody_is_told_twice() -> None:
    """Whoever subscribed twice, or to two of a frame's channels, is told once."""
    channels, ear = Channels(measures=Measures()), Ear()
    channels.subscribe("presence:bob", ear)
    channels.subscribe("presence:bob", ear)
    channels.subscribe("presence:all", ear)
    assert channels.publish(word("one"), "presence:bob", "presence:all") == 1
    assert channels.publish(word("none"), "presence:carol") == 0
    assert words(ear) == ["one"]


async def test_who_leaves_listens_nowhere() -> None:
    """A socket that is closed is on no channel, and an empty channel is none."""
    channels, ear = Channels(measures=Measures()), Ear()
    channels.subscribe("group:a", ear)
    channels.subscribe("group:b", ear)
    assert len(channels) == 2
    channels.leave(ear)
    channels.leave(ear)
    assert len(channels) == 0
    channels.publish(word("one"), "group:a", "group:b")
    assert words(ear) == []


async def test_unsubscribing_from_nothing_is_harmless() -> None:
    """Whoever never listened may stop."""
    channels = Channels(measures=Measures())
    channels.unsubscribe("group:a", Ear())
    assert len(channels) == 0


async def test_channels_of_one_socket_are_limited() -> None:
    """One channel too many is refused; one that the socket has already is not."""
    channels, ear = Channels(measures=Measures()), Ear()
    for number in range(MAX_CHANNELS_PER_SOCKET):
        channels.subscribe(f"group:{number}", ear)
    channels.subscribe("group:0", ear)
    with pytest.raises(ChannelError, match="200 channels"):
        channels.subscribe("group:more", ear)


async def test_many_listeners_are_told_in_slices_and_in_order() -> None:
    """Others have their turn between two slices, and each listener hears frame after frame."""
    channels, ears = Channels(measures=Measures(), at_once=2), [Ear() for _ in range(5)]
    for ear in ears:
        channels.subscribe("system", ear)
    channels.publish(word("one"), "system")
    channels.publish(word("two"), "system")
    assert [len(ear.frames) for ear in ears] == [1, 1, 0, 0, 0]
    await asyncio.sleep(0)
    assert [len(ear.frames) for ear in ears] == [1, 1, 1, 1, 0]
    await asyncio.sleep(0)
    assert [len(ear.frames) for ear in ears] == [2, 1, 1, 1, 1]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [words(ear) for ear in ears] == [["one", "two"]] * 5


async def test_frames_that_wait_are_limited() -> None:
    """More frames for many than may wait are dropped, and counted for each listener."""
    measures = Measures()
    channels, ears = Channels(measures=measures, at_once=1), [Ear(), Ear()]
    for ear in ears:
        channels.subscribe("system", ear)
    told = [channels.publish(word("one"), "system") for _ in range(MAX_WAITING + 1)]
    assert told == [2] * MAX_WAITING + [0]
    assert measures.drops.values == {("presence_frame",): 2.0}
