"""Who may ask what of rooms; the records and the PBX are in memory."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from memory_rooms import (
    ALICE,
    BOB,
    EVE,
    NOBODY,
    NOON,
    ROOM_ID,
    SERVICE,
    Desk,
    MemoryPbx,
    a_room,
    an_order,
)

from fastagi_server.calls.errors import (
    InvalidCallError,
    KeyReusedError,
    PbxRefusedError,
    PbxUnreachableError,
)
from fastagi_server.calls.outbound import OutboundPolicy, pattern_of
from fastagi_server.rooms.errors import (
    InvalidRoomError,
    NumberTakenError,
    RoomClosedError,
    RoomForbiddenError,
    RoomFullError,
    RoomLimitError,
    RoomNotFoundError,
    WrongPasswordError,
)
from fastagi_server.rooms.models import BridgeType, Member, MemberState, Room
from fastagi_server.rooms.orders import JoinOrder, RoomOrder
from fastagi_server.rooms.passwords import hash_password

JOIN = JoinOrder()
RING = JoinOrder(endpoint="PJSIP/1002")


def present(user: str, channel: str) -> Member:
    """A member whose telephone is in the bridge."""
    return Member(user, MemberState.PRESENT, NOON, user, channel=channel)


async def test_create_a_room() -> None:
    """The maker owns the room and has the first seat, and the PBX has a bridge for it."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    room, is_new = await desk.rooms.create(an_order(), ALICE, None)
    assert is_new
    assert room == Room(
        id=room.id,
        name="Standup",
        owner_id="alice",
        max_participants=3,
        settings=an_order().settings,
        created_at=NOON,
        updated_at=NOON,
        number=room.number,
        members=(Member("alice", MemberState.INVITED, NOON, "alice"),),
    )
    assert re.fullmatch("[0-9]{3}", room.number or "")
    assert room.participants == ("alice",)
    assert pbx.orders == ["open mixing"]
    assert desk.records.kinds(room.id) == ["created"]
    assert desk.measures.rooms.values == {("created",): 1}


@pytest.mark.parametrize(
    ("bridge_type", "asked"),
    [
        ("mixing", "open mixing"),
        ("Holding", "open holding"),
        ("dtmf_events", "open mixing,dtmf_events"),
        ("PROXY_MEDIA", "open mixing,proxy_media"),
    ],
)
async def test_bridge_types(bridge_type: str, asked: str) -> None:
    """The types that Asterisk does not make alone are asked for with mixing (Decision 8)."""
    pbx = MemoryPbx()
    order = an_order(bridge_type=BridgeType(bridge_type))
    room, _ = await Desk(pbx).rooms.create(order, ALICE, None)
    assert pbx.orders == [asked]
    assert room.settings.bridge_type == bridge_type.lower()


async def test_bridge_refused() -> None:
    """When the PBX makes no bridge there is no room, and the same key may try again."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    pbx.refusals["open"] = PbxRefusedError("no")
    with pytest.raises(PbxRefusedError):
        await desk.rooms.create(an_order(), ALICE, "key")
    assert desk.records.rooms == {}
    pbx.refusals.clear()
    assert (await desk.rooms.create(an_order(), ALICE, "key"))[1]


async def test_repeated_creation() -> None:
    """The same key is the same room, and no second bridge; with another order it is refused."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    first, _ = await desk.rooms.create(an_order(), ALICE, "key")
    again, is_new = await desk.rooms.create(an_order(), ALICE, "key")
    assert (again, is_new) == (first, False)
    assert pbx.orders == ["open mixing"]
    with pytest.raises(KeyReusedError):
        await desk.rooms.create(an_order(seats=4), ALICE, "key")


async def test_number_of_choice() -> None:
    """A number is given once as long as its room is open."""
    desk = Desk()
    order = replace(an_order(), number="042")
    room, _ = await desk.rooms.create(order, ALICE, None)
    with pytest.raises(NumberTakenError):
        await desk.rooms.create(order, BOB, None)
    assert await desk.rooms.by_number("042", BOB) == room
    await desk.moderation.close(room.id, ALICE)
    with pytest.raises(RoomNotFoundError):
        await desk.rooms.by_number("042", BOB)
    assert (await desk.rooms.create(order, BOB, None))[0].number == "042"


async def test_all_numbers_taken() -> None:
    """The thousand-and-first room has no number, and is a room all the same."""
    desk = Desk()
    for number in range(1000):
        room = replace(a_room(), id=str(number), number=f"{number:03}")
        desk.put(room)
    room, _ = await desk.rooms.create(an_order(), ALICE, None)
    assert room.number is None


async def test_limits_of_rooms() -> None:
    """A room is for as many as the service allows, and a user owns as many rooms as he may."""
    desk = Desk(max_rooms=1)
    with pytest.raises(InvalidRoomError, match="at most 50"):
        await desk.rooms.create(an_order(seats=51), ALICE, None)
    room, _ = await desk.rooms.create(an_order(seats=50), ALICE, None)
    with pytest.raises(RoomLimitError):
        await desk.rooms.create(an_order(), ALICE, None)
    await desk.moderation.close(room.id, ALICE)
    await desk.rooms.create(an_order(), ALICE, None)
    for _ in range(2):
        await desk.rooms.create(an_order(), SERVICE, None)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"name": ""}, "name must have 1 to 128"),
        ({"name": "a\nb"}, "name must have 1 to 128"),
        ({"name": "x" * 129}, "name must have 1 to 128"),
        ({"max_participants": 0}, "must be 1 to 500"),
        ({"max_participants": 501}, "must be 1 to 500"),
        ({"number": "12"}, "three digits"),
        ({"number": "\u0661\u0662\u0663"}, "three digits"),
        ({"password": "x" * 129}, "at most 128"),
        ({"password": "pass\nword"}, "at most 128"),
    ],
)
def test_bad_orders(words: dict[str, Any], complaint: str) -> None:
    """What cannot be a room is refused before anything happens."""
    order = an_order()
    good: dict[str, Any] = {"name": "a", "max_participants": 1, "settings": order.settings}
    with pytest.raises(InvalidRoomError, match=complaint):
        RoomOrder(**(good | words))


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"time_limit_minutes": 0}, "time_limit_minutes must be 1 to 10080"),
        ({"time_limit_minutes": 10081}, "time_limit_minutes must be 1 to 10080"),
        ({"moderator_id": ""}, "moderator_id is no user id"),
        ({"moderator_id": "a b"}, "moderator_id is no user id"),
    ],
)
def test_bad_settings(rules: dict[str, Any], complaint: str) -> None:
    """A rule that nobody could follow is refused."""
    with pytest.raises(InvalidRoomError, match=complaint):
        an_order(**rules)


def test_bad_endpoints() -> None:
    """What is rung for a member is one telephone."""
    with pytest.raises(InvalidRoomError, match="must be a dial string"):
        JoinOrder(endpoint="bob")
    with pytest.raises(InvalidCallError):
        JoinOrder(endpoint="PJSIP/1&PJSIP/2")
    with pytest.raises(InvalidCallError):
        JoinOrder(endpoint="Local/1@context")


@pytest.mark.parametrize(
    "endpoint",
    ["PJSIP/+32470123456@trunk", "PJSIP/trunk/sip:900@192.0.2.1", "DAHDI/g1/900", "IAX2/t/900"],
)
async def test_only_trusted_ring_outside(endpoint: str) -> None:
    """A user rings the PBX's own telephones; what lies beyond a trunk costs somebody money."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    order = JoinOrder(endpoint=endpoint)
    with pytest.raises(RoomForbiddenError, match="beyond a trunk"):
        await desk.rooms.join(ROOM_ID, order, ALICE)
    assert pbx.orders == []
    await desk.rooms.join(ROOM_ID, order, SERVICE)
    assert pbx.orders == [f"ring {endpoint} -0"]


async def test_a_user_joins_from_outside_as_the_policy_allows() -> None:
    """Where users may call out, one is rung at an allowed number, and at no other."""
    pbx = MemoryPbx()
    policy = OutboundPolicy(trunk="PJSIP/trunk", allow=(pattern_of("0X."),), for_users=True)
    desk = Desk(pbx, outbound=policy)
    desk.put(a_room())
    for endpoint in ("PJSIP/1234@trunk", "PJSIP/trunk", "pjsip/0301234@trunk"):
        with pytest.raises(RoomForbiddenError, match="beyond a trunk"):
            await desk.rooms.join(ROOM_ID, JoinOrder(endpoint=endpoint), ALICE)
    await desk.rooms.join(ROOM_ID, JoinOrder(endpoint="PJSIP/0301234@trunk"), ALICE)
    assert pbx.orders == ["ring PJSIP/0301234@trunk -0"]


async def test_password_is_kept_as_a_hash() -> None:
    """A password is nowhere in the record, and opens the room; members need none."""
    desk = Desk()
    room, _ = await desk.rooms.create(an_order(password="open sesame"), ALICE, None)
    assert "sesame" not in repr(room)
    assert room.settings.password_hash.startswith("scrypt$")
    for password in ("", "open", "Open sesame"):
        with pytest.raises(WrongPasswordError):
            await desk.rooms.join(room.id, JoinOrder(password), BOB)
    await desk.rooms.join(room.id, JoinOrder("open sesame"), BOB)
    joined = await desk.rooms.join(room.id, JOIN, BOB)
    assert joined.participants == ("alice", "bob")
    assert (await desk.rooms.join(room.id, JOIN, ALICE)).is_active


async def test_hash_of_another_scheme() -> None:
    """A password never fits a hash that was made in another way."""
    room = a_room(password_hash=hash_password("a").replace("scrypt", "plain"))
    with pytest.raises(WrongPasswordError):
        await Desk().rooms.check_password(room, "a")


async def test_join_without_telephone() -> None:
    """A user is in the room at once, and a second time as well, even when it is full."""
    desk = Desk(MemoryPbx())
    desk.put(a_room(seats=2))
    room = await desk.rooms.join(ROOM_ID, JOIN, BOB)
    assert room.participants == ("alice", "bob")
    assert await desk.rooms.join(ROOM_ID, JOIN, BOB) == room
    with pytest.raises(RoomFullError):
        await desk.rooms.join(ROOM_ID, JOIN, EVE)
    assert desk.records.kinds(ROOM_ID) == ["joined"]


async def test_join_by_telephone() -> None:
    """A telephone is rung on the room's next channel; a second request rings none."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room())
    room = await desk.rooms.join(ROOM_ID, RING, BOB)
    assert desk.states == {"alice": "invited", "bob": "ringing"}
    assert await desk.rooms.join(ROOM_ID, RING, BOB) == room
    assert pbx.orders == ["ring PJSIP/1002 -0"]
    assert room.participants == ("alice",)


@pytest.mark.parametrize("refusal", [PbxRefusedError("no"), PbxUnreachableError("away")])
async def test_telephone_that_cannot_be_rung(refusal: PbxRefusedError) -> None:
    """Nobody has a seat because of a telephone that the PBX did not ring."""
    pbx = MemoryPbx()
    pbx.refusals["ring"] = refusal
    desk = Desk(pbx)
    room = desk.put(a_room())
    with pytest.raises(type(refusal)):
        await desk.rooms.join(ROOM_ID, RING, BOB)
    assert desk.room == room


async def test_no_pbx() -> None:
    """Without a PBX users may meet, but no telephone is rung."""
    desk = Desk()
    desk.put(a_room())
    await desk.rooms.join(ROOM_ID, JOIN, BOB)
    with pytest.raises(PbxUnreachableError):
        await desk.rooms.join(ROOM_ID, RING, EVE)


async def test_screens() -> None:
    """A screen is shared where the room allows it."""
    desk = Desk()
    desk.put(a_room(allow_screen_share=False))
    with pytest.raises(RoomForbiddenError, match="Screen sharing is not allowed"):
        await desk.rooms.join(ROOM_ID, JoinOrder(shares_screen=True), BOB)
    assert desk.states == {"alice": "invited"}


async def test_leave() -> None:
    """Who leaves is hung up on; who is no member leaves without a trace."""
    pbx = MemoryPbx()
    desk = Desk(pbx)
    desk.put(a_room(present("alice", "17.1"), present("bob", "17.2")))
    await desk.rooms.leave(ROOM_ID, EVE)
    room = await desk.rooms.leave(ROOM_ID, BOB)
    assert room.participants == ("alice",)
    assert pbx.orders == ["hang up 17.2 16"]
    assert desk.records.kinds(ROOM_ID) == ["left"]


async def test_leaving_needs_the_pbx() -> None:
    """A telephone that could not be hung up is still in the room."""
    pbx = MemoryPbx()
    pbx.refusals["hang up"] = PbxUnreachableError("away")
    desk = Desk(pbx)
    room = desk.put(a_room(present("alice", "17.1"), present("bob", "17.2")))
    with pytest.raises(PbxUnreachableError):
        await desk.rooms.leave(ROOM_ID, BOB)
    assert desk.room == room


async def test_who_may_look() -> None:
    """Anybody may look at what anybody may join; behind a password or a lock, members may."""
    desk = Desk()
    room = desk.put(a_room())
    assert await desk.rooms.get(ROOM_ID, EVE) == room
    assert await desk.rooms.events(ROOM_ID, EVE) == []
    for closed_off in (replace(room, is_locked=True), a_room(password_hash="scrypt$a$b")):
        desk.put(closed_off)
        for identity in (ALICE, SERVICE):
            assert await desk.rooms.get(ROOM_ID, identity) == closed_off
        with pytest.raises(RoomForbiddenError, match="Not a member"):
            await desk.rooms.get(ROOM_ID, EVE)


async def test_list_rooms() -> None:
    """A user finds the open rooms that he owns, moderates or is in; a trusted identity all."""
    desk = Desk()
    first = desk.put(replace(a_room(), id="1"))
    second = desk.put(
        replace(a_room(moderator_id="bob"), id="2", created_at=NOON + timedelta(seconds=1))
    )
    closed = desk.put(replace(a_room(), id="3", closed_at=NOON))
    assert await desk.rooms.active(ALICE, 10) == [second, first]
    assert await desk.rooms.active(BOB, 10) == [second]
    assert await desk.rooms.active(EVE, 10) == []
    assert await desk.rooms.active(SERVICE, 1) == [second]
    assert await desk.rooms.get(closed.id, ALICE) == closed


async def test_closed_room() -> None:
    """Nobody joins a closed room, whatever its password was."""
    desk = Desk()
    desk.put(replace(a_room(password_hash=hash_password("a")), closed_at=NOON))
    with pytest.raises(RoomClosedError):
        await desk.rooms.join(ROOM_ID, JOIN, ALICE)
    with pytest.raises(RoomClosedError):
        await desk.rooms.join(ROOM_ID, JOIN, BOB)


ANYTHING: list[Callable[[Desk], Awaitable[object]]] = [
    lambda desk: desk.rooms.create(an_order(), NOBODY, None),
    lambda desk: desk.rooms.get(ROOM_ID, NOBODY),
    lambda desk: desk.rooms.active(NOBODY, 10),
    lambda desk: desk.rooms.by_number("123", NOBODY),
    lambda desk: desk.rooms.join(ROOM_ID, JOIN, NOBODY),
    lambda desk: desk.rooms.leave(ROOM_ID, NOBODY),
    lambda desk: desk.moderation.close(ROOM_ID, NOBODY),
    lambda desk: desk.moderation.start_recording(ROOM_ID, NOBODY),
    lambda desk: desk.moderation.stop_recording(ROOM_ID, NOBODY),
]


@pytest.mark.parametrize("ask", ANYTHING)
async def test_credential_without_calls(ask: Callable[[Desk], Awaitable[object]]) -> None:
    """A credential that has nothing to do with calls learns and does nothing."""
    desk = Desk()
    room = desk.put(a_room())
    with pytest.raises(RoomForbiddenError, match="no scope for calls"):
        await ask(desk)
    assert desk.records.rooms == {ROOM_ID: room}


BY_ID: list[Callable[[Desk], Awaitable[object]]] = [
    lambda desk: desk.rooms.get("none", ALICE),
    lambda desk: desk.rooms.events("none", ALICE),
    lambda desk: desk.rooms.join("none", JOIN, ALICE),
    lambda desk: desk.rooms.leave("none", ALICE),
    lambda desk: desk.moderation.close("none", ALICE),
    lambda desk: desk.moderation.start_recording("none", ALICE),
]


@pytest.mark.parametrize("ask", BY_ID)
async def test_unknown_room(ask: Callable[[Desk], Awaitable[object]]) -> None:
    """A room that is not there is not found."""
    with pytest.raises(RoomNotFoundError, match="Room not found"):
        await ask(Desk())
