"""Users of the API who call out by the trunk, on the real Asterisk with a carrier beyond it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from led_calls import end_of, wait_for_status

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.service import Service, ari_settings
from tests.unit.identities.token_samples import ALICE, SECRET, token

pytestmark = pytest.mark.asterisk

ALICES = {"Authorization": f"Bearer {token(ALICE).decode()}"}


@pytest.fixture(scope="module")
def leading_service(led_asterisk: Asterisk) -> Iterator[Service]:
    """Run a service where users may call out."""
    given = {
        "SGE_TRUNK": "PJSIP/sky-genesis-trunk",
        "SGE_OUTBOUND_ALLOW": "0X.",
        "SGE_OUTBOUND_DENY": "0900X.",
        "SGE_USERS_MAY_CALL_OUT": "true",
        "SGE_JWT_SECRET": SECRET.decode(),
    }
    with Service.start({**ari_settings(led_asterisk), **given}) as running:
        running.wait_for_log("link_state", state="up")
        yield running


def ask(service: Service, path: str, body: dict[str, Any]) -> httpx.Response:
    """What a user's request gets."""
    return httpx.post(service.api + path, json=body, headers=ALICES, timeout=15)


def test_a_user_calls_out(led: Asterisk, leading_service: Service) -> None:
    """A number that the policy allows is rung at the carrier, in the user's name."""
    with Phone.carrier(led) as carrier:
        order = {"participants": ["PJSIP/0301234@sky-genesis-trunk"], "call_type": "audio"}
        answer = ask(leading_service, "/calls", order)
        assert answer.status_code == 201, answer.text
        call = answer.json()
        assert call["caller_id"] == "alice"
        wait_for_status(leading_service, call["id"], "connected")
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert carrier.wait(), carrier.explain()
    assert "INVITE sip:0301234@127.0.0.2" in carrier.messages()
    assert end_of(leading_service, call["id"]) == ("ended", 16, "ANSWER")


def test_a_user_smuggles_nothing_out(led: Asterisk, leading_service: Service) -> None:
    """What the policy does not allow, in whatever form, is refused before the trunk hears of it."""
    with Phone.carrier(led, "busy") as carrier, Phone.answering(led, "1001") as phone:
        call = ask(leading_service, "/calls", {"participants": ["SIP/1001"], "call_type": "audio"})
        call_id = call.json()["id"]
        wait_for_status(leading_service, call_id, "connected")
        room = ask(leading_service, "/rooms", {"name": "r", "max_participants": 5}).json()
        for dial_string in (
            "PJSIP/0900123@sky-genesis-trunk",
            "PJSIP/1234@sky-genesis-trunk",
            "pjsip/0301234@sky-genesis-trunk",
            "SIP/0900123@sky-genesis-trunk",
            "PJSIP/0301234@Sky-Genesis-Trunk",
            "PJSIP/sky-genesis-trunk",
            "PJSIP/sky-genesis-trunk/sip:0900123@127.0.0.2",
            "PJSIP/1001/sip:0900123@127.0.0.2",
            "PJSIP/0900123%40sky-genesis-trunk",
        ):
            order = {"participants": [dial_string], "call_type": "audio"}
            placed = ask(leading_service, "/calls", order)
            moved = ask(leading_service, f"/calls/{call_id}/transfer", {"to": dial_string})
            joined = ask(leading_service, f"/rooms/{room['id']}/join", {"endpoint": dial_string})
            codes = [placed.status_code, moved.status_code, joined.status_code]
            assert codes == [403, 403, 403], dial_string
        leading_service.request("POST", f"/rooms/{room['id']}/close")
        leading_service.request("POST", f"/calls/{call_id}/end")
        assert phone.wait(), phone.explain()
        assert "< INVITE" not in carrier.conversation()
