"""The book and the channels together."""

from fastagi_server.presence.desk import open_presence
from fastagi_server.presence.models import Status
from fastagi_server.telemetry.measures import Measures
from tests.unit.presence.presence_doubles import Ear


async def test_changes_are_told_on_two_channels() -> None:
    """How somebody is seen is told on his channel and on everybody's."""
    desk, one, everybody, other = open_presence(measures=Measures()), Ear(), Ear(), Ear()
    desk.channels.subscribe("presence:alice", one)
    desk.channels.subscribe("presence:all", everybody)
    desk.channels.subscribe("presence:bob", other)
    desk.book.say("alice", Status.AWAY)
    assert [frame["status"] for frame in one.take()] == ["away"]
    assert [frame["status"] for frame in everybody.take()] == ["away"]
    assert other.take() == []


async def test_the_end_is_told() -> None:
    """Who listens to the system hears that it stops."""
    desk, ear = open_presence(measures=Measures()), Ear()
    desk.channels.subscribe("system", ear)
    desk.close()
    (frame,) = ear.take()
    assert (frame["type"], frame["data"]["status"]) == ("Update", "stopping")
