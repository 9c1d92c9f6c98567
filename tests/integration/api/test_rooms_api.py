"""Rooms over HTTP, in process, on a real database, with a PBX that obeys or does not."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.api.bodies import ErrorBody
from fastagi_server.api.parts import PbxParts
from fastagi_server.api.room_bodies import RoomBody, RoomEventBody
from fastagi_server.calls.errors import PbxError, PbxRefusedError, PbxTooSlowError
from fastagi_server.calls.errors import PbxUnreachableError as Unreachable
from fastagi_server.identities.identity import Scope
from fastagi_server.rooms.desk import RoomDesk, open_desk
from fastagi_server.rooms.models import Member, Room, Visitor
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MEETING: Mapping[str, Any] = {
    "name": "Team meeting",
    "max_participants": 3,
    "settings": {
        "allow_recording": True,
        "allow_screen_share": True,
        "require_moderator": False,
        "bridge_type": "mixing",
    },
}


class _Pbx:
    """A PBX that counts what it is asked for, or refuses all of it."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.refusal: PbxError | None = None

    async def open(self, room: Room) -> None:
        self._obey("open")

    async def close(self, room: Room) -> None:
        self._obey("close")

    async def start_recording(self, room: Room, name: str) -> None:
        self._obey("record")

    async def stop_recording(self, room: Room, name: str) -> None:
        self._obey("stop")

    async def ring(self, room: Room, member: Member, endpoint: str) -> None:
        self._obey(f"ring {endpoint}")

    async def hang_up(self, channel: str, cause: int) -> None:
        self._obey(f"hang up {channel}")

    async def admit(self, room: Room, member: Member) -> None:
        self._obey(f"admit {member.channel}")

    async def set_aside(self, room: Room, member: Member) -> None:
        self._obey(f"set aside {member.channel}")

    async def mute(self, room: Room, member: Member) -> None:
        self._obey(f"mute {member.channel} {member.is_muted}")

    def _obey(self, order: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.orders.append(order)


@pytest.fixture
def pbx() -> _Pbx:
    """The PBX of the rooms."""
    return _Pbx()


@pytest.fixture
def desk(store: Store, pbx: _Pbx) -> RoomDesk:
    """The rooms, which may have eight seats, and of which one user may own two."""
    return open_desk(
        records=store.rooms, control=pbx, measures=Measures(), max_participants=8, max_rooms=2
    )


@pytest.fixture
def app(store: Store, desk: RoomDesk) -> FastAPI:
    """The application, with `bootstrap` as its bootstrap key."""
    return create_app(
        store=store,
        measures=Measures(),
        bootstrap_key="bootstrap",
        version="1.2.3",
        pbx=PbxParts(room_desk=desk),
    )


@pytest.fixture
async def bob(app: FastAPI, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user bob."""
    key = await store.api_keys.add("bob", frozenset({Scope.CALLS}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sge/api/v1/voip",
        headers={"X-API-Key": key},
    ) as client:
        yield client


async def create(client: httpx.AsyncClient, **settings: Any) -> dict[str, Any]:
    """A new room for three with these settings besides the usual ones."""
    body = {**MEETING, "settings": {**MEETING["settings"], **settings}}
    answer = await client.post("/rooms", json=body)
    assert answer.status_code == 201, answer.text
    room: dict[str, Any] = answer.json()
    return room


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, title and code of an error, after checking its shape."""
    error = ErrorBody.model_validate_json(answer.content)
    return answer.status_code, error.error, error.code


async def test_create_as_documented(alice: httpx.AsyncClient, pbx: _Pbx) -> None:
    """The documented request makes a room whose owner is its first participant."""
    room = await create(alice)
    RoomBody.model_validate(room)
    assert UUID4.fullmatch(room["id"])
    assert re.fullmatch("[0-9]{3}", room["number"])
    assert (room["name"], room["owner_id"], room["participants"]) == (
        "Team meeting",
        "alice",
        ["alice"],
    )
    assert (room["max_participants"], room["is_active"]) == (3, True)
    assert room["settings"] == {
        "allow_recording": True,
        "allow_screen_share": True,
        "require_moderator": False,
        "bridge_type": "mixing",
        "moderator_id": None,
        "password_required": False,
        "time_limit_minutes": None,
        "close_without_moderator": False,
    }
    assert room["created_at"].endswith("Z")
    assert pbx.orders == ["open"]
    assert (await alice.get(f"/rooms/{room['id']}")).json() == room


async def test_settings_may_be_left_out(alice: httpx.AsyncClient) -> None:
    """Without settings a room has the documented defaults."""
    answer = await alice.post("/rooms", json={"name": "Short", "max_participants": 1})
    assert answer.status_code == 201
    rules = answer.json()["settings"]
    assert (rules["allow_recording"], rules["allow_screen_share"]) == (False, True)
    assert (rules["require_moderator"], rules["bridge_type"]) == (False, "mixing")


@pytest.mark.parametrize("written", ["dtmf_events", "Proxy_Media", "HOLDING"])
async def test_bridge_type_is_echoed(alice: httpx.AsyncClient, written: str) -> None:
    """The answer names the bridge type as the client knows it, whatever Asterisk is told."""
    room = await create(alice, bridge_type=written)
    assert room["settings"]["bridge_type"] == written.lower()


async def test_idempotency(alice: httpx.AsyncClient, bob: httpx.AsyncClient, pbx: _Pbx) -> None:
    """The same key gives 200 and the same room; with another order 422; it is one user's own."""
    key = {"Idempotency-Key": "meeting-1"}
    first = await alice.post("/rooms", json=MEETING, headers=key)
    again = await alice.post("/rooms", json=MEETING, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content
    other = await alice.post("/rooms", json={**MEETING, "name": "Other"}, headers=key)
    assert refusal(other) == (422, "Room creation failed", "idempotency_key_reused")
    assert (await bob.post("/rooms", json=MEETING, headers=key)).status_code == 201
    assert pbx.orders == ["open", "open"]


@pytest.mark.parametrize(
    "change",
    [
        {"max_participants": 0},
        {"max_participants": -1},
        {"max_participants": 9},
        {"max_participants": 2**32},
        {"max_participants": "three"},
        {"max_participants": True},
        {"max_participants": None},
        {"name": ""},
        {"name": 5},
        {"name": "a\u0000b"},
        {"settings": {"bridge_type": "softmix"}},
        {"settings": {"bridge_type": "mixing,dtmf_events"}},
        {"settings": {"allow_recording": "yes"}},
        {"settings": {"time_limit_minutes": 0}},
        {"settings": {"password": "x" * 129}},
        {"settings": {"moderator_id": "a b"}},
        {"settings": []},
        {"number": "12"},
        {"number": 123},
    ],
)
async def test_what_is_no_room(
    alice: httpx.AsyncClient, pbx: _Pbx, change: Mapping[str, Any]
) -> None:
    """What breaks a limit is 422 and leaves nothing behind."""
    answer = await alice.post("/rooms", json={**MEETING, **change})
    assert refusal(answer) == (422, "Room creation failed", "invalid_request")
    assert (await alice.get("/rooms")).json() == []
    assert pbx.orders == []


async def test_malformed(alice: httpx.AsyncClient) -> None:
    """What is no JSON is 400, another type 415."""
    json_type = {"Content-Type": "application/json"}
    answer = await alice.post("/rooms", content=b"{", headers=json_type)
    assert refusal(answer) == (400, "Room creation failed", "malformed_request")
    answer = await alice.post("/rooms", content=b"name=x", headers={"Content-Type": "text/plain"})
    assert refusal(answer)[0] == 415


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PbxRefusedError("The PBX refused"), (502, "Room creation failed", "pbx_refused")),
        (Unreachable("The PBX is away"), (503, "Room creation failed", "pbx_unreachable")),
        (PbxTooSlowError("The PBX slept"), (504, "Room creation failed", "pbx_too_slow")),
    ],
)
async def test_no_bridge(
    alice: httpx.AsyncClient, pbx: _Pbx, error: PbxError, expected: tuple[int, str, str]
) -> None:
    """When the PBX makes no bridge, the answer says when to try again and there is no room."""
    pbx.refusal = error
    answer = await alice.post("/rooms", json=MEETING)
    assert refusal(answer) == expected
    assert answer.headers["retry-after"] == "5"
    assert (await alice.get("/rooms")).json() == []


async def test_join_until_full(
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    eve: httpx.AsyncClient,
    service: httpx.AsyncClient,
) -> None:
    """The owner counts; the one too many gets `Room is full`, a member may repeat."""
    room = await create(alice)
    path = f"/rooms/{room['id']}"
    for client in (bob, eve, bob):
        assert (await client.post(f"{path}/join")).status_code == 200
    answer = await service.post(f"{path}/join")
    assert refusal(answer) == (403, "Join room failed", "room_full")
    assert answer.json()["message"] == "Room is full"
    assert (await alice.get(path)).json()["participants"] == ["alice", "bob", "eve"]
    assert (await bob.post(f"{path}/leave")).json()["participants"] == ["alice", "eve"]
    assert (await service.post(f"{path}/join")).status_code == 200


async def test_join_with_a_telephone(alice: httpx.AsyncClient, pbx: _Pbx, desk: RoomDesk) -> None:
    """A telephone is rung, and its user takes part once it is in the bridge."""
    room = await create(alice)
    path = f"/rooms/{room['id']}"
    answer = await alice.post(f"{path}/join", json={"endpoint": "PJSIP/1001", "screen": True})
    channel = f"sge-room-{room['id']}-0"
    member = answer.json()["members"][0]
    assert (member["state"], member["channel_id"]) == ("ringing", channel)
    assert (member["shares_screen"], member["is_moderator"]) == (True, True)
    await desk.attendance.arrived(room["id"], channel)
    await desk.attendance.member_entered(room["id"], channel)
    assert (await alice.get(path)).json()["members"][0]["state"] == "present"
    assert pbx.orders == ["open", "ring PJSIP/1001", f"admit {channel}"]


@pytest.mark.parametrize(
    "endpoint",
    ["1001", "Local/1001@internal", "PJSIP/1&PJSIP/2", "PJSIP/1\n", "PJSIP/${X}", "", "PJSIP/"],
)
async def test_what_is_no_telephone(alice: httpx.AsyncClient, pbx: _Pbx, endpoint: str) -> None:
    """What could ring more than one telephone, or run dialplan, is 422 and rings nothing."""
    room = await create(alice)
    answer = await alice.post(f"/rooms/{room['id']}/join", json={"endpoint": endpoint})
    assert refusal(answer) == (422, "Join room failed", "invalid_request")
    assert pbx.orders == ["open"]


async def test_password(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    """A password is asked for, never shown, and hides the room from those without it."""
    created = await alice.post("/rooms", json={**MEETING, "settings": {"password": "4711 secret"}})
    room = created.json()
    path = f"/rooms/{room['id']}"
    assert room["settings"]["password_required"] is True
    assert "4711" not in created.text
    assert "scrypt" not in created.text
    assert refusal(await bob.get(path)) == (403, "Room retrieval failed", "forbidden")
    for body in ({}, {"password": "4711"}, {"password": ""}):
        answer = await bob.post(f"{path}/join", json=body)
        assert refusal(answer) == (403, "Join room failed", "wrong_password")
    assert (await bob.post(f"{path}/join", json={"password": "4711 secret"})).status_code == 200
    assert (await bob.get(path)).status_code == 200


async def test_screens_and_recordings(alice: httpx.AsyncClient, pbx: _Pbx) -> None:
    """What a room does not allow is 403."""
    room = await create(alice, allow_screen_share=False, allow_recording=False)
    path = f"/rooms/{room['id']}"
    answer = await alice.post(f"{path}/join", json={"screen": True})
    assert refusal(answer) == (403, "Join room failed", "forbidden")
    answer = await alice.post(f"{path}/recording/start")
    assert refusal(answer) == (403, "Recording failed", "forbidden")
    room = await create(alice)
    path = f"/rooms/{room['id']}"
    started = (await alice.post(f"{path}/recording/start")).json()
    assert started["recording"].startswith(f"sge-room-{room['id']}-")
    assert (await alice.post(f"{path}/recording/stop")).json()["recording"] is None
    assert pbx.orders == ["open", "open", "record", "stop"]


async def test_moderation(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, desk: RoomDesk, pbx: _Pbx
) -> None:
    """The owner mutes, kicks, locks and closes; a member may do none of it."""
    room = await create(alice)
    path = f"/rooms/{room['id']}"
    await desk.attendance.call_in(room["id"], Visitor("17.4", "1003", None))
    await desk.attendance.member_entered(room["id"], "17.4")
    await bob.post(f"{path}/join")
    acts = ["lock", "unlock", "members/17.4/mute", "members/17.4/unmute", "members/17.4/kick"]
    for act in [*acts, "recording/start", "recording/stop", "close"]:
        assert refusal(await bob.post(f"{path}/{act}"))[0::2] == (403, "forbidden")
    assert (await alice.get(path)).json()["participants"] == ["alice", "1003", "bob"]
    for act in [*acts, "close", "close"]:
        assert (await alice.post(f"{path}/{act}")).status_code == 200
    assert pbx.orders == [
        "open",
        "admit 17.4",
        "mute 17.4 True",
        "mute 17.4 False",
        "hang up 17.4",
        "close",
    ]
    closed = (await alice.get(path)).json()
    assert (closed["is_active"], closed["participants"], closed["members"]) == (False, [], [])
    assert (await alice.get("/rooms")).json() == []
    log = (await alice.get(f"{path}/events")).json()
    for event in log:
        RoomEventBody.model_validate(event)
    assert [event["kind"] for event in log] == [
        "created",
        "arrived",
        "entered",
        "joined",
        "locked",
        "unlocked",
        "muted",
        "unmuted",
        "kicked",
        "closed",
    ]


async def test_locked_and_closed(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    """A lock is 403 `room_locked`, a closed room 409 `room_closed`, an unknown member 404."""
    room = await create(alice)
    path = f"/rooms/{room['id']}"
    await alice.post(f"{path}/lock")
    assert refusal(await bob.post(f"{path}/join")) == (403, "Join room failed", "room_locked")
    answer = await alice.post(f"{path}/members/nobody/kick")
    assert refusal(answer) == (404, "Member removal failed", "member_not_found")
    await alice.post(f"{path}/close")
    for act in ("join", "lock", "unlock", "members/alice/mute", "recording/stop"):
        answer = await alice.post(f"{path}/{act}")
        assert refusal(answer)[0::2] == (409, "room_closed")


async def test_lists(
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    eve: httpx.AsyncClient,
    service: httpx.AsyncClient,
) -> None:
    """A user's list has his rooms and those he is in, newest first; a trusted key's has all."""
    first, second = await create(alice), await create(alice, moderator_id="bob")
    third = await create(bob)
    await eve.post(f"/rooms/{first['id']}/join")

    async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
        return [room["id"] for room in (await client.get(f"/rooms{query}")).json()]

    assert await listed(alice) == [second["id"], first["id"]]
    assert await listed(bob) == [third["id"], second["id"]]
    assert await listed(eve) == [first["id"]]
    assert await listed(service) == [third["id"], second["id"], first["id"]]
    assert await listed(service, "?limit=1") == [third["id"]]
    assert await listed(eve, f"?number={third['number']}") == [third["id"]]
    await bob.post(f"/rooms/{third['id']}/close")
    assert await listed(eve, f"?number={third['number']}") == []
    assert refusal(await eve.get("/rooms?number=1"))[0] == 422


async def test_numbers_and_limits(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    """A number is one room's; a user owns so many rooms and no more."""
    assert (await alice.post("/rooms", json={**MEETING, "number": "042"})).status_code == 201
    answer = await bob.post("/rooms", json={**MEETING, "number": "042"})
    assert refusal(answer) == (409, "Room creation failed", "number_taken")
    await create(alice)
    answer = await alice.post("/rooms", json=MEETING)
    assert refusal(answer)[0::2] == (429, "concurrency_exceeded")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("path", ["", "/events"])
async def test_unknown_room(alice: httpx.AsyncClient, path: str) -> None:
    """A room that is not there is 404 with the documented title."""
    answer = await alice.get(f"/rooms/none{path}")
    assert refusal(answer) == (404, "Room retrieval failed", "room_not_found")
    assert answer.json()["message"] == "Room not found"
    answer = await alice.post("/rooms/none/join")
    assert refusal(answer) == (404, "Join room failed", "room_not_found")


async def test_nobody_without_credentials(anybody: httpx.AsyncClient) -> None:
    """Every operation asks who is there first."""
    for method, path in [
        ("GET", "/rooms"),
        ("POST", "/rooms"),
        ("GET", "/rooms/x"),
        ("POST", "/rooms/x/join"),
        ("POST", "/rooms/x/members/y/kick"),
    ]:
        assert (await anybody.request(method, path)).status_code == 401
