"""The audit: what is kept of requests that change something, and who may read it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api import audit
from fastagi_server.api.audit import AuditTrail
from fastagi_server.identities.audit import AuditQuery, AuditRecord
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures

CALL = {"participants": ["bob"], "call_type": "audio"}
BOOTSTRAP = {"X-API-Key": "bootstrap", "X-Request-ID": "req-1"}


async def stored(trail: AuditTrail, store: Store) -> list[AuditRecord]:
    """All records, oldest first, once what waits is stored."""
    await trail.__aexit__(None, None, None)
    return list(reversed(await store.audit.page(AuditQuery(), None, 500)))


async def test_a_record_of_each_change(
    client: httpx.AsyncClient, trail: AuditTrail, store: Store
) -> None:
    """Who made and ended which call, from where, under which request, and that it worked."""
    call_id = (await client.post("/calls", json=CALL, headers=BOOTSTRAP)).json()["id"]
    await client.get(f"/calls/{call_id}", headers=BOOTSTRAP)
    await client.post(f"/calls/{call_id}/end", headers=BOOTSTRAP)
    made, ended = await stored(trail, store)
    assert (made.identity, made.credential, made.operation) == ("service", "api_key", "create_call")
    assert (made.subject, made.address, made.request_id) == (call_id, "192.0.2.7", "req-1")
    assert (made.status, made.code) == (201, None)
    assert abs(made.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (ended.operation, ended.subject, ended.status) == ("end_call", call_id, 200)


async def test_a_record_of_each_refusal(
    client: httpx.AsyncClient, trail: AuditTrail, store: Store
) -> None:
    """What was refused is kept with the reason, even of somebody unknown."""
    key = await store.api_keys.add("eve", frozenset({Scope.CALLS}))
    eve = {"X-API-Key": key}
    call_id = (await client.post("/calls", json=CALL, headers=BOOTSTRAP)).json()["id"]
    await client.post(f"/calls/{call_id}/end", headers=eve)
    await client.post("/calls/no-such-call/end", headers=BOOTSTRAP)
    await client.post("/calls", content=b"{", headers={**BOOTSTRAP, "Content-Type": "text/json"})
    await client.post(f"/calls/{call_id}/end")
    _, foreign, unknown, malformed, stranger = await stored(trail, store)
    assert (foreign.identity, foreign.status, foreign.code) == ("eve", 403, "forbidden")
    assert (unknown.subject, unknown.status, unknown.code) == (
        "no-such-call",
        404,
        "call_not_found",
    )
    assert (malformed.operation, malformed.subject, malformed.status) == ("create_call", None, 415)
    assert (stranger.identity, stranger.credential, stranger.status) == (None, None, 401)
    assert stranger.code == "unauthorized"


async def test_every_operation_that_changes_something(
    app: FastAPI, client: httpx.AsyncClient, trail: AuditTrail, store: Store
) -> None:
    """Whatever the operation is that may change something, one request leaves one record."""
    call_id = (await client.post("/calls", json=CALL, headers=BOOTSTRAP)).json()["id"]
    room = {"name": "Team", "max_participants": 3}
    room_id = (await client.post("/rooms", json=room, headers=BOOTSTRAP)).json()["id"]
    expected = [("create_call", 201), ("create_room", 201)]
    names = {"call_id": call_id, "room_id": room_id, "member": "bob"}
    names["user_id"] = "bob"
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if method == "get":
                continue
            url = "http://sge" + path.format(**names)
            answer = await client.request(method, url, headers=BOOTSTRAP)
            expected.append((operation["operationId"], answer.status_code))
    kept = await stored(trail, store)
    assert [(record.operation, record.status) for record in kept] == expected
    assert len({operation for operation, _ in expected}) > 20


async def test_what_is_no_record(
    client: httpx.AsyncClient, trail: AuditTrail, store: Store
) -> None:
    """Reading, and paths and methods that do not exist, are not kept."""
    await client.get("/calls", headers=BOOTSTRAP)
    await client.head("/calls", headers=BOOTSTRAP)
    await client.post("/nothing", headers=BOOTSTRAP)
    assert await stored(trail, store) == []


@pytest.mark.parametrize("text", ["x" * 65, "a%00b", "caf%C3%A9", "%3Cscript%3E"])
async def test_ids_that_are_none(
    client: httpx.AsyncClient, trail: AuditTrail, store: Store, text: str
) -> None:
    """What a client wrote in the place of an id is not repeated unless it could be one."""
    await client.post(f"/calls/{text}/end", headers=BOOTSTRAP)
    assert [record.subject for record in await stored(trail, store)] == [None]


async def test_pages(client: httpx.AsyncClient, store: Store, operator_key: str) -> None:
    """Operators read records newest first, page by page, and by identity and subject."""
    await store.audit.append([record(number) for number in range(5)])
    client.headers["X-API-Key"] = operator_key
    first = (await client.get("/audit?limit=2")).json()
    second = (await client.get(f"/audit?limit=2&before={first['next']}")).json()
    last = (await client.get(f"/audit?limit=2&before={second['next']}")).json()
    pages = [[entry["request_id"] for entry in page["records"]] for page in (first, second, last)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    assert last["next"] is None
    of_odd = (await client.get("/audit?identity=odd")).json()["records"]
    assert [entry["request_id"] for entry in of_odd] == ["3", "1"]
    of_call = (await client.get("/audit?subject=call-0&identity=even")).json()["records"]
    assert [entry["request_id"] for entry in of_call] == ["0"]
    assert of_call[0] == {
        "number": 1,
        "at": "2026-11-22T12:00:00Z",
        "identity": "even",
        "credential": "token",
        "operation": "end_call",
        "subject": "call-0",
        "address": "192.0.2.7",
        "request_id": "0",
        "status": 403,
        "code": "forbidden",
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "before=0", "before=x", "before=1e3"])
async def test_bad_queries(client: httpx.AsyncClient, operator_key: str, query: str) -> None:
    """A limit or a place that cannot be is refused."""
    answer = await client.get(f"/audit?{query}", headers={"X-API-Key": operator_key})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def record(number: int, **changes: Any) -> AuditRecord:
    """One record."""
    values: dict[str, Any] = {
        "at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "identity": "odd" if number % 2 else "even",
        "credential": "token",
        "operation": "end_call",
        "subject": f"call-{number}",
        "address": "192.0.2.7",
        "request_id": str(number),
        "status": 403,
        "code": "forbidden",
        **changes,
    }
    return AuditRecord(**values)


async def test_old_records_are_forgotten(store: Store) -> None:
    """Records beyond their time are deleted oldest first, some at a time."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    await store.audit.append([record(n, at=start + timedelta(days=n)) for n in range(5)])
    horizon = start + timedelta(days=3)
    assert await store.audit.forget(horizon, 2) == 2
    assert await store.audit.forget(horizon, 2) == 1
    assert await store.audit.forget(horizon, 2) == 0
    left = await store.audit.page(AuditQuery(), None, 10)
    assert [entry.request_id for entry in left] == ["4", "3"]


async def test_records_outlive_a_restart(tmp_path: Path) -> None:
    """What was noted before the end of the program is there after it, in order."""
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    measures = Measures()
    scope = {
        "method": "POST",
        "route": type("Route", (), {"name": "create_call"}),
        "client": ("192.0.2.7", 1),
    }
    async with (
        open_store(url) as store,
        AuditTrail(store.audit, measures=measures) as trail,
    ):
        for number in range(1200):
            trail.note({**scope, "fastagi_server.request_id": str(number)}, 201)
    assert measures.audit_records.values == {(): 1200}
    async with open_store(url) as store:
        newest = await store.audit.page(AuditQuery(), None, 2)
    assert [entry.request_id for entry in newest] == ["1199", "1198"]


async def test_queue_is_bounded(
    client: httpx.AsyncClient,
    trail: AuditTrail,
    store: Store,
    measures: Measures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records that do not fit are dropped and counted, and the requests are not held up."""
    monkeypatch.setattr(audit, "MAX_WAITING", 2)
    for _ in range(3):
        assert (await client.post("/calls", json=CALL, headers=BOOTSTRAP)).status_code == 201
    assert measures.drops.values == {("audit",): 1}
    assert len(await stored(trail, store)) == 2
