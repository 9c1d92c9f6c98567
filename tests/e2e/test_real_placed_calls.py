"""Calls that an application asks the API for, on the real Asterisk with real phones.

What the record says is held against Asterisk's call detail records and what the phones heard.
"""

from datetime import datetime

import pytest
from led_calls import (
    ROOM_FOR_CLOCKS_MS,
    WAIT_SECONDS,
    all_talk,
    causes,
    check_by_asterisk,
    detail_of,
    end_of,
    ended_by,
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


def test_two_phones_talk(led: Asterisk, leading_service: Service) -> None:
    """Both are rung and bridged, audio flows both ways, the record is what Asterisk says."""
    service = leading_service
    first = Phone.talking(led, "1001", ring_ms=200)
    second = Phone.answering(led, "1002", ring_ms=400)
    with first, second:
        call = service.place("SIP/1001", "SIP/1002")
        assert call["participants"] == ["SIP/1001", "SIP/1002"]
        assert call["metadata"]["asterisk_channel_id"] == f"sge-{call['id']}-0"
        wait_for_status(service, call["id"], "ringing")
        wait_for_status(service, call["id"], "connected")
        assert all_talk(led, call)
        service.request("POST", f"/calls/{call['id']}/end")
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()
    record = service.call(call["id"])
    detail = detail_of(led, f"sge-{call['id']}-1")
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert ended_by(service, call["id"]) == "user"
    assert kinds(service, call["id"]) == ["created", "ringing", "accepted", "ended"]
    assert detail.disposition == "ANSWERED"
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)
    assert record["ring_ms"] >= 400 - ROOM_FOR_CLOCKS_MS
    answered = datetime.fromisoformat(record["answered_at"]).timestamp()
    assert answered == pytest.approx(detail.answered, abs=ROOM_FOR_CLOCKS_MS / 1000)
    assert causes(first) == causes(second) == {16}


def test_one_phone_is_rung(led: Asterisk, leading_service: Service) -> None:
    """It is connected as soon as it answers; hung up by the phone it has ended."""
    with Phone.answering(led, "1001", hang_up_after_ms=300) as phone:
        call = leading_service.place("PJSIP/1001")
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call["id"]) == ("ended", 16, "ANSWER")
    assert kinds(leading_service, call["id"]) == ["created", "ringing", "accepted", "ended"]


@pytest.mark.parametrize("who", ["1001", "1002"])
def test_a_phone_hangs_up(led: Asterisk, leading_service: Service, who: str) -> None:
    """Whoever does, the other one is hung up too."""
    other = "1002" if who == "1001" else "1001"
    staying = Phone.talking(led, other)
    with Phone.answering(led, who, hang_up_after_ms=400) as leaving, staying:
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert leaving.wait(), leaving.explain()
        assert staying.wait(), staying.explain()
    record = wait_for_status(leading_service, call["id"], "ended")
    detail = detail_of(led, f"sge-{call['id']}-1")
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert ended_by(leading_service, call["id"]) == {"1001": "caller", "1002": "callee"}[who]
    assert detail.disposition == "ANSWERED"
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)
    assert causes(staying) == {16}


def test_the_second_phone_is_busy(led: Asterisk, leading_service: Service) -> None:
    """Cause 17, for the record and for the phone that was there."""
    with Phone.talking(led, "1001") as first, Phone.busy(led, "1002"):
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert first.wait(), first.explain()
    assert end_of(leading_service, call["id"]) == ("ended", 17, "BUSY")
    assert detail_of(led, f"sge-{call['id']}-1").disposition == "BUSY"
    assert causes(first) == {17}


def test_the_first_phone_is_busy(led: Asterisk, leading_service: Service) -> None:
    """Cause 17, and nobody else is rung."""
    with Phone.busy(led, "1001"), Phone.answering(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert end_of(leading_service, call["id"]) == ("ended", 17, "BUSY")
        assert "< INVITE" not in second.conversation()


def test_nobody_answers(led: Asterisk, leading_service: Service) -> None:
    """Cause 19 after the time that phones are left to ring, for the record and both phones."""
    with Phone.talking(led, "1001") as first, Phone.not_answering(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert first.wait(), first.explain()
    record = wait_for_status(leading_service, call["id"], "ended")
    assert (record["hangup_cause"], record["dial_status"]) == (19, "NOANSWER")
    assert record["ring_ms"] >= 2000 - ROOM_FOR_CLOCKS_MS
    assert detail_of(led, f"sge-{call['id']}-1").disposition == "NO ANSWER"
    assert causes(first) == causes(second) == {19}


def test_a_phone_that_is_not_there(led: Asterisk, leading_service: Service) -> None:
    """The second leaves a record with cause 20; the first is refused and leaves nothing."""
    with Phone.talking(led, "1001") as first:
        call = leading_service.place("SIP/1001", "SIP/1999")
        assert first.wait(), first.explain()
        assert end_of(leading_service, call["id"]) == ("ended", 20, "CHANUNAVAIL")
        assert causes(first) == {20}
        with pytest.raises(CommandError, match=r"502 .*pbx_refused"):
            leading_service.place("SIP/1999", "SIP/1001")
    assert leading_service.calls() == []


def test_ended_while_it_rings(led: Asterisk, leading_service: Service) -> None:
    """The API's end is the phone's CANCEL."""
    with Phone.not_answering(led, "1001") as phone:
        call = leading_service.place("SIP/1001")
        wait_for_status(leading_service, call["id"], "ringing")
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert phone.wait(), phone.explain()
    assert end_of(leading_service, call["id"]) == ("ended", 16, "CANCEL")
    assert "< CANCEL" in phone.conversation()


def test_ended_while_the_second_phone_rings(led: Asterisk, leading_service: Service) -> None:
    """Both phones are let go, and Asterisk's own record says when."""
    with Phone.talking(led, "1001") as first, Phone.not_answering(led, "1002") as second:
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert wait_until(lambda: "< INVITE" in second.conversation(), WAIT_SECONDS)
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()
    assert end_of(leading_service, call["id"]) == ("ended", 16, "CANCEL")
    detail = detail_of(led, f"sge-{call['id']}-1")
    assert (detail.disposition, detail.talk_ms) == ("NO ANSWER", 0)
    ended = datetime.fromisoformat(leading_service.call(call["id"])["end_time"]).timestamp()
    assert ended == pytest.approx(detail.ended, abs=ROOM_FOR_CLOCKS_MS / 1000)


def test_the_first_of_two_phones_to_answer(led: Asterisk, leading_service: Service) -> None:
    """The third stops ringing and is told that somebody else took the call."""
    first, fast = Phone.talking(led, "1001"), Phone.answering(led, "1002", ring_ms=300)
    with first, fast, Phone.not_answering(led, "1004") as slow:
        call = leading_service.place("SIP/1001", "SIP/1004", "SIP/1002")
        wait_for_status(leading_service, call["id"], "connected")
        assert slow.wait(), slow.explain()
        assert all_talk(led, call)
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.wait(), first.explain()
    assert causes(slow) == {26}
    assert end_of(leading_service, call["id"]) == ("ended", 16, "ANSWER")
    detail = detail_of(led, f"sge-{call['id']}-0")
    assert detail.disposition == "ANSWERED"
    assert detail.called_channel.startswith("PJSIP/1002-")
    ended = datetime.fromisoformat(leading_service.call(call["id"])["end_time"]).timestamp()
    assert ended == pytest.approx(detail.ended, abs=ROOM_FOR_CLOCKS_MS / 1000)


def test_a_conference_of_three_phones(led: Asterisk, leading_service: Service) -> None:
    """All of them come in; it goes on without the first and ends with the last but one."""
    one, two = Phone.answering(led, "1001", hang_up_after_ms=1500), Phone.talking(led, "1002")
    with one, two, Phone.talking(led, "1004", ring_ms=300) as three:
        call = leading_service.place("SIP/1001", "SIP/1002", "SIP/1004", call_type="conference")
        wait_for_status(leading_service, call["id"], "connected")
        bridge = f"bridges/sge-{call['id']}"
        assert wait_until(
            lambda: len(led.control.request("GET", bridge)["channels"]) == 3, WAIT_SECONDS
        )
        assert one.wait(), one.explain()
        assert wait_until(lambda: len(legs(led, call)) == 2, WAIT_SECONDS)
        assert leading_service.call(call["id"])["status"] == "connected"
        led.control.hang_up(f"sge-{call['id']}-1")
        assert three.wait(), three.explain()
    assert end_of(leading_service, call["id"])[0] == "ended"
    callers = (f"sge-{call['id']}-{number}" for number in (0, 1))
    check_by_asterisk(led, leading_service, call["id"], *callers)


def test_early_media_is_heard(led: Asterisk, leading_service: Service) -> None:
    """What a phone sends before it answers reaches the phone that waits for it."""
    with Phone.talking(led, "1001") as first, Phone.announcing(led, "1002", early_ms=1000):
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert wait_until(lambda: len(legs(led, call)) == 2, WAIT_SECONDS)
        heard = f"channels/sge-{call['id']}-0/rtp_statistics"
        assert wait_until(lambda: led.control.request("GET", heard)["txcount"] >= 10, WAIT_SECONDS)
        assert leading_service.call(call["id"])["status"] == "ringing"
        wait_for_status(leading_service, call["id"], "connected")
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert first.wait(), first.explain()
    check_by_asterisk(led, leading_service, call["id"], f"sge-{call['id']}-1")


def test_asterisk_has_nothing_to_complain_of(led: Asterisk, leading_service: Service) -> None:
    """A call that goes well leaves no warning in Asterisk's log, and none in ours."""
    before = len(led.complaints())
    with Phone.talking(led, "1001") as first, Phone.answering(led, "1002", hang_up_after_ms=100):
        call = leading_service.place("SIP/1001", "SIP/1002")
        assert first.wait(), first.explain()
        wait_for_status(leading_service, call["id"], "ended")
    assert led.complaints()[before:] == []
    about = [line for line in leading_service.log() if line.get("call") == call["id"]]
    assert [line for line in about if line["level"] != "info"] == []
