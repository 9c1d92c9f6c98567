"""What no client should send, sent to every operation that there is.

Each is answered with a refusal in the one shape, and has no effect: afterwards the database holds
what it held before, row by row, and the PBX was asked for nothing.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from willing_pbx import WillingPbx

JSON = {"Content-Type": "application/json"}
NOT_OURS = "00000000-0000-4000-8000-000000000000"

Schema = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A call of alice's to bob and, where there are rooms, a room of hers, to be left alone."""

    schema: Schema
    names: Mapping[str, str]
    database: Path
    pbx: WillingPbx

    def operations(self, *, naming: str = "", body: bool = False) -> Iterator[tuple[str, str, Any]]:
        """Method, path and example body of each operation that names this or has a body.

        Of those with a body only what a user may do: others are told so, whatever they send.
        """
        for path, methods in self.schema["paths"].items():
            for method, operation in methods.items():
                if (f"{{{naming}}}" in path if naming else True) and (
                    not body or ("requestBody" in operation and not _is_for_trusted(operation))
                ):
                    yield method.upper(), path, self._example(operation)

    def url(self, path: str, **other: str) -> str:
        """The path of an operation with names filled in."""
        return "http://sge" + path.format_map({**self.names, **other})

    def effects(self) -> tuple[object, ...]:
        """All that a request could have changed, but for the audit of requests."""
        with sqlite3.connect(self.database) as database:
            tables = [
                name
                for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type='table'")
                if name not in {"audit", "alembic_version"}
            ]
            rows = [database.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]
        return (*tables, *rows, *self.pbx.asked)

    def _example(self, operation: Schema) -> Any:
        content = operation.get("requestBody", {}).get("content", {})
        for media in content.values():
            shape = media["schema"]
            shape = shape.get("anyOf", [shape])[0]
            name = shape["$ref"].rpartition("/")[2]
            return self.schema["components"]["schemas"][name]["examples"][0]
        return None


def _is_for_trusted(operation: Schema) -> bool:
    return {"Password": []} in operation.get("security", ())


@pytest.fixture
async def stage(app: FastAPI, alice: httpx.AsyncClient, pbx: WillingPbx, tmp_path: Path) -> Stage:
    """The stage, set."""
    schema = app.openapi()
    call = await alice.post("/calls", json={"participants": ["bob"], "call_type": "audio"})
    names = {"call_id": call.json()["id"], "member": "alice"}
    names["user_id"] = "alice"
    if "/api/v1/voip/rooms" in schema["paths"]:
        body: dict[str, object] = {"name": "Team", "max_participants": 3, "settings": {}}
        names["room_id"] = (await alice.post("/rooms", json=body)).json()["id"]
    pbx.asked.clear()
    return Stage(schema, names, tmp_path / "calls.db", pbx)


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    """An answer is a refusal of this kind, in the one shape, that repeats nothing of ours."""
    request = f"{answer.request.method} {answer.request.url.path}"
    assert answer.status_code in statuses, f"{request}: {answer.status_code} {answer.text}"
    body = answer.json()
    assert list(body) == ["error", "message", "code", "request_id"], request
    assert all(isinstance(text, str) and 0 < len(text) < 300 for text in body.values()), request
    assert "Traceback" not in answer.text


def twice(example: Mapping[str, Any]) -> bytes:
    """A body that names its first member twice."""
    whole = json.dumps(example)
    name, value = next(iter(example.items()))
    return f"{{{json.dumps(name)}: {json.dumps(value)}, {whole[1:]}".encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'{"x": "\xed\xa0\x80"}', 400),
        (b'{"x": NaN}', 400),
        (b'{"x": 1, "x": 1}', 400),
        (b"[" * 60_000, 400),
        (b'{"x":' * 10_000, 400),
        (b'{"x": ' + b"9" * 60_000 + b"}", 400),
        (b'"call"', 422),
        (b"[]", 422),
        (b"7", 422),
        (b"true", 422),
        (b'{"x": "' + b"x" * 10_000_000 + b'"}', 413),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_bodies_that_are_none(
    stage: Stage, alice: httpx.AsyncClient, body: bytes, status: int
) -> None:
    """A body that is no JSON, no object or too large is refused by every operation with a body."""
    before = stage.effects()
    refused = 0
    for method, path, _ in stage.operations(body=True):
        answer = await alice.request(method, stage.url(path), content=body, headers=JSON)
        assert_refused(answer, status)
        refused += 1
    assert refused >= 3
    assert stage.effects() == before


async def test_members_named_twice(stage: Stage, alice: httpx.AsyncClient) -> None:
    """An otherwise good body that names a member twice is refused."""
    before = stage.effects()
    for method, path, example in stage.operations(body=True):
        answer = await alice.request(method, stage.url(path), content=twice(example), headers=JSON)
        assert_refused(answer, 400)
        assert answer.json()["message"] == "The body names a member twice"
    assert stage.effects() == before


@pytest.mark.parametrize(
    "value",
    [
        {},
        [[]],
        "\0",
        "\ud800",
        "x" * 5000,
        -1,
        10**30,
        1.5,
        "a\r\nb",
    ],
    ids=lambda value: repr(value)[:16],
)
async def test_members_of_the_wrong_kind(
    stage: Stage, alice: httpx.AsyncClient, value: object
) -> None:
    """Each member of each body is refused where it holds what it cannot mean."""
    before = stage.effects()
    for method, path, example in stage.operations(body=True):
        for name in example:
            if name == "settings" and value == {}:  # a room without rules of its own
                continue
            if name == "metadata" and value == {}:
                continue
            answer = await alice.request(
                method,
                stage.url(path),
                content=json.dumps({**example, name: value}).encode(),
                headers=JSON,
            )
            assert_refused(answer, 422, 403)
    assert stage.effects() == before


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_bodies_of_another_type(
    stage: Stage, alice: httpx.AsyncClient, media_type: str
) -> None:
    """A body that does not call itself JSON is refused."""
    before = stage.effects()
    for method, path, example in stage.operations(body=True):
        answer = await alice.request(
            method,
            stage.url(path),
            content=json.dumps(example).encode(),
            headers={"Content-Type": media_type} if media_type else {},
        )
        assert_refused(answer, 415)
    assert stage.effects() == before


@pytest.mark.parametrize("naming", ["call_id", "room_id"])
async def test_foreign(stage: Stage, eve: httpx.AsyncClient, naming: str) -> None:
    """Nobody reads or changes what is somebody else's."""
    before = stage.effects()
    for method, path, example in stage.operations(naming=naming):
        if path.endswith(("/join", "/leave")) or path == "/api/v1/voip/rooms/{room_id}":
            continue  # rooms are open to others until they are locked
        if path.endswith("{room_id}/events"):
            continue
        answer = await eve.request(method, stage.url(path), json=example)
        assert_refused(answer, 403)
    assert stage.effects() == before


@pytest.mark.parametrize("naming", ["call_id", "room_id"])
@pytest.mark.parametrize("name", [NOT_OURS, "x", "%00", "%F0%9F%93%9E", "a" * 5000, "%2e%2e"])
async def test_unknown(stage: Stage, alice: httpx.AsyncClient, naming: str, name: str) -> None:
    """What does not exist is 404, whatever it is called."""
    before = stage.effects()
    for method, path, example in stage.operations(naming=naming):
        answer = await alice.request(method, stage.url(path, **{naming: name}), json=example)
        assert_refused(answer, 404, 422)
    assert stage.effects() == before


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}])
async def test_strangers(stage: Stage, anybody: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Whoever proves nothing is told so before anything else is looked at."""
    before = stage.effects()
    for method, path, _ in stage.operations():
        operation = stage.schema["paths"][path][method.lower()]
        if "security" in operation:
            names = {"channel_id": "1", "tech": "PJSIP", "resource": "1001"}
            answer = await anybody.request(
                method, stage.url(path, **names), content=b"{", headers=headers
            )
            assert_refused(answer, 401)
            assert "www-authenticate" in answer.headers
    assert stage.effects() == before


@pytest.mark.parametrize(
    "participant",
    [
        "SIP/1001&SIP/1002",
        "SIP/1001&Local/9@default",
        "Local/1@default",
        "local/1@default/n",
        "SIP/1001,30,g",
        "SIP/1001|30",
        "SIP/1001)",
        "SIP/${EXTEN}",
        "SIP/$[1+1]",
        "SIP/1001\r\nX-Injected: 1",
        "SIP/1001\n",
        "SIP/1001 ",
        "SIP/",
        "/1001",
        "SIP/1001\0",
        "SIP/\u0661",
        "AudioSocket/192.0.2.1:1/x",
        "UnicastRTP/192.0.2.1:9",
        "Snoop/1",
        "Recorder/x",
        "System/rm",
        "AGI/x",
        "../../etc/passwd",
        "<script>",
        "' OR 1=1 --",
        "",
    ],
)
async def test_participants_that_inject(
    stage: Stage, alice: httpx.AsyncClient, participant: str
) -> None:
    """A participant that would ring somebody else, or be read as dialplan, is refused."""
    before = stage.effects()
    body = {"participants": ["bob", participant], "call_type": "audio"}
    answer = await alice.post("/calls", json=body)
    assert_refused(answer, 422)
    message = answer.json()["message"]
    assert message.startswith("participants[1]")
    assert stage.effects() == before


@pytest.mark.parametrize(
    "unique_id",
    ["1\n2", "1\0", "x" * 151, "\ud800", "\u202e1"],
    ids=["lf", "nul", "long", "half", "rtl"],
)
async def test_channels_that_inject(
    stage: Stage, service: httpx.AsyncClient, unique_id: str
) -> None:
    """A channel to adopt has a name that a channel can have."""
    before = stage.effects()
    body = {
        "participants": ["bob"],
        "call_type": "audio",
        "metadata": {"asterisk_call_id": unique_id},
    }
    content = json.dumps(body).encode()
    assert_refused(await service.post("/calls", content=content, headers=JSON), 422)
    assert stage.effects() == before


async def test_users_adopt_nothing(stage: Stage, alice: httpx.AsyncClient) -> None:
    """A user gets no channel by naming it."""
    before = stage.effects()
    body = {
        "participants": ["bob"],
        "call_type": "audio",
        "metadata": {"asterisk_call_id": "1767268800.17"},
    }
    assert_refused(await alice.post("/calls", json=body), 403)
    assert stage.effects() == before


async def test_text_is_kept_as_text(alice: httpx.AsyncClient) -> None:
    """What looks like a command in a value that is only text is kept as it was sent."""
    metadata = {"note": "'; DROP TABLE calls; -- ${SHELL(x)} <b>\U0001f4de</b>"}
    body = {"participants": ["bob"], "call_type": "audio", "metadata": metadata}
    call = (await alice.post("/calls", json=body)).json()
    assert (await alice.get(f"/calls/{call['id']}")).json()["metadata"] == metadata
