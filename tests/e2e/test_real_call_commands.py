"""Hold, mute, keys, sounds and transfer by the API, on the real Asterisk."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from led_calls import (
    WAIT_SECONDS,
    all_talk,
    causes,
    check_by_asterisk,
    end_of,
    kinds,
    legs,
    wait_for_status,
)

from lab.asterisk import Asterisk
from lab.errors import CommandError
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service

pytestmark = pytest.mark.asterisk


@pytest.fixture
def call(led: Asterisk, leading_service: Service) -> Iterator[dict[str, Any]]:
    """A connected call of 1001, who talks, and 1002, whose phone sends back what it hears."""
    first, second = Phone.talking(led, "1001"), Phone.answering(led, "1002")
    with first, second:
        placed = leading_service.place("SIP/1001", "SIP/1002")
        yield wait_for_status(leading_service, placed["id"], "connected")
        leading_service.request("POST", f"/calls/{placed['id']}/end")
        assert second.wait() or first.wait(), second.explain()
    check_by_asterisk(led, leading_service, placed["id"], f"sge-{placed['id']}-1")


def ask(service: Service, call: dict[str, Any], verb: str, **body: str) -> dict[str, Any]:
    """Do something with a call by the API."""
    record: dict[str, Any] = service.request("POST", f"/calls/{call['id']}/{verb}", body or None)
    return record


def packets(asterisk: Asterisk, channel_id: str, what: str) -> int:
    """How many RTP packets a channel has sent (txcount) or received (rxcount)."""
    counts = asterisk.control.request("GET", f"channels/{channel_id}/rtp_statistics")
    return int(counts[what])


def test_hold_and_back(led: Asterisk, leading_service: Service, call: dict[str, Any]) -> None:
    """The record says so, and who did it; the held phone hears something all the while."""
    held = legs(led, call)[1]
    assert ask(leading_service, call, "hold")["status"] == "on_hold"
    before = packets(led, held, "txcount")
    assert wait_until(lambda: packets(led, held, "txcount") > before + 10, WAIT_SECONDS)
    assert ask(leading_service, call, "hold")["status"] == "on_hold"
    assert ask(leading_service, call, "unhold")["status"] == "connected"
    assert kinds(leading_service, call["id"])[-2:] == ["held", "resumed"]
    assert all_talk(led, call)


def test_mute_is_silence_for_the_other(
    led: Asterisk, leading_service: Service, call: dict[str, Any]
) -> None:
    """What a muted phone says does not reach the other one; unmuted it does again."""
    hearing = legs(led, call)[1]
    assert led.wait_for_media(hearing)
    ask(leading_service, call, "mute", participant="SIP/1001", direction="in")
    still = packets(led, hearing, "txcount")
    ask(leading_service, call, "unmute", participant="SIP/1001", direction="in")
    assert wait_until(lambda: packets(led, hearing, "txcount") > still + 10, WAIT_SECONDS)
    assert kinds(leading_service, call["id"])[-2:] == ["muted", "unmuted"]


def test_keys_reach_the_other_phone(
    led: Asterisk, leading_service: Service, call: dict[str, Any]
) -> None:
    """They are sent as telephone events, and only their number is kept."""
    before = len(led.log())
    led.cli("rtp set debug on")
    ask(leading_service, call, "dtmf", digits="42#", participant="SIP/1001")
    sent = r"Sent RTP DTMF packet to .* ts (\d+)"
    # The packets of one key have one timestamp.
    assert wait_until(lambda: len(set(re.findall(sent, led.log()[before:]))) == 3, WAIT_SECONDS)
    led.cli("rtp set debug off")
    last = leading_service.events(call["id"])[-1]
    assert (last["kind"], last["facts"]) == ("dtmf", {"digits": 3, "participant": "SIP/1001"})


def test_a_sound_is_played(led: Asterisk, leading_service: Service, call: dict[str, Any]) -> None:
    """To everybody and to one phone."""
    before = len(led.log())
    ask(leading_service, call, "play", sound="hello-world")
    ask(leading_service, call, "play", sound="hello-world", participant="SIP/1002")
    led.wait_for_log(r"Playing 'hello-world\.gsm'", after=before)
    assert kinds(leading_service, call["id"])[-2:] == ["played", "played"]


def test_a_blind_transfer(led: Asterisk, leading_service: Service) -> None:
    """The first phone leaves at once, the second talks to the third, in the same call."""
    service = leading_service
    first, second = Phone.talking(led, "1001"), Phone.talking(led, "1002")
    with first, second, Phone.answering(led, "1004", ring_ms=200) as third:
        call = service.place("SIP/1001", "SIP/1002")
        wait_for_status(service, call["id"], "connected")
        ask(service, call, "transfer", to="SIP/1004", participant="SIP/1001")
        assert first.wait(), first.explain()
        assert wait_until(lambda: len(legs(led, call)) == 2, WAIT_SECONDS)
        assert all_talk(led, call)
        ask(service, call, "end")
        assert second.wait(), second.explain()
        assert third.wait(), third.explain()
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert kinds(service, call["id"]) == ["created", "ringing", "accepted", "transferred", "ended"]
    second_phones, third_phones = (f"sge-{call['id']}-{number}" for number in (1, 2))
    before, after = check_by_asterisk(led, service, call["id"], second_phones, third_phones)
    assert before.ended <= after.answered


def test_a_transfer_to_a_busy_phone(led: Asterisk, leading_service: Service) -> None:
    """Who was transferred is told that it is busy."""
    first, second = Phone.talking(led, "1001"), Phone.talking(led, "1002")
    with first, second, Phone.busy(led, "1004"):
        call = leading_service.place("SIP/1001", "SIP/1002")
        wait_for_status(leading_service, call["id"], "connected")
        ask(leading_service, call, "transfer", to="SIP/1004", participant="SIP/1001")
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()
    assert causes(second) == {17}
    assert end_of(leading_service, call["id"]) == ("ended", 17, "ANSWER")
    channels = (f"sge-{call['id']}-{number}" for number in (1, 2))
    _, refused = check_by_asterisk(led, leading_service, call["id"], *channels)
    assert refused.disposition == "BUSY"


def test_commands_that_cannot_be(
    led: Asterisk, leading_service: Service, call: dict[str, Any]
) -> None:
    """Who is not in the call, what is no sound or key, and whom nobody may ring are refused."""
    with pytest.raises(CommandError, match=r"409 .*wrong_state"):
        ask(leading_service, call, "mute", participant="SIP/1004")
    with pytest.raises(CommandError, match="422"):
        ask(leading_service, call, "play", sound="../../etc/passwd")
    with pytest.raises(CommandError, match="422"):
        ask(leading_service, call, "dtmf", digits="12;")
    with pytest.raises(CommandError, match="422"):
        ask(leading_service, call, "transfer", to="Local/1002@sky-genesis-voip")
    assert len(legs(led, call)) == 2
