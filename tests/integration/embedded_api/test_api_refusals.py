"""Bad input, each with the one shape of error and without any effect."""

import httpx
import pytest
from fastapi import FastAPI
from test_api_calls import TO_BOB, refusal

from fastagi_server.api.errors import CALL_STATUSES, STATUSES
from fastagi_server.calls import errors as call_errors
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic Ym9vdHN0cmFwOg=="},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/calls"),
        ("GET", "/calls"),
        ("GET", "/calls/x"),
        ("GET", "/calls/x/events"),
        ("POST", "/calls/x/accept"),
        ("POST", "/calls/x/end"),
    ],
)
async def test_no_credentials(
    app: FastAPI, headers: dict[str, str], method: str, path: str
) -> None:
    """Every operation on calls asks for a key before it looks at anything else."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge/api/v1/voip", headers=headers
    ) as stranger:
        answer = await stranger.request(method, path, content=b"{" if method == "POST" else None)
    assert refusal(answer)[:3] == (401, "Unauthorized", "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_revoked_key(app: FastAPI, store: Store) -> None:
    """A key that is revoked before it is used opens nothing; another of its kind does."""
    revoked = await store.api_keys.add("bob", frozenset({Scope.CALLS}))
    other = await store.api_keys.add("carol", frozenset({Scope.CALLS}))
    assert await store.api_keys.revoke("bob") == 1
    assert await store.api_keys.revoke("bob") == 0
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge/api/v1/voip"
    ) as client:
        refused = await client.get("/calls", headers={"X-API-Key": revoked})
        welcome = await client.get("/calls", headers={"X-API-Key": other})
    assert (refused.status_code, welcome.status_code) == (401, 200)


async def test_key_without_scopes(app: FastAPI, store: Store) -> None:
    """A key that may do nothing with calls is refused with 403."""
    key = await store.api_keys.add("screen", frozenset())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sge/api/v1/voip",
        headers={"X-API-Key": key},
    ) as client:
        answer = await client.get("/calls")
    assert refusal(answer)[:3] == (403, "Call retrieval failed", "forbidden")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "The body is not well-formed JSON"),
        (b"\xff\xfe", "The body is not well-formed JSON"),
        (b'{"participants": ["a"], "call_type": "audio"', "The body is not well-formed JSON"),
        (b"[" * 60000, "The body is not well-formed JSON"),
        (b'{"participants": ' + b"9" * 5000 + b"}", "The body is not well-formed JSON"),
    ],
)
async def test_malformed_body(client: httpx.AsyncClient, content: bytes, message: str) -> None:
    """A body that is no JSON, or JSON made to hurt the reader, is 400."""
    answer = await client.post("/calls", content=content, headers=JSON)
    assert refusal(answer) == (400, "Call initiation failed", "malformed_request", message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Field required"),
        (b"null", "Input should be a valid dictionary or object to extract fields from"),
        (b"[]", "Input should be a valid dictionary or object to extract fields from"),
        (b"{}", "participants: Field required; call_type: Field required"),
        (
            b'{"participants": "bob", "call_type": "audio"}',
            "participants: Input should be a valid list",
        ),
        (
            b'{"participants": ["bob", 2], "call_type": "audio"}',
            "participants[1]: Input should be a valid string",
        ),
        (
            b'{"participants": ["bob"], "call_type": "fax"}',
            "call_type: Input should be 'audio', 'video', 'screen' or 'conference'",
        ),
        (
            b'{"participants": ["SIP/1001&SIP/1002"], "call_type": "audio"}',
            "participants[0] is neither a dial string (TECHNOLOGY/resource) nor a user id",
        ),
        (
            b'{"participants": ["Local/1@default"], "call_type": "audio"}',
            "participants[0] names a technology that may not be rung",
        ),
        (
            b'{"participants": ["a"], "call_type": "audio", "metadata": {"secret\\ud800": 1}}',
            "metadata: Input should be a valid string",
        ),
        (
            b'{"participants": ["a"], "call_type": "audio", "metadata": {"k": "\\ud800"}}',
            "metadata values must be text of at most 1024 characters",
        ),
    ],
)
async def test_invalid_body(client: httpx.AsyncClient, content: bytes, message: str) -> None:
    """Well-formed JSON that is no call is 422, and the message repeats nothing of it."""
    answer = await client.post("/calls", content=content, headers=JSON)
    assert refusal(answer) == (422, "Call initiation failed", "invalid_request", message)
    assert (await client.get("/calls")).json() == []


async def test_number_of_complaints(client: httpx.AsyncClient) -> None:
    """However much is wrong, the answer stays short."""
    body = {"participants": list(range(50)), "call_type": "audio"}
    message = refusal(await client.post("/calls", json=body))[3]
    assert message.count(";") == 4


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}]
)
async def test_other_media_types(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """A body that does not call itself JSON is 415."""
    content = b'{"participants": ["bob"], "call_type": "audio"}'
    answer = await client.post("/calls", content=content, headers=headers)
    assert refusal(answer)[:3] == (415, "Call initiation failed", "unsupported_media_type")


async def test_json_with_a_charset(client: httpx.AsyncClient) -> None:
    """Parameters of the media type do not matter."""
    content = b'{"participants": ["bob"], "call_type": "audio"}'
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await client.post("/calls", content=content, headers=headers)).status_code == 201


async def test_too_large_a_body(client: httpx.AsyncClient) -> None:
    """A body over 64 KiB is 413, and the connection is not used again."""
    body = {"participants": ["bob"], "call_type": "audio", "note": "x" * 10_000_000}
    answer = await client.post("/calls", json=body)
    assert refusal(answer)[:3] == (413, "Call initiation failed", "content_too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "caf\u00e9"])
async def test_bad_idempotency_keys(client: httpx.AsyncClient, key: str) -> None:
    """An idempotency key is 1 to 255 visible ASCII characters."""
    headers = {b"Idempotency-Key": key.encode()}
    answer = await client.post("/calls", json=TO_BOB, headers=headers)
    assert refusal(answer)[:3] == (422, "Call initiation failed", "invalid_request")


@pytest.mark.parametrize("body", [{"answered_at": "soon"}, {"answered_at": "2026-01-01T12:00:00"}])
async def test_invalid_accept(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    """A moment that cannot be placed in time is refused, and the call is not accepted."""
    call = (await client.post("/calls", json=TO_BOB)).json()
    answer = await client.post(f"/calls/{call['id']}/accept", json=body)
    assert refusal(answer)[:3] == (422, "Call acceptance failed", "invalid_request")
    assert (await client.get(f"/calls/{call['id']}")).json() == call


async def test_invalid_end(client: httpx.AsyncClient) -> None:
    """Facts beyond belief are refused, and the call is not ended."""
    call = (await client.post("/calls", json=TO_BOB)).json()
    answer = await client.post(f"/calls/{call['id']}/end", json={"hangup_cause": 999})
    assert refusal(answer) == (
        422,
        "Call termination failed",
        "invalid_request",
        "hangup_cause: Input should be less than or equal to 127",
    )
    assert (await client.get(f"/calls/{call['id']}")).json() == call


@pytest.mark.parametrize("path", ["/", "/api/v1/voip", "/api/v1/voip/calls/", "/calls", "/%00"])
async def test_unknown_path(client: httpx.AsyncClient, path: str) -> None:
    """A path that is none is 404 and never a redirect."""
    answer = await client.get(f"http://sge{path}")
    assert refusal(answer) == (404, "Not found", "not_found", "There is nothing at this path")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS"])
async def test_unknown_method(client: httpx.AsyncClient, method: str) -> None:
    """A method that a path does not know is 405."""
    answer = await client.request(method, "/calls")
    assert refusal(answer)[:3] == (405, "Method not allowed", "method_not_allowed")
    assert "allow" in answer.headers


def test_every_call_error_has_a_status() -> None:
    """Each error that the topic raises has its place in the table."""
    roots = {call_errors.CallError, call_errors.PbxError}
    raised = {
        error
        for error in vars(call_errors).values()
        if isinstance(error, type) and issubclass(error, call_errors.CallError)
    } - roots
    assert set(CALL_STATUSES) == raised


def test_codes_are_unique() -> None:
    """A code says which of the general refusals it was."""
    codes = [code for _, code, _ in STATUSES.values()]
    assert len(set(codes)) == len(codes)
