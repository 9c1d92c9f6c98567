"""What comes of frames."""

import time
from typing import Any

import pytest

from fastagi_server.api.socket_frames import read_frame
from fastagi_server.api.socket_orders import obey
from fastagi_server.presence.budget import BroadcastBudget
from fastagi_server.presence.desk import PresenceDesk, open_presence
from fastagi_server.presence.models import Status
from fastagi_server.telemetry.measures import Measures
from tests.unit.presence.presence_doubles import Ear


@pytest.fixture
async def desk() -> PresenceDesk:
    """A desk where nobody is yet."""
    return open_presence(measures=Measures(), gone_seconds=3600.0)


def send(desk: PresenceDesk, ear: Ear, user: str, text: str) -> list[dict[str, Any]]:
    """Have a user send a frame; what his own socket was told."""
    _, order = read_frame(text)
    obey(order, user, ear, desk)
    return ear.take()


async def test_subscribing_is_confirmed(desk: PresenceDesk) -> None:
    """Subscribing and unsubscribing are confirmed, and have their effect."""
    ear = Ear()
    assert send(desk, ear, "alice", '{"type":"Subscribe","channel":"presence:bob"}') == [
        {
            "type": "Notification",
            "title": "Subscribed",
            "message": "You listen on presence:bob",
            "level": "success",
        }
    ]
    desk.book.say("bob", Status.AWAY)
    assert [frame["status"] for frame in ear.take()] == ["away"]
    (gone,) = send(desk, ear, "alice", '{"type":"Unsubscribe","channel":"presence:bob"}')
    assert (gone["title"], gone["level"]) == ("Unsubscribed", "info")
    desk.book.say("bob", Status.ONLINE)
    assert ear.take() == []


@pytest.mark.parametrize("channel", ["user:bob", "chat:bob", "tenant:1", "nonsense"])
async def test_channels_that_are_refused(desk: PresenceDesk, channel: str) -> None:
    """A channel of somebody else, or none, is refused in words."""
    (frame,) = send(desk, Ear(), "alice", f'{{"type":"Subscribe","channel":"{channel}"}}')
    assert frame["type"] == "Error"
    assert len(desk.channels) == 0


async def test_ping_and_pong(desk: PresenceDesk) -> None:
    """A ping is answered, and an answer is not."""
    assert send(desk, Ear(), "alice", '{"type":"Ping"}') == [{"type": "Pong"}]
    assert send(desk, Ear(), "alice", '{"type":"Pong"}') == []


async def test_a_user_speaks_for_himself(desk: PresenceDesk) -> None:
    """A user changes his own presence, and is not told so unless he listens."""
    text = '{"type":"PresenceUpdate","user_id":"alice","status":"away","status_message":"Out"}'
    assert send(desk, Ear(), "alice", text) == []
    shown = desk.book.get("alice")
    assert shown is not None
    assert (shown.status, shown.message) == (Status.AWAY, "Out")


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"PresenceUpdate","user_id":"bob","status":"away"}',
        '{"type":"Typing","from":"bob","to":"alice","typing":true}',
        '{"type":"ChatMessage","message":{"from":"bob","to":"alice","message":"Hi"}}',
    ],
)
async def test_nobody_speaks_for_others(desk: PresenceDesk, text: str) -> None:
    """What a user says in somebody else's name is refused, and told to nobody."""
    listener = Ear()
    desk.channels.subscribe("chat:alice", listener)
    assert send(desk, Ear(), "alice", text) == [
        {"type": "Error", "message": "You may speak only for yourself"}
    ]
    assert listener.take() == []
    assert desk.book.get("bob") is None


async def test_probing(desk: PresenceDesk) -> None:
    """Anybody's presence is told; of whom nothing is known he is offline."""
    desk.book.say("bob", Status.BUSY)
    for user, status in (("bob", "busy"), ("carol", "offline")):
        (frame,) = send(desk, Ear(), "alice", f'{{"type":"PresenceProbe","user_id":"{user}"}}')
        assert (frame["type"], frame["user_id"], frame["status"]) == (
            "PresenceStatus",
            user,
            status,
        )


async def test_chat_reaches_both_sides(desk: PresenceDesk) -> None:
    """A message reaches the addressee's and the sender's pages, stamped by us in milliseconds."""
    before = time.time_ns() // 1_000_000
    bob, page = Ear(), Ear()
    desk.channels.subscribe("chat:bob", bob)
    desk.channels.subscribe("chat:alice", page)
    text = (
        '{"type":"ChatMessage","message":{"from":"alice","to":"bob","message":"Hi","timestamp":1}}'
    )
    assert send(desk, Ear(), "alice", text) == []
    (frame,) = bob.take()
    assert frame["message"].pop("timestamp") >= before
    assert frame == {
        "type": "ChatMessage",
        "message": {"from": "alice", "to": "bob", "message": "Hi", "message_type": "chat"},
    }
    assert len(page.take()) == 1


@pytest.mark.parametrize("kind", ["groupchat", "muc"])
async def test_chat_in_a_group(desk: PresenceDesk, kind: str) -> None:
    """A message to a group reaches whoever listens there, and not a user of that name."""
    member, user = Ear(), Ear()
    desk.channels.subscribe("group:sales", member)
    desk.channels.subscribe("chat:sales", user)
    message = f'{{"from":"alice","to":"sales","message":"Hi","message_type":"{kind}"}}'
    send(desk, Ear(), "alice", f'{{"type":"ChatMessage","message":{message}}}')
    assert [frame["message"]["message_type"] for frame in member.take()] == [kind]
    assert user.take() == []


async def test_typing_is_told(desk: PresenceDesk) -> None:
    """That somebody writes is told to whom he writes."""
    bob = Ear()
    desk.channels.subscribe("chat:bob", bob)
    send(desk, Ear(), "alice", '{"type":"Typing","from":"alice","to":"bob","typing":true}')
    assert bob.take() == [{"type": "Typing", "from": "alice", "to": "bob", "typing": True}]


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"Typing","from":"alice","to":"bob","typing":true}',
        '{"type":"ChatMessage","message":{"from":"alice","to":"bob","message":"Hi"}}',
    ],
)
async def test_too_much_is_refused_in_words(text: str) -> None:
    """Beyond his budget what a user says is told to nobody, and he is told why; others go on."""
    measures, bob, page = Measures(), Ear(), Ear()
    budget = BroadcastBudget(
        measures=measures, told_per_second=1.0, burst_seconds=1.0, clock=lambda: 0.0
    )
    desk = open_presence(measures=measures, budget=budget)
    desk.channels.subscribe("chat:bob", bob)
    assert send(desk, page, "alice", text) == []
    assert send(desk, page, "alice", text) == [
        {"type": "Error", "message": "You have said too much to too many: wait a little"}
    ]
    assert len(bob.take()) == 1
    carol = '{"type":"Typing","from":"carol","to":"bob","typing":true}'
    assert send(desk, Ear(), "carol", carol) == []
    assert [frame["from"] for frame in bob.take()] == ["carol"]
    assert measures.drops.values == {("presence_broadcast",): 1.0}
