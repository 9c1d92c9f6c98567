"""Presence that a real Asterisk feeds, as a page's event socket tells it."""

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from typing import Any

import jwt
import pytest
from led_calls import WAIT_SECONDS
from supervised_stage import CONTEXTS, supervised
from websockets.sync.client import ClientConnection, connect

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root
from lab.service import Service, ari_settings

pytestmark = pytest.mark.asterisk

SECRET = "the secret of the tokens of these tests"
SETTINGS = {
    "SGE_JWT_SECRET": SECRET,
    "SGE_EXTENSIONS": json.dumps({"1001": "bob", "1002": "carol"}),
}


@pytest.fixture(scope="module")
def present_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk of this module's own."""
    with Asterisk.start(
        variables={"SGE_RING_SECONDS": "10"}, extensions=CONTEXTS, root=lab_root
    ) as running:
        yield running


@pytest.fixture(scope="module")
def present_service(present_asterisk: Asterisk) -> Iterator[Service]:
    """The service that leads calls in it and supervises it."""
    with supervised(present_asterisk, **ari_settings(present_asterisk), **SETTINGS) as running:
        running.wait_for_log("link_state", seconds=30, link="ari", state="up")
        yield running


@contextlib.contextmanager
def page_of(service: Service, user: str) -> Generator[ClientConnection]:
    """An event socket of this user, past its first frame."""
    token = jwt.encode({"sub": user, "exp": time.time() + 600}, SECRET, algorithm="HS256")
    address = service.api.replace("http://", "ws://").removesuffix("/api/v1/voip")
    with connect(f"{address}/ws/auth?token={token}") as page:
        assert next_of(page, "Notification")["title"] == "Connected"
        yield page


def next_of(page: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of this kind."""
    while True:
        frame: dict[str, Any] = json.loads(page.recv(WAIT_SECONDS))
        if frame["type"] == kind:
            return frame


def watch(page: ClientConnection, user: str) -> None:
    """Listen for the presence of a user."""
    page.send(json.dumps({"type": "Subscribe", "channel": f"presence:{user}"}))
    assert next_of(page, "Notification")["title"] == "Subscribed"


def statuses(page: ClientConnection, count: int) -> list[tuple[str, str]]:
    """The next changes of those who are watched."""
    frames = (next_of(page, "PresenceStatus") for _ in range(count))
    return [(frame["user_id"], frame["status"]) for frame in frames]


def test_a_call_of_telephones_makes_both_users_busy(
    present_asterisk: Asterisk, present_service: Service
) -> None:
    """While their telephones talk users are busy, whoever leads the call; before and after not."""
    with page_of(present_service, "alice") as page:
        watch(page, "bob")
        watch(page, "carol")
        callee = Phone.answering(present_asterisk, "1001", ring_ms=300)
        caller = Phone.calling(present_asterisk, "1002", "71001", hang_up_after_ms=1000)
        with callee, caller:
            assert sorted(statuses(page, 2)) == [("bob", "busy"), ("carol", "busy")]
            assert sorted(statuses(page, 2)) == [("bob", "offline"), ("carol", "offline")]
            assert caller.wait(), caller.explain()


def test_a_page_hears_of_the_calls_to_its_telephone(
    present_asterisk: Asterisk, present_service: Service
) -> None:
    """A call to a user's telephone is told on his page as it rings, is answered and ends."""
    with (
        page_of(present_service, "bob") as page,
        Phone.answering(present_asterisk, "1001", ring_ms=300),
        Phone.answering(present_asterisk, "1002"),
    ):
        watch(page, "bob")
        call = present_service.place("PJSIP/1001", "PJSIP/1002")
        told = next_of(page, "Call")["call"]
        assert (told["id"], told["participants"]) == (call["id"], ["PJSIP/1001", "PJSIP/1002"])
        while told["status"] != "connected":
            told = next_of(page, "Call")["call"]
        present_service.request("POST", f"/calls/{call['id']}/end")
        while told["status"] != "ended":
            told = next_of(page, "Call")["call"]
        assert told["answered_at"] is not None


def test_what_a_user_said_comes_back_after_his_call(
    present_asterisk: Asterisk, present_service: Service
) -> None:
    """Away, busy while his telephone talks, and away again."""
    with page_of(present_service, "bob") as page:
        watch(page, "bob")
        page.send('{"type":"PresenceUpdate","user_id":"bob","status":"away"}')
        assert statuses(page, 1) == [("bob", "away")]
        # Longer than the pause between two changes that are told.
        callee = Phone.answering(present_asterisk, "1001", hang_up_after_ms=2500)
        with callee, Phone.calling(present_asterisk, "1002", "71001"):
            assert statuses(page, 2) == [("bob", "busy"), ("bob", "away")]


def test_a_service_that_comes_back_sees_who_is_on_a_call(
    present_asterisk: Asterisk, present_service: Service
) -> None:
    """Calls that go on while the service is restarted make their users busy again."""
    callee = Phone.answering(present_asterisk, "1001")
    with callee, Phone.calling(present_asterisk, "1002", "71001") as caller:
        with page_of(present_service, "alice") as page:
            watch(page, "bob")
            assert statuses(page, 1) == [("bob", "busy")]
        present_service.kill()
        present_service.start_again()
        with page_of(present_service, "alice") as page:
            watch(page, "bob")
            page.send('{"type":"PresenceProbe","user_id":"bob"}')
            # Busy at once, or as soon as there is a link to Asterisk again.
            while statuses(page, 1) != [("bob", "busy")]:
                pass
            assert caller.conversation()
            present_asterisk.cli("channel request hangup all")
            assert statuses(page, 1) == [("bob", "offline")]
