"""Frames that clients send."""

import json

import pytest

from fastagi_server.api import socket_frames as frames
from fastagi_server.api.socket_frames import FrameError, read_frame
from fastagi_server.presence.frames import Form
from fastagi_server.presence.models import Status

CHAT = {"from": "alice", "to": "bob", "message": "Hi", "message_type": "chat", "timestamp": 1}


def update_of(status: Status, message: str | None) -> frames.PresenceUpdate:
    """What alice says of herself."""
    fields = {"user_id": "alice", "status": status, "status_message": message}
    return frames.PresenceUpdate.model_validate(fields)


@pytest.mark.parametrize(
    ("kind", "fields", "order"),
    [
        ("Subscribe", {"channel": "system"}, frames.Subscribe(channel="system")),
        ("Unsubscribe", {"channel": "system"}, frames.Unsubscribe(channel="system")),
        ("Ping", {}, frames.Ping()),
        ("Pong", {}, frames.Pong()),
        ("PresenceProbe", {"user_id": "bob"}, frames.PresenceProbe(user_id="bob")),
        (
            "PresenceUpdate",
            {"user_id": "alice", "status": "away", "status_message": "Out"},
            update_of(Status.AWAY, "Out"),
        ),
        (
            "PresenceUpdate",
            {"user_id": "alice", "status": "DoNotDisturb"},
            update_of(Status.DO_NOT_DISTURB, None),
        ),
        (
            "ChatMessage",
            {"message": CHAT},
            frames.ChatMessage(message=frames.Chat.model_validate(CHAT)),
        ),
        (
            "Typing",
            {"from": "alice", "to": "bob", "typing": True},
            frames.Typing.model_validate({"from": "alice", "to": "bob", "typing": True}),
        ),
    ],
)
def test_each_kind_in_both_forms(kind: str, fields: dict[str, object], order: frames.Order) -> None:
    """Every kind is read from the flat and from the tagged form."""
    assert read_frame(json.dumps({"type": kind, **fields})) == (Form.FLAT, order)
    assert read_frame(json.dumps({kind: fields})) == (Form.TAGGED, order)


def test_a_tagged_frame_without_fields_is_a_word() -> None:
    """Ping and Pong are bare strings in the tagged form."""
    assert read_frame('"Ping"') == (Form.TAGGED, frames.Ping())


def test_fields_of_no_meaning_are_ignored() -> None:
    """A client of a later version may say more."""
    assert read_frame('{"type":"Ping","id":7}') == (Form.FLAT, frames.Ping())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The frame is not well-formed JSON"),
        ("{", "The frame is not well-formed JSON"),
        ("[" * 5000, "The frame is not well-formed JSON"),
        ("NaN", "The frame is not well-formed JSON"),
        ("7", 'The frame has no kind: send {"type": "Ping"} or the like'),
        ("null", 'The frame has no kind: send {"type": "Ping"} or the like'),
        ("[]", 'The frame has no kind: send {"type": "Ping"} or the like'),
        ("{}", 'The frame has no kind: send {"type": "Ping"} or the like'),
        ('{"type":7,"a":1}', 'The frame has no kind: send {"type": "Ping"} or the like'),
        ('{"a":1,"b":2}', 'The frame has no kind: send {"type": "Ping"} or the like'),
        ('{"type":"Fly"}', "There is no frame of this kind"),
        ('"Fly"', "There is no frame of this kind"),
        ('{"type":"Subscribe"}', "Subscribe: channel: Field required"),
        ('{"Subscribe":null}', "Subscribe: Input should be a valid dictionary"),
        ('{"type":"Subscribe","channel":7}', "Subscribe: channel: Input should be a valid string"),
        (
            '{"type":"PresenceUpdate","user_id":"alice","status":"gone"}',
            "PresenceUpdate: status: must be one of online, away, busy, offline, do_not_disturb",
        ),
        (
            '{"type":"Typing","from":"alice","to":"bob","typing":1}',
            "Typing: typing: Input should be a valid boolean",
        ),
        (
            '{"type":"ChatMessage","message":{"from":"alice","to":"bob"}}',
            "ChatMessage: message.message: Field required",
        ),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    """The sender learns what is wrong, in words that repeat nothing of his."""
    with pytest.raises(FrameError) as refusal:
        read_frame(text)
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Subscribe", {"channel": "group:" + "x" * 300}),
        ("PresenceProbe", {"user_id": "x" * 257}),
        ("PresenceUpdate", {"user_id": "a", "status": "away", "status_message": "x" * 257}),
        ("PresenceUpdate", {"user_id": "a", "status": "away", "status_message": "a\r\nb"}),
        ("ChatMessage", {"message": {**CHAT, "message": "x" * 4097}}),
        ("ChatMessage", {"message": {**CHAT, "message_type": "shout"}}),
    ],
)
def test_limits_of_fields(kind: str, fields: dict[str, object]) -> None:
    """Names and texts that are too long, and types that do not exist, are refused."""
    with pytest.raises(FrameError, match=kind):
        read_frame(json.dumps({"type": kind, **fields}))


def test_the_form_of_a_refused_frame_is_known() -> None:
    """Whoever can be told the form by what he sent is answered in it."""
    with pytest.raises(FrameError) as refusal:
        read_frame('{"Subscribe":{}}')
    assert refusal.value.form is Form.TAGGED
