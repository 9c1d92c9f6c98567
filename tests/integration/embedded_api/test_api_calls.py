"""Calls over HTTP, in process, on a real database."""

import asyncio
import re
from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.api.bodies import CallBody, ErrorBody
from fastagi_server.api.parts import PbxParts
from fastagi_server.calls.commands import Command
from fastagi_server.calls.errors import PbxRefusedError
from fastagi_server.calls.models import Call
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ADOPTION: Mapping[str, Any] = {
    "participants": ["SIP/1001"],
    "call_type": "audio",
    "metadata": {
        "asterisk_call_id": "pbx1-1767268800.17",
        "asterisk_system": "pbx1",
        "caller_id": "1002",
        "asterisk_channel_id": "somebody-elses",
    },
}
TO_BOB: Mapping[str, Any] = {"participants": ["bob"], "call_type": "video"}
KEY = {"Idempotency-Key": "agi-pbx1-1767268800.17"}


async def create(client: httpx.AsyncClient, body: Mapping[str, Any] = TO_BOB) -> dict[str, Any]:
    """A new call."""
    answer = await client.post("/calls", json=body)
    assert answer.status_code == 201
    call: dict[str, Any] = answer.json()
    return call


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    """Status, title, code and message of an error, after checking its shape."""
    error = ErrorBody.model_validate_json(answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == error.request_id
    return answer.status_code, error.error, error.code, error.message


async def test_adopt_a_live_channel(client: httpx.AsyncClient) -> None:
    """What the documented script posts is answered with what it reads: id and channel id."""
    answer = await client.post("/calls", json=ADOPTION, headers=KEY)
    call = answer.json()
    assert answer.status_code == 201
    CallBody.model_validate(call)
    assert UUID4.fullmatch(call["id"])
    assert call["metadata"] == {
        "asterisk_call_id": "pbx1-1767268800.17",
        "asterisk_system": "pbx1",
        "caller_id": "1002",
        "asterisk_channel_id": "pbx1-1767268800.17",
    }
    assert (call["caller_id"], call["participants"]) == ("service", ["SIP/1001"])
    assert (call["call_type"], call["status"]) == ("audio", "initiating")
    assert call["start_time"] == call["created_at"] == call["updated_at"]
    assert call["start_time"].endswith("Z")


async def test_repeated_registration(client: httpx.AsyncClient, measures: Measures) -> None:
    """The same key gives 200 and the first answer, word for word."""
    first = await client.post("/calls", json=ADOPTION, headers=KEY)
    again = await client.post("/calls", json=ADOPTION, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content
    assert measures.calls.values == {("adopted",): 1}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "another"}])
async def test_one_call_per_channel(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """A channel is one call, with another key and with none."""
    first = await client.post("/calls", json=ADOPTION, headers=KEY)
    again = await client.post("/calls", json=ADOPTION, headers=headers)
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]


async def test_another_system_is_another_channel(client: httpx.AsyncClient) -> None:
    """The same unique id on another system is another call."""
    first = await client.post("/calls", json=ADOPTION)
    metadata = {**ADOPTION["metadata"], "asterisk_system": "pbx2"}
    second = await client.post("/calls", json={**ADOPTION, "metadata": metadata})
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_key_of_another_request(client: httpx.AsyncClient) -> None:
    """The same key with another order is refused, and the first call stays as it was."""
    first = await client.post("/calls", json=TO_BOB, headers=KEY)
    answer = await client.post("/calls", json={**TO_BOB, "call_type": "screen"}, headers=KEY)
    assert refusal(answer) == (
        422,
        "Call initiation failed",
        "idempotency_key_reused",
        "Idempotency-Key was used before with a different request",
    )
    assert (await client.get(f"/calls/{first.json()['id']}")).json() == first.json()


async def test_channel_told_again_with_other_details(client: httpx.AsyncClient) -> None:
    """The same key for the same channel is the same call, whatever else is told by then."""
    first = await client.post("/calls", json=ADOPTION, headers=KEY)
    metadata = {**ADOPTION["metadata"], "asterisk_linked_id": "pbx1-1767268800.11"}
    again = await client.post("/calls", json={**ADOPTION, "metadata": metadata}, headers=KEY)
    assert again.status_code == 200
    assert again.json() == first.json()


async def test_keys_of_two_identities(alice: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    """A key belongs to the one who sends it."""
    mine = await alice.post("/calls", json=TO_BOB, headers={"Idempotency-Key": "1"})
    theirs = await eve.post("/calls", json=TO_BOB, headers={"Idempotency-Key": "1"})
    assert (mine.status_code, theirs.status_code) == (201, 201)


async def test_fifty_at_once_are_one_call(client: httpx.AsyncClient) -> None:
    """Of fifty requests with one key, in flight together, one creates and all get the same."""
    body = {"participants": ["bob"], "call_type": "audio"}
    answers = await asyncio.gather(
        *(client.post("/calls", json=body, headers={"Idempotency-Key": "k"}) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert len((await client.get("/calls")).json()) == 1


async def test_life_of_a_call(client: httpx.AsyncClient) -> None:
    """A call is answered and ended at the PBX's times, and the record says so ever after."""
    call = await create(client, ADOPTION)
    path = f"/calls/{call['id']}"
    accepted = await client.post(f"{path}/accept", json={"answered_at": "2026-01-01T12:00:05Z"})
    assert accepted.status_code == 200
    assert accepted.json()["status"] == "connected"
    assert accepted.json()["answered_at"] == "2026-01-01T12:00:05Z"
    facts = {
        "hangup_cause": 16,
        "dial_status": "ANSWER",
        "ring_ms": 4880,
        "answered_ms": 60000,
        "ended_at": "2026-01-01T13:01:05+01:00",
    }
    ended = await client.post(f"{path}/end", json=facts)
    assert ended.status_code == 200
    record = (await client.get(path)).json()
    assert record == ended.json()
    assert record == {
        **call,
        "status": "ended",
        "answered_at": "2026-01-01T12:00:05Z",
        "end_time": "2026-01-01T12:01:05Z",
        "updated_at": record["updated_at"],
        "hangup_cause": 16,
        "dial_status": "ANSWER",
        "ring_ms": 4880,
        "answered_ms": 60000,
        "duration_ms": 60000,
    }
    events = (await client.get(f"{path}/events")).json()
    assert [(event["kind"], event["actor"]) for event in events] == [
        ("adopted", "service"),
        ("accepted", "service"),
        ("ended", "service"),
    ]
    assert events[2]["facts"] == {
        "hangup_cause": 16,
        "dial_status": "ANSWER",
        "ring_ms": 4880,
        "answered_ms": 60000,
    }


async def test_repetitions_change_nothing(client: httpx.AsyncClient) -> None:
    """Accepting twice and ending twice is answered with the state of the first time."""
    path = f"/calls/{(await create(client))['id']}"
    accepted = await client.post(f"{path}/accept")
    assert (await client.post(f"{path}/accept")).content == accepted.content
    ended = await client.post(f"{path}/end", json={"hangup_cause": 17})
    again = await client.post(f"{path}/end", json={"hangup_cause": 16})
    assert (again.status_code, again.content) == (200, ended.content)
    assert len((await client.get(f"{path}/events")).json()) == 3


async def test_accept_after_the_end(client: httpx.AsyncClient) -> None:
    """An ended call cannot be accepted."""
    path = f"/calls/{(await create(client))['id']}"
    await client.post(f"{path}/end")
    assert refusal(await client.post(f"{path}/accept")) == (
        409,
        "Call acceptance failed",
        "call_ended",
        "Call has already ended",
    )


async def test_registration_of_an_ended_call(client: httpx.AsyncClient) -> None:
    """A registration that is delivered late finds the call as it has become."""
    call = await create(client, ADOPTION)
    await client.post(f"/calls/{call['id']}/end")
    again = await client.post("/calls", json=ADOPTION)
    assert (again.status_code, again.json()["status"]) == (200, "ended")


@pytest.mark.parametrize(
    ("method", "path", "title"),
    [
        ("GET", "/calls/unknown", "Call retrieval failed"),
        ("GET", "/calls/unknown/events", "Call retrieval failed"),
        ("POST", "/calls/unknown/accept", "Call acceptance failed"),
        ("POST", "/calls/unknown/end", "Call termination failed"),
    ],
)
async def test_unknown_call(client: httpx.AsyncClient, method: str, path: str, title: str) -> None:
    """An id that no call has is not found, with the title of the operation."""
    answer = await client.request(method, path)
    assert refusal(answer) == (404, title, "call_not_found", "Call not found")


@pytest.mark.parametrize(
    ("method", "action", "title", "message"),
    [
        ("GET", "", "Call retrieval failed", "User not authorized for this call"),
        ("GET", "/events", "Call retrieval failed", "User not authorized for this call"),
        ("POST", "/accept", "Call acceptance failed", "User not authorized for this call"),
        ("POST", "/end", "Call termination failed", "User not authorized to end this call"),
    ],
)
async def test_foreign_call(
    alice: httpx.AsyncClient,
    eve: httpx.AsyncClient,
    method: str,
    action: str,
    title: str,
    message: str,
) -> None:
    """Somebody who is no party of a call is refused, and the call stays as it was."""
    call = await create(alice)
    answer = await eve.request(method, f"/calls/{call['id']}{action}")
    assert refusal(answer) == (403, title, "forbidden", message)
    assert (await alice.get(f"/calls/{call['id']}")).json() == call


async def test_users_do_not_adopt(alice: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    """A user who names a channel is refused, and the channel is still free."""
    answer = await alice.post("/calls", json=ADOPTION)
    assert refusal(answer)[:3] == (403, "Call initiation failed", "forbidden")
    assert (await client.post("/calls", json=ADOPTION)).status_code == 201


async def test_participant_answers(alice: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    """A participant accepts and ends the call that he was called to."""
    call = await create(alice, {"participants": ["eve"], "call_type": "audio"})
    assert (await eve.post(f"/calls/{call['id']}/accept")).json()["status"] == "connected"
    assert (await eve.post(f"/calls/{call['id']}/end")).json()["status"] == "ended"


async def test_lists(
    client: httpx.AsyncClient, alice: httpx.AsyncClient, eve: httpx.AsyncClient
) -> None:
    """Users list the active calls they are in, newest first; the telephone system lists all."""
    first = await create(alice)
    second = await create(alice, {"participants": ["eve", "eve"], "call_type": "audio"})
    third = await create(client, ADOPTION)
    ended = await create(alice)
    await alice.post(f"/calls/{ended['id']}/end")
    assert (await alice.get("/calls")).json() == [second, first]
    assert (await eve.get("/calls")).json() == [second]
    assert (await client.get("/calls")).json() == [third, second, first]
    assert (await client.get("/calls", params={"limit": 1})).json() == [third]


@pytest.mark.parametrize("limit", ["0", "501", "many", "-1", ""])
async def test_bad_limits(client: httpx.AsyncClient, limit: str) -> None:
    """A limit is a number from 1 to 500."""
    answer = await client.get("/calls", params={"limit": limit})
    assert refusal(answer)[:3] == (422, "Call retrieval failed", "invalid_request")


async def test_dial_string_without_a_pbx(client: httpx.AsyncClient) -> None:
    """A telephone that nobody could ring is refused for now, and nothing is recorded."""
    answer = await client.post("/calls", json={"participants": ["SIP/1001"], "call_type": "audio"})
    assert refusal(answer)[:3] == (503, "Call initiation failed", "pbx_unreachable")
    assert answer.headers["retry-after"] == "5"
    assert (await client.get("/calls")).json() == []


class _BusyPbx:
    """A PBX that refuses every call."""

    async def originate(self, call: Call, recorded: Awaitable[object]) -> None:
        raise PbxRefusedError("The PBX has no such endpoint")

    async def accept(self, call: Call, actor: str) -> bool:
        return False

    async def hang_up(self, call: Call, actor: str) -> bool:
        return False

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        raise PbxRefusedError("The PBX leads no call")


async def test_refused_origination(store: Store) -> None:
    """A call that the PBX refuses leaves nothing, not even its key."""
    app = create_app(
        store=store,
        measures=Measures(),
        bootstrap_key="b",
        version="1",
        pbx=PbxParts(control=_BusyPbx()),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sge/api/v1/voip",
        headers={"X-API-Key": "b", **KEY},
    ) as client:
        body = {"participants": ["SIP/1001"], "call_type": "audio"}
        for _ in range(2):
            assert refusal(await client.post("/calls", json=body)) == (
                502,
                "Call initiation failed",
                "pbx_refused",
                "The PBX has no such endpoint",
            )
        assert (await client.get("/calls")).json() == []


async def test_health(app: FastAPI) -> None:
    """Anybody may ask whether the service runs and is ready."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge/api/v1/voip"
    ) as anybody:
        live = await anybody.get("/health/live")
        ready = await anybody.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok", "version": "1.2.3"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "version": "1.2.3"})


async def test_not_ready(client: httpx.AsyncClient, store: Store) -> None:
    """Without its store the service runs but is not ready, and says so to every request."""
    await store.database.close()
    assert (await client.get("/health/live")).status_code == 200
    ready = await client.get("/health/ready")
    assert refusal(ready)[:3] == (503, "Service unavailable", "store_unavailable")
    created = await client.post("/calls", json=TO_BOB)
    assert refusal(created)[:3] == (503, "Call initiation failed", "store_unavailable")
    assert created.headers["retry-after"] == "5"


async def test_metrics(client: httpx.AsyncClient) -> None:
    """Measures are exposed at the documented path, which needs no key."""
    await create(client)
    answer = await client.get("http://sge/api/v1/metrics/prometheus", headers={"X-API-Key": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'sge_voip_calls_total{event="created"} 1' in lines
    assert 'sge_voip_http_requests_total{operation="create_call",status="201"} 1' in lines
