"""Presence over HTTP."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.presence.models import Status


async def test_saying_and_getting(alice: httpx.AsyncClient) -> None:
    """What a user says of himself is answered, and is what he gets."""
    body = {"status": "away", "status_message": "At lunch", "current_device": "desk"}
    said = await alice.put("/presence", json=body)
    assert said.status_code == HTTPStatus.OK
    shown: dict[str, Any] = said.json()
    assert shown.pop("last_updated").endswith("Z")
    assert shown == {"user_id": "alice", **body}
    assert (await alice.get("/presence")).json() == said.json()


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("online", "online"),
        ("Away", "away"),
        ("busy", "busy"),
        ("OFFLINE", "offline"),
        ("DoNotDisturb", "do_not_disturb"),
        ("do_not_disturb", "do_not_disturb"),
    ],
)
async def test_the_five_states(alice: httpx.AsyncClient, word: str, status: str) -> None:
    """Five states are known, in either spelling, and written in one."""
    assert (await alice.put("/presence", json={"status": word})).json()["status"] == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "gone"},
        {"status": 7},
        {"status": "away", "status_message": "x" * 257},
        {"status": "away", "current_device": "x" * 257},
        {"status": "away", "status_message": "two\r\nlines"},
        {"status": "away", "current_device": "\0"},
    ],
)
async def test_what_is_not_valid(alice: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """A state that does not exist, or a text that is too long, changes nothing."""
    answer = await alice.put("/presence", json=body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json()["error"] == "Invalid presence status"
    assert (await alice.get("/presence")).status_code == HTTPStatus.NOT_FOUND


async def test_a_refusal_names_the_states(alice: httpx.AsyncClient) -> None:
    """Whoever names a state that does not exist learns which do."""
    answer = await alice.put("/presence", json={"status": "gone"})
    assert answer.json()["message"] == (
        "status: Value error, must be one of online, away, busy, offline, do_not_disturb"
    )


async def test_nothing_is_known_at_first(alice: httpx.AsyncClient) -> None:
    """A user who has said nothing and was never there has no presence."""
    answer = await alice.get("/presence")
    assert (answer.status_code, answer.json()["error"], answer.json()["message"]) == (
        404,
        "No presence set",
        "User has not set presence status",
    )


async def test_the_list(alice: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    """Every user may see how all are seen, by name, and not more than asked for."""
    assert (await eve.get("/presence/users")).json() == []
    await eve.put("/presence", json={"status": "busy"})
    await alice.put("/presence", json={"status": "away"})
    listed = (await eve.get("/presence/users")).json()
    assert [(each["user_id"], each["status"]) for each in listed] == [
        ("alice", "away"),
        ("eve", "busy"),
    ]
    assert len((await eve.get("/presence/users?limit=1")).json()) == 1


async def test_a_user_on_a_call_is_busy(alice: httpx.AsyncClient, app: FastAPI) -> None:
    """What a user says while he is on a call counts when it is over."""
    book = app.state.services.presence.book
    book.occupy("alice", "call-1", is_on=True)
    said = await alice.put("/presence", json={"status": "away"})
    assert said.json()["status"] == "busy"
    book.occupy("alice", "call-1", is_on=False)
    assert book.get("alice").status is Status.AWAY


async def test_strangers_see_nothing(anybody: httpx.AsyncClient) -> None:
    """Without a credential there is no presence, and no word of sockets."""
    for path in ("/presence", "/presence/users", "http://sge/ws/status"):
        assert (await anybody.get(path)).status_code == HTTPStatus.UNAUTHORIZED
