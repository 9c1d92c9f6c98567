"""The book and the channels together."""

import pytest

from fastagi_server.presence.budget import BroadcastBudget
from fastagi_server.presence.channels import Channels
from fastagi_server.presence.desk import open_presence
from fastagi_server.presence.frames import Form, Frame
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


async def test_many_changes_are_one_frame() -> None:
    """Of changes in quick succession one is told; the book has the last of them at once."""
    desk, ear = open_presence(measures=Measures(), change_seconds=3600.0), Ear()
    desk.channels.subscribe("presence:all", ear)
    for number in range(20):
        shown = desk.book.say("alice", Status.AWAY, f"turn {number}")
        assert shown.message == f"turn {number}"
    known = desk.book.get("alice")
    assert known is not None
    assert known.message == "turn 19"
    assert [frame["status_message"] for frame in ear.take()] == ["turn 0"]
    desk.close()


async def test_the_end_stops_the_timers() -> None:
    """Who stops the desk stops its pauses; nothing is told after the last word."""
    desk, ear = open_presence(measures=Measures()), Ear()
    desk.channels.subscribe("presence:all", ear)
    desk.book.say("alice", Status.AWAY)
    desk.close()
    desk.book.say("bob", Status.AWAY)
    assert len(desk.announcer) == 0
    assert [frame["user_id"] for frame in ear.take()] == ["alice"]


async def test_what_a_user_says_is_charged_by_listeners() -> None:
    """A frame costs its sender as many as hear it; beyond his budget it is told to nobody."""
    measures = Measures()
    budget = BroadcastBudget(
        measures=measures, told_per_second=1.0, burst_seconds=3.0, clock=lambda: 0.0
    )
    desk, ears = open_presence(measures=measures, budget=budget), [Ear(), Ear()]
    for ear in ears:
        desk.channels.subscribe("group:sales", ear)
    told = [desk.broadcast("alice", Frame("Word", {"n": n}), "group:sales") for n in range(4)]
    assert told == [True, True, False, False]
    assert desk.broadcast("bob", Frame("Word", {"n": 9}), "group:sales")
    assert [[frame["n"] for frame in ear.take()] for ear in ears] == [[0, 1, 9], [0, 1, 9]]
    assert measures.drops.values == {("presence_broadcast",): 2.0}


async def test_a_frame_is_written_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many listen, a frame becomes JSON once in each form."""
    written: list[object] = []

    def write(content: object) -> str:
        written.append(content)
        return "{}"

    class Page:
        def __init__(self, form: Form) -> None:
            self._form = form

        def tell(self, frame: Frame) -> None:
            frame.text(self._form)

    monkeypatch.setattr("fastagi_server.presence.frames._json", write)
    channels = Channels(measures=Measures())
    for _ in range(50):
        channels.subscribe("group:sales", Page(Form.FLAT))
        channels.subscribe("group:sales", Page(Form.TAGGED))
    assert channels.publish(Frame("Word", {"n": 1}), "group:sales") == 100
    assert written == [{"type": "Word", "n": 1}, {"Word": {"n": 1}}]
