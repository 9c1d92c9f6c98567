"""Up to where all is delivered."""

from datetime import timedelta

from fastagi_server.events.models import Event
from fastagi_server.events.ports import Logged
from fastagi_server.webhooks.window import Window
from tests.unit.events.memory_logs import NOON


def line(log: str, number: int, minutes: int = 0) -> Logged:
    """A line of a log."""
    return Logged(log, number, Event("call.ended", NOON + timedelta(minutes=minutes), call="a"))


def test_all_before_the_first_on_its_way_is_done() -> None:
    """What is delivered behind something that is not counts only once that is delivered too."""
    window = Window()
    read = {"call": 9, "room": 4}
    assert window.reached(read) == {"call": 9, "room": 4}
    lines = [line("call", 5, 2), line("call", 7, 3), line("room", 4, 1)]
    for each in lines:
        window.enter(each)
    assert window.reached(read) == {"call": 4, "room": 3}
    assert window.oldest == NOON + timedelta(minutes=1)
    window.leave(lines[1])
    window.leave(lines[2])
    assert window.reached(read) == {"call": 4, "room": 4}
    assert len(window) == 1
    window.leave(lines[0])
    assert window.reached(read) == read
    assert window.oldest is None
