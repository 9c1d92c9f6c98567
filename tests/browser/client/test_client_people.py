"""Presence and rooms in the client library."""

import asyncio
from typing import Any

import pytest
from client_stage import Stage, silent

from fastagi_server.presence.frames import notification
from fastagi_server.signaling.models import SignalKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM = {"id": "r1", "name": "Team", "number": "042", "is_active": True}


async def test_presence_is_said_and_seen(stage: Stage) -> None:
    """What one user says of himself is what the others get, list and are told."""
    alice, bob = await stage.sign_in("alice"), await stage.sign_in("bob")
    await bob.run(
        """() => {
            window.seen = [];
            window.stop = client.presence.subscribe("alice", ({ status }) => seen.push(status));
            client.presence.subscribe("all", () => { window.all = true; });
        }"""
    )
    said = await alice.run("() => client.presence.set('away', 'At lunch')")
    assert (said["user_id"], said["status"], said["status_message"]) == (
        "alice",
        "away",
        "At lunch",
    )
    await bob.until_true("seen.includes('away') && window.all")
    assert (await alice.run("() => client.presence.get()"))["status"] == "away"
    assert (await bob.run("() => client.presence.get('alice')"))["status"] == "away"
    assert await bob.run("() => client.presence.get('nobody')") is None
    names = await bob.run("async () => (await client.presence.list()).map((s) => s.user_id)")
    assert names == ["alice", "bob"]
    await bob.run("() => { stop(); seen.length = 0; window.all = false; }")
    await alice.run("() => client.presence.set('online')")
    await bob.until_true("window.all")
    assert await bob.run("() => seen") == []


async def test_notifications(stage: Stage) -> None:
    """A word from the service reaches the page."""
    alice = await stage.sign_in()
    await alice.run("() => client.on('notification', (word) => { window.word = word; })")
    stage.desk.book.tell("alice", notification("Lunch", "Is ready"))
    await alice.until_true("window.word?.title === 'Lunch'")


async def test_rooms_are_made_listed_and_left(stage: Stage) -> None:
    """A room is created, found, left and closed."""
    alice = await stage.sign_in()
    room = await alice.run("() => client.rooms.create('Team', { maxParticipants: 5 })")
    assert (room["name"], room["max_participants"], room["owner_id"]) == ("Team", 5, "alice")
    listed = await alice.run("async () => (await client.rooms.list()).map((room) => room.id)")
    assert listed == [room["id"]]
    assert (await alice.run("id => client.rooms.get(id)", room["id"]))["id"] == room["id"]
    left = await alice.run("id => client.rooms.leave(id)", room["id"])
    assert left["participants"] == []
    closed = await alice.run("id => client.rooms.close(id)", room["id"])
    assert closed["is_active"] is False
    assert await alice.refusal("client.rooms.get('no/such')") == "not_found"


async def test_a_room_is_joined(stage: Stage) -> None:
    """Asterisk rings who joins, and that call is answered without ringing."""
    stage.gateway.behaviour = silent
    alice = await stage.sign_in()
    joins = await alice.answer_with("rooms/r1/join", ROOM)
    await alice.run("() => { window.joining = client.rooms.join('r1', { password: 'sesame' }); }")
    await asked(joins)
    await stage.ring(caller_number="9042", room_id="r1")
    await alice.run("async () => near.watch(await joining)")
    await stage.gateway.until("answer")
    await stage.gateway.far.evaluate(
        "answer => far.peer.setRemoteDescription(answer)", stage.gateway.received[0].payload
    )
    await alice.until("connected")
    assert joins == [{"endpoint": "PJSIP/alice@sge-gateway", "password": "sesame"}]
    assert [event[0] for event in await alice.told()] == ["connected"]


async def test_a_room_that_cannot_be_joined(stage: Stage) -> None:
    """Without a telephone system the join is refused, and the microphone is let go."""
    alice = await stage.sign_in()
    room = await alice.run("() => client.rooms.create('Team')")
    await alice.run(
        """() => {
            const { getUserMedia } = navigator.mediaDevices;
            navigator.mediaDevices.getUserMedia = async function (wanted) {
                window.taken = await getUserMedia.call(this, wanted);
                return taken;
            };
        }"""
    )
    join = f"client.rooms.join('{room['id']}')"
    assert await alice.refusal(join) in {"pbx_unreachable", "forbidden"}
    assert await alice.run("() => taken.getTracks()[0].readyState") == "ended"


@pytest.mark.parametrize("claimed", [{}, {"sender": "service", "room_id": "r1"}])
async def test_a_call_from_elsewhere_rings_while_a_room_is_joined(
    stage: Stage, claimed: dict[str, Any]
) -> None:
    """Only Asterisk's call into the room is answered by itself, whatever others write."""
    alice = await stage.sign_in()
    joins = await alice.answer_with("rooms/r1/join", ROOM)
    await alice.run("() => { client.rooms.join('r1').catch(() => {}); }")
    await asked(joins)
    await stage.ring(caller_number="1001", **claimed)
    await alice.until("incoming", "1001", "", "audio")
    assert await alice.run("() => call.state") == "ringing"


async def test_a_participant_is_named_by_the_service(stage: Stage) -> None:
    """Blanks, dots and brackets of a number go; dial strings and user ids stay as they are."""
    alice = await stage.sign_in()
    names = await alice.run(
        """async () => {
            const { participantOf } = await import("/client/numbers.js");
            const targets = [" 10.01 ", "(100) 1", "*98", "PJSIP/desk", "bob@example.org"];
            return targets.map(participantOf);
        }"""
    )
    assert names == ["SIP/1001", "SIP/1001", "SIP/*98", "PJSIP/desk", "bob@example.org"]


async def test_the_kinds_of_messages_are_the_services(stage: Stage) -> None:
    """Every kind of message that there is, is one that the types name."""
    types = (await stage.open()).page
    text = await types.evaluate("() => document.body.textContent")
    assert [kind for kind in SignalKind if f'"{kind}"' not in text] == []


async def asked(requests: list[Any]) -> None:
    """Wait until the page has asked the service, which makes Asterisk ring."""
    async with asyncio.timeout(15):
        while not requests:  # noqa: ASYNC110 - the route handler of the browser tells nobody
            await asyncio.sleep(0.01)
