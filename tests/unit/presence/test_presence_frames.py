"""Frames in both forms."""

import json
from typing import Any

import pytest

from fastagi_server.presence.frames import (
    Form,
    Frame,
    error,
    notification,
    presence_frame,
    system_status,
)
from fastagi_server.presence.models import Presence, Status, read_status
from tests.unit.presence.presence_doubles import NOON


def both(frame: Frame) -> tuple[Any, Any]:
    """The frame as flat and as tagged clients get it."""
    return json.loads(frame.text()), json.loads(frame.text(Form.TAGGED))


def test_presence_in_both_forms() -> None:
    """The tagged form knows four states, in Pascal case; the flat one all five."""
    frame = presence_frame(Presence("alice", Status.DO_NOT_DISTURB, NOON, "Shh"))
    assert both(frame) == (
        {
            "type": "PresenceStatus",
            "user_id": "alice",
            "status": "do_not_disturb",
            "status_message": "Shh",
            "timestamp": 1767268800,
        },
        {
            "PresenceStatus": {
                "user_id": "alice",
                "status": "Busy",
                "status_message": "Shh",
                "timestamp": 1767268800,
            }
        },
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.ONLINE, "Online"),
        (Status.AWAY, "Away"),
        (Status.BUSY, "Busy"),
        (Status.OFFLINE, "Offline"),
    ],
)
def test_states_of_the_tagged_form(status: Status, word: str) -> None:
    """Four states are spelt in Pascal case."""
    _, tagged = both(presence_frame(Presence("alice", status, NOON)))
    assert tagged["PresenceStatus"]["status"] == word


def test_a_frame_without_fields() -> None:
    """Tagged, a frame without fields is its name alone."""
    assert both(Frame("Pong")) == ({"type": "Pong"}, "Pong")


def test_words_to_a_user() -> None:
    """Notifications have a title, a message and a level; errors a message."""
    assert both(notification("Hi", "There"))[0] == {
        "type": "Notification",
        "title": "Hi",
        "message": "There",
        "level": "info",
    }
    assert both(error("No"))[1] == {"Error": {"message": "No"}}


def test_what_is_said_on_channels() -> None:
    """The service's own state is an update of `system`."""
    assert both(system_status("stopping", NOON))[0] == {
        "type": "Update",
        "channel": "system",
        "data": {"event": "system_status", "status": "stopping", "timestamp": 1767268800},
    }


def test_times_are_written_with_z() -> None:
    """Times in fields are RFC 3339."""
    assert both(Frame("Call", {"at": NOON}))[0]["at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("online", Status.ONLINE),
        ("Away", Status.AWAY),
        ("DoNotDisturb", Status.DO_NOT_DISTURB),
        ("do_not_disturb", Status.DO_NOT_DISTURB),
        ("OFFLINE", Status.OFFLINE),
    ],
)
def test_states_are_read_in_any_case(word: str, status: Status) -> None:
    """Both published spellings are understood."""
    assert read_status(word) is status


@pytest.mark.parametrize("word", ["", "gone", None, 7, ["online"]])
def test_other_words_are_no_states(word: object) -> None:
    """A refusal names the states that there are."""
    with pytest.raises(ValueError, match="online, away, busy, offline, do_not_disturb"):
        read_status(word)
