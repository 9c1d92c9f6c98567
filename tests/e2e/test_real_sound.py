"""What phones hear and see, and how the record says that it sounded, on the real Asterisk.

The phones say a tone and listen for it themselves: nobody's word is taken for what was heard.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from led_calls import WAIT_SECONDS, end_of, newest, wait_for_status

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service
from lab.voice import Voice, calling_voice, camera_of, voice_of

pytestmark = pytest.mark.asterisk

# Asterisk reckons a score when it sends an RTCP report, every 5 s; two of them.
SCORED_PACKETS = 12 * 50
SILENCE_SECONDS = 0.6


def wait_for_quality(service: Service, call_id: str) -> dict[str, Any]:
    """How a call that is over sounded, by its record."""
    end_of(service, call_id)
    found = wait_until(lambda: service.call(call_id)["quality"] is not None, WAIT_SECONDS)
    assert found, service.call(call_id)
    quality: dict[str, Any] = service.call(call_id)["quality"]
    return quality


def has_heard(asterisk: Asterisk, channel_id: str, packets: int) -> bool:
    """Whether so much of what a phone says has come to Asterisk, in a quarter of a minute."""
    path = f"channels/{channel_id}/rtp_statistics"
    return wait_until(lambda: asterisk.control.request("GET", path)["rxcount"] >= packets, 20.0)


@pytest.fixture
def talk(led: Asterisk, leading_service: Service) -> Iterator[tuple[str, Voice, Voice]]:
    """A connected call of two who hear each other: its path, 1001 and 1002."""
    with voice_of(led, "1001") as first, voice_of(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002")
        wait_for_status(leading_service, call["id"], "connected")
        assert first.hears_tone()
        assert second.hears_tone()
        yield f"/calls/{call['id']}", first, second
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.phone.wait(), first.phone.explain()
        assert second.phone.wait(), second.phone.explain()


def test_a_good_call_and_a_bad_one(led: Asterisk, leading_service: Service) -> None:
    """The record of one whose network loses every fifth packet is rated far below the other's."""
    service = leading_service
    good, good_too = voice_of(led, "1001"), voice_of(led, "1002")
    with good, good_too, voice_of(led, "1004", loses_every=5):
        clear = service.place("SIP/1001", "SIP/1002")
        broken = service.place("SIP/1004")
        wait_for_status(service, clear["id"], "connected")
        assert has_heard(led, f"sge-{clear['id']}-1", SCORED_PACKETS)
        for call in (clear, broken):
            assert service.call(call["id"])["quality"] is None
            service.request("POST", f"/calls/{call['id']}/end")
        high, low = (wait_for_quality(service, call["id"]) for call in (clear, broken))
    assert 80 <= high["mes"] <= 100
    assert high["mos"] == pytest.approx(high["mes"] / 20, abs=0.01)
    assert high["loss_percent"] < 1
    assert 0 < high["jitter_ms"] < 60
    assert high["round_trip_ms"] is None
    assert 0 < low["mes"] <= 50
    # Every fifth, but for those of the last 5 s, which Asterisk had not counted.
    assert 12 <= low["loss_percent"] <= 21
    last = service.events(broken["id"])[-1]
    assert last["kind"] == "measured"
    assert last["facts"]["loss_percent"] == round(low["loss_percent"])


def test_a_call_by_the_dialplan_is_rated(led: Asterisk, leading_service: Service) -> None:
    """Whoever hangs up; one that is over before Asterisk reckoned a score has the rest."""
    callee = Phone.answering(led, "1001", hang_up_after_ms=1000)
    with callee, calling_voice(led, "1002", "1001") as caller:
        assert caller.phone.wait(), caller.phone.explain()
    quality = wait_for_quality(leading_service, newest(leading_service)["id"])
    assert (quality["mes"], quality["mos"], quality["loss_percent"]) == (None, None, None)
    assert quality["jitter_ms"] > 0


def test_a_call_without_media_is_not_rated(led: Asterisk, leading_service: Service) -> None:
    """There is nothing to rate where nobody answered."""
    with Phone.busy(led, "1001"):
        call = leading_service.place("SIP/1001")
        end_of(leading_service, call["id"])
    assert leading_service.call(call["id"])["quality"] is None


def test_mute(leading_service: Service, talk: tuple[str, Voice, Voice]) -> None:
    """Who is muted is not heard but hears; unmuted he is heard again."""
    path, first, second = talk
    leading_service.request("POST", f"{path}/mute", {"participant": "SIP/1001", "direction": "in"})
    assert not second.hears_tone(SILENCE_SECONDS)
    assert first.hears_tone()
    leading_service.request(
        "POST", f"{path}/unmute", {"participant": "SIP/1001", "direction": "in"}
    )
    assert second.hears_tone()


def test_deaf(leading_service: Service, talk: tuple[str, Voice, Voice]) -> None:
    """Who is muted in the other direction hears nothing but is heard."""
    path, first, second = talk
    body = {"participant": "SIP/1001", "direction": "out"}
    leading_service.request("POST", f"{path}/mute", body)
    assert not first.hears_tone(SILENCE_SECONDS)
    assert second.hears_tone()
    leading_service.request("POST", f"{path}/unmute", body)
    assert first.hears_tone()


def test_hold(leading_service: Service, talk: tuple[str, Voice, Voice]) -> None:
    """Who holds hears nobody; whom he holds is taken back and heard again."""
    path, first, second = talk
    leading_service.request("POST", f"{path}/hold", {"participant": "SIP/1001"})
    assert not first.hears_tone(SILENCE_SECONDS)
    leading_service.request("POST", f"{path}/unhold")
    assert first.hears_tone()
    assert second.hears_tone()


def test_a_member_is_muted(led: Asterisk, leading_service: Service) -> None:
    """In a room nobody hears a muted member, who hears the others; unmuted all hear him."""
    service = leading_service
    body = {"name": "E2E", "max_participants": 4, "number": "456"}
    room = f"/rooms/{service.request('POST', '/rooms', body)['id']}"

    def present() -> list[dict[str, Any]]:
        members = service.request("GET", room)["members"]
        return [member for member in members if member["state"] == "present"]

    with calling_voice(led, "1001", "9456") as first:
        assert wait_until(lambda: len(present()) == 1, WAIT_SECONDS)
        with calling_voice(led, "1002", "9456") as second:
            assert wait_until(lambda: len(present()) == 2, WAIT_SECONDS)
            assert second.hears_tone()
            service.request("POST", f"{room}/members/{present()[0]['id']}/mute")
            assert not second.hears_tone(SILENCE_SECONDS)
            assert first.hears_tone()
            service.request("POST", f"{room}/members/{present()[0]['id']}/unmute")
            assert second.hears_tone()
            service.request("POST", f"{room}/close")
            assert second.phone.wait(), second.phone.explain()
        assert first.phone.wait(), first.phone.explain()


@pytest.mark.parametrize("call_type", ["video", "screen"])
def test_pictures(led: Asterisk, leading_service: Service, call_type: str) -> None:
    """Phones of a call with pictures are offered them, and see each other."""
    with camera_of(led, "1001") as first, camera_of(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002", call_type=call_type)
        wait_for_status(leading_service, call["id"], "connected")
        assert first.sees(second)
        assert second.sees(first)
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.phone.wait(), first.phone.explain()
        assert second.phone.wait(), second.phone.explain()


def test_a_call_without_pictures(led: Asterisk, leading_service: Service) -> None:
    """A phone that could show pictures is offered none in a call of sound alone."""
    with Phone.answering(led, "1001") as first, Phone.answering(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002")
        wait_for_status(leading_service, call["id"], "connected")
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()
    assert "m=audio" in first.messages()
    assert "m=video" not in first.messages() + second.messages()
