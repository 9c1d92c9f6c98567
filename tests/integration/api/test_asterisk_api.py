"""What operators see of the PBX, over HTTP."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from pbx_view import BRIDGE, CHANNEL, ENDPOINT, INFO, PbxView

from fastagi_server.api.application import create_app
from fastagi_server.api.asterisk_bodies import LiveBody
from fastagi_server.api.parts import PbxParts
from fastagi_server.ari.errors import (
    AriAnswerError,
    AriError,
    AriRefusedError,
    AriServerError,
    AriTooSlowError,
    AriUnreachableError,
)
from fastagi_server.calls.legs import Leg, LegState
from fastagi_server.calls.live import LiveCall
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store
from fastagi_server.supervision.strangers import Stranger
from fastagi_server.telemetry.measures import Measures

TITLES = {
    "/asterisk/info": "Failed to retrieve Asterisk information",
    "/asterisk/channels": "Failed to retrieve Asterisk channels",
    "/asterisk/channels/17.4": "Failed to retrieve Asterisk channel",
    "/asterisk/bridges": "Failed to retrieve Asterisk bridges",
    "/asterisk/endpoints": "Failed to retrieve Asterisk endpoints",
    "/asterisk/endpoints/PJSIP/9": "Failed to retrieve Asterisk endpoint",
}


class Link:
    """A link that was lost."""

    state = "lost"
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    last_error = "connection refused"


class Watch:
    """A watch that has seen one call which nobody registered."""

    link = Link()

    def not_registered(self) -> Sequence[Stranger]:
        """That one."""
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        return [Stranger("17.8", "PJSIP/1002-00000008", "elsewhere", "1001", noon)]


class Board:
    """A switchboard that leads the calls that a test gives it."""

    calls: Sequence[LiveCall] = ()


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    """Status, title, code and message of an answer that is a refusal in the one shape."""
    body = answer.json()
    assert list(body) == ["error", "message", "code", "request_id"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["error"], body["code"], body["message"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/asterisk/info", INFO),
        ("/asterisk/channels", [CHANNEL]),
        ("/asterisk/channels/1767268800.17", CHANNEL),
        ("/asterisk/bridges", [BRIDGE]),
        ("/asterisk/endpoints", [ENDPOINT]),
        ("/asterisk/endpoints/PJSIP/1001", ENDPOINT),
    ],
)
async def test_relayed(operator: httpx.AsyncClient, path: str, content: object) -> None:
    """An operator gets Asterisk's objects as Asterisk gives them."""
    answer = await operator.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == content


async def test_healthy(operator: httpx.AsyncClient) -> None:
    """An Asterisk that answers is healthy, in the documented words."""
    answer = await operator.get("/asterisk/health")
    assert (answer.status_code, answer.text) == (200, "Asterisk is healthy")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "error",
    [
        AriUnreachableError("refused"),
        AriTooSlowError("late"),
        AriRefusedError(401, "no"),
        AriServerError(500, "oops"),
    ],
)
async def test_unhealthy(operator: httpx.AsyncClient, view: PbxView, error: AriError) -> None:
    """Whatever is wrong with Asterisk, it is unhealthy in the documented words."""
    view.error = error
    answer = await operator.get("/asterisk/health")
    assert refusal(answer) == (
        503,
        "Asterisk unhealthy",
        "pbx_unreachable",
        "Asterisk PBX is not responding",
    )
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (AriUnreachableError("x"), 503, "pbx_unreachable", "The PBX cannot be reached now"),
        (AriTooSlowError("x"), 504, "pbx_too_slow", "The PBX did not answer in time"),
        (AriRefusedError(403, "x"), 502, "pbx_refused", "The PBX refused"),
        (AriServerError(500, "x"), 502, "pbx_refused", "The PBX refused"),
        (AriAnswerError("x"), 502, "pbx_refused", "The PBX refused"),
    ],
)
@pytest.mark.parametrize("path", TITLES)
async def test_asterisk_in_trouble(
    operator: httpx.AsyncClient,
    view: PbxView,
    path: str,
    error: AriError,
    status: int,
    code: str,
    message: str,
) -> None:
    """A question that Asterisk does not answer is refused with its documented title."""
    view.error = error
    answer = await operator.get(path)
    assert refusal(answer) == (status, TITLES[path], code, message)
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("path", ["/asterisk/health", *TITLES])
async def test_no_asterisk(store: Store, path: str) -> None:
    """A service without an Asterisk says so."""
    app = create_app(store=store, measures=Measures(), bootstrap_key=None, version="1.2.3")
    key = await store.api_keys.add("wallboard", frozenset({Scope.OPERATOR}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge/api/v1/voip"
    ) as client:
        answer = await client.get(path, headers={"X-API-Key": key})
    status, _, code, message = refusal(answer)
    assert (status, code) == (503, "pbx_unreachable")
    assert message == "No Asterisk is connected to this service"
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/asterisk/channels/17.4", "Channel not found"),
        ("/asterisk/endpoints/PJSIP/9", "Endpoint not found"),
        ("/asterisk/endpoints/SIP/1001", "Endpoint not found"),
    ],
)
async def test_not_found(operator: httpx.AsyncClient, path: str, message: str) -> None:
    """What Asterisk does not have is 404."""
    status, _, code, told = refusal(await operator.get(path))
    assert (status, code, told) == (404, "not_found", message)


@pytest.mark.parametrize("path", ["/asterisk/health", *TITLES])
async def test_only_operators(
    anybody: httpx.AsyncClient,
    alice: httpx.AsyncClient,
    service: httpx.AsyncClient,
    view: PbxView,
    path: str,
) -> None:
    """Neither a stranger nor a user nor the telephone system looks into the PBX."""
    assert refusal(await anybody.get(path))[0] == 401
    assert refusal(await alice.get(path))[::2] == (403, "forbidden")
    assert refusal(await service.get(path))[::2] == (403, "forbidden")
    assert view.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/asterisk/channels/%2e%2e",
        "/asterisk/channels/..%2Fbridges",
        "/asterisk/channels/a%2Fhold",
        "/asterisk/channels/a%3Fapp=x",
        "/asterisk/channels/a%0d%0aX:%20y",
        "/asterisk/channels/%00",
        "/asterisk/channels/" + "9" * 151,
        "/asterisk/endpoints/PJSIP/%2e%2e",
        "/asterisk/endpoints/PJSIP/1001%26x",
        "/asterisk/endpoints/%2e/x",
    ],
)
async def test_names_that_lead_elsewhere(
    operator: httpx.AsyncClient, view: PbxView, path: str
) -> None:
    """A name that would make another request of it never reaches Asterisk."""
    assert refusal(await operator.get(path))[0] in {404, 422}
    assert view.asked == []


async def test_many_viewers(operator: httpx.AsyncClient, view: PbxView) -> None:
    """However many look at a list at once, Asterisk is asked once."""
    view.open.clear()
    viewers = [asyncio.create_task(operator.get("/asterisk/channels")) for _ in range(20)]
    await view.was_asked.wait()
    view.open.set()
    answers = await asyncio.gather(*viewers)
    assert {answer.content for answer in answers} == {answers[0].content}
    assert view.asked == ["channels"]


async def test_viewer_goes_away(app: FastAPI, operator: httpx.AsyncClient, view: PbxView) -> None:
    """A viewer who leaves while Asterisk is asked leaves the others with an answer."""
    view.open.clear()
    first = asyncio.create_task(operator.get("/asterisk/bridges"))
    await view.was_asked.wait()
    second = asyncio.create_task(operator.get("/asterisk/bridges"))
    first.cancel()
    view.open.set()
    assert (await second).json() == [BRIDGE]


async def test_live_without_asterisk(operator: httpx.AsyncClient, alice: httpx.AsyncClient) -> None:
    """Calls and rooms are live without an Asterisk too, until they end."""
    body = {"participants": ["bob"], "call_type": "audio"}
    call = (await alice.post("/calls", json=body)).json()
    ended = (await alice.post("/calls", json=body)).json()
    await alice.post(f"/calls/{ended['id']}/end")
    order: dict[str, object] = {"name": "Team", "max_participants": 3, "settings": {}}
    room = (await alice.post("/rooms", json=order)).json()
    answer = await operator.get("/asterisk/live")
    assert answer.status_code == 200
    assert answer.json() == {
        "link": None,
        "calls": [{**call, "legs": []}],
        "rooms": [room],
        "manager_link": None,
        "not_registered": [],
    }
    LiveBody.model_validate_json(answer.content)


async def test_live_link_and_legs(store: Store) -> None:
    """The link is shown as it stands, and each call with the legs that are not gone."""
    switchboard = Board()
    app = create_app(
        store=store,
        measures=Measures(),
        bootstrap_key="bootstrap",
        version="1.2.3",
        pbx=PbxParts(link=Link(), switchboard=switchboard, watch=Watch()),
    )
    key = await store.api_keys.add("wallboard", frozenset({Scope.OPERATOR}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sge/api/v1/voip"
    ) as client:
        body = {
            "participants": ["SIP/1001"],
            "call_type": "audio",
            "metadata": {"asterisk_call_id": "17.4"},
        }
        call = await client.post("/calls", json=body, headers={"X-API-Key": "bootstrap"})
        switchboard.calls = [
            LiveCall(
                call.json()["id"],
                [
                    Leg("17.4", state=LegState.UP, is_held=True),
                    Leg("sge-1-0", "PJSIP/1001", "SIP/1001", LegState.RINGING),
                    Leg("sge-1-1", "PJSIP/1002", "SIP/1002"),
                    Leg("sge-1-2", "PJSIP/1003", "SIP/1003", LegState.GONE),
                ],
            ),
            LiveCall("unknown", [Leg("17.9")]),
        ]
        answer = await client.get("/asterisk/live", headers={"X-API-Key": key})
    shown = answer.json()
    assert shown["link"] == {
        "state": "lost",
        "since": "2026-01-01T12:00:00Z",
        "last_error": "connection refused",
    }
    (live,) = shown["calls"]
    assert live["legs"] == [
        {"channel_id": "17.4", "participant": None, "state": "up", "is_on_hold": True},
        {
            "channel_id": "sge-1-0",
            "participant": "SIP/1001",
            "state": "ringing",
            "is_on_hold": False,
        },
        {"channel_id": None, "participant": "SIP/1002", "state": "waiting", "is_on_hold": False},
    ]
    assert shown["manager_link"] == shown["link"]
    assert shown["not_registered"] == [
        {
            "channel_id": "17.8",
            "channel": "PJSIP/1002-00000008",
            "context": "elsewhere",
            "extension": "1001",
            "since": "2026-01-01T12:00:00Z",
        }
    ]
    LiveBody.model_validate_json(answer.content)


async def test_only_operators_see_what_is_live(
    alice: httpx.AsyncClient, service: httpx.AsyncClient
) -> None:
    """What is live is not for users."""
    for client in (alice, service):
        assert refusal(await client.get("/asterisk/live"))[:3] == (
            403,
            "Failed to retrieve what is live",
            "forbidden",
        )
