"""Who is let in to the API, by which proof, and how often."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures
from tests.unit.identities.token_samples import ALICE, token

CALL = {"participants": ["bob"], "call_type": "audio"}


def bearer(subject: str = "alice", **claims: Any) -> dict[str, str]:
    """The header of a token for this user."""
    text = token({**ALICE, "sub": subject, "aud": "voip", **claims}, algorithm="EdDSA")
    return {"Authorization": f"Bearer {text.decode()}"}


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, title and code of a refusal."""
    body = answer.json()
    assert set(body) == {"error", "message", "code", "request_id"}
    return answer.status_code, body["error"], body["code"]


async def test_token_makes_calls(client: httpx.AsyncClient) -> None:
    """A user with a token makes a call, which his subject is the caller of."""
    made = await client.post("/calls", json=CALL, headers=bearer())
    assert made.status_code == 201
    assert made.json()["caller_id"] == "alice"
    listed = await client.get("/calls", headers=bearer("bob"))
    assert [call["id"] for call in listed.json()] == [made.json()["id"]]


async def test_token_and_key_are_one_user(client: httpx.AsyncClient, store: Store) -> None:
    """What a user did with a token he sees with his key."""
    made = await client.post("/calls", json=CALL, headers=bearer())
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    seen = await client.get(f"/calls/{made.json()['id']}", headers={"X-API-Key": key})
    assert seen.json() == made.json()


async def test_foreign_call(client: httpx.AsyncClient) -> None:
    """Somebody who is no party of a call neither sees nor ends it."""
    call_id = (await client.post("/calls", json=CALL, headers=bearer())).json()["id"]
    for method, path in (("GET", ""), ("POST", "/end"), ("GET", "/events")):
        answer = await client.request(method, f"/calls/{call_id}{path}", headers=bearer("eve"))
        assert refusal(answer)[::2] == (403, "forbidden")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {token().decode()}"},
        bearer(exp=1_000_000_000),
        bearer("service"),
        {"Authorization": "Bearer a.b.c"},
    ],
)
async def test_bad_tokens(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """A token for another audience, of the past, of the system or of nobody gets 401."""
    answer = await client.post("/calls", json=CALL, headers=headers)
    assert refusal(answer) == (401, "Unauthorized", "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_adoption_is_not_for_users(client: httpx.AsyncClient) -> None:
    """A user's token adopts no channel; one of the telephone system does."""
    adoption = {**CALL, "metadata": {"asterisk_call_id": "1.1", "asterisk_system": "pbx"}}
    refused = await client.post("/calls", json=adoption, headers=bearer())
    assert refusal(refused)[::2] == (403, "forbidden")
    made = await client.post("/calls", json=adoption, headers=bearer("pbx", scope="voip.service"))
    assert made.status_code == 201


async def test_operators_password(client: httpx.AsyncClient) -> None:
    """Name and password open asterisk/* and nothing else."""
    client.auth = httpx.BasicAuth("olga", "correct horse")
    pbx = await client.get("/asterisk/info")
    assert refusal(pbx)[::2] == (503, "pbx_unreachable")
    assert (await client.get("/audit")).status_code == 200
    calls = await client.get("/calls")
    assert refusal(calls) == (401, "Unauthorized", "unauthorized")
    assert calls.headers["www-authenticate"] == "Bearer"


async def test_wrong_operators_password(client: httpx.AsyncClient) -> None:
    """A wrong password gets 401 with the ways to do it right, and after some 429."""
    client.auth = httpx.BasicAuth("olga", "wrong horse")
    answers = [await client.get("/asterisk/info") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert answers[0].headers["www-authenticate"].startswith("Bearer, Basic realm=")
    assert 0 < int(answers[4].headers["retry-after"]) <= 60


@pytest.mark.parametrize("path", ["/asterisk/info", "/asterisk/channels", "/audit"])
async def test_users_are_no_operators(client: httpx.AsyncClient, path: str) -> None:
    """A user, and even the telephone system's key, may not look into the PBX or the audit."""
    for headers in (bearer(), {"X-API-Key": "bootstrap"}):
        assert refusal(await client.get(path, headers=headers))[::2] == (403, "forbidden")


async def test_rate_limit(client: httpx.AsyncClient, measures: Measures) -> None:
    """A user who asks too often waits, whichever credential he uses, and nobody else does."""
    answers = [await client.get("/calls", headers=bearer()) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert refusal(answers[5]) == (429, "Too many requests", "rate_limited")
    assert 0 < int(answers[5].headers["retry-after"]) <= 60
    assert (await client.get("/calls", headers=bearer("bob"))).status_code == 200
    assert measures.http_limited.values == {("requests",): 1}


async def test_no_rate_limit_for_the_pbx(client: httpx.AsyncClient) -> None:
    """The telephone system may ask as often as it has calls."""
    statuses = {
        (await client.get("/calls", headers={"X-API-Key": "bootstrap"})).status_code
        for _ in range(20)
    }
    assert statuses == {200}


async def test_limited_request_has_no_effect(client: httpx.AsyncClient) -> None:
    """A request beyond the limit makes no call."""
    for _ in range(5):
        await client.get("/calls", headers=bearer())
    refused = await client.post("/calls", json=CALL, headers=bearer())
    assert refusal(refused)[::2] == (429, "rate_limited")
    listed = await client.get("/calls", headers={"X-API-Key": "bootstrap"})
    assert listed.json() == []


async def test_concurrent_calls(client: httpx.AsyncClient) -> None:
    """A user may have so many calls at once; when one ends, he may make another."""
    made = [await client.post("/calls", json=CALL, headers=bearer()) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 429]
    assert refusal(made[2])[2] == "concurrency_exceeded"
    assert "retry-after" in made[2].headers
    assert (await client.post("/calls", json=CALL, headers=bearer("bob"))).status_code == 201
    await client.post(f"/calls/{made[0].json()['id']}/end", headers={"X-API-Key": "bootstrap"})
    assert (await client.post("/calls", json=CALL, headers=bearer())).status_code == 201


async def test_user_behind_a_dial_string(client: httpx.AsyncClient) -> None:
    """Whose telephone is rung is a party of the call, and nobody else is."""
    adoption = {
        "participants": ["SIP/1002"],
        "call_type": "audio",
        "metadata": {"asterisk_call_id": "1.1", "asterisk_system": "pbx"},
    }
    made = await client.post("/calls", json=adoption, headers={"X-API-Key": "bootstrap"})
    path = f"/calls/{made.json()['id']}"
    assert (await client.get(path, headers=bearer("eve"))).status_code == 403
    assert (await client.get(path, headers=bearer("bob"))).json() == made.json()
    listed = await client.get("/calls", headers=bearer("bob"))
    assert [call["id"] for call in listed.json()] == [made.json()["id"]]
    ended = await client.post(f"{path}/end", headers=bearer("bob"))
    assert ended.json()["status"] == "ended"


async def test_revoked_key(client: httpx.AsyncClient, store: Store, app: FastAPI) -> None:
    """A key that was made while the service runs is good at once; a revoked one soon is not."""
    key = await store.api_keys.add("alice", frozenset({Scope.CALLS}))
    headers = {"X-API-Key": key}
    assert (await client.get("/calls", headers=headers)).status_code == 200
    assert await store.api_keys.revoke("alice") == 1
    app.state.services.authenticator._remembered.clear()  # two seconds have passed
    assert refusal(await client.get("/calls", headers=headers))[0] == 401


async def test_description_names_the_proofs(app: FastAPI) -> None:
    """The description says how to authenticate, and that a user may ask too often."""
    schema = app.openapi()
    assert set(schema["components"]["securitySchemes"]) == {"ApiKey", "Bearer", "Password"}
    audit = schema["paths"]["/api/v1/voip/audit"]["get"]
    assert {"Password": []} in audit["security"]
    assert "429" in audit["responses"]
    assert "429" in schema["paths"]["/api/v1/voip/calls"]["post"]["responses"]
