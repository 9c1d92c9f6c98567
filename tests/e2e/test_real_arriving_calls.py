"""Calls that phones make by the dialplan and that the service leads, on the real Asterisk.

The dialplan registers them over AGI and hands them over; what the record says is held against
Asterisk's call detail records and what the phones heard.
"""

import asyncio
from contextlib import AbstractContextManager
from typing import Any

import pytest
from led_calls import (
    ROOM_FOR_CLOCKS_MS,
    WAIT_SECONDS,
    all_talk,
    causes,
    check_by_asterisk,
    detail_of,
    ended_by,
    kinds,
    newest,
    wait_for_status,
)
from panel import admit, redirect

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service

pytestmark = pytest.mark.asterisk


def called(
    asterisk: Asterisk,
    service: Service,
    callee: AbstractContextManager[Phone],
    number: str = "1001",
    **caller: int,
) -> tuple[dict[str, Any], Phone]:
    """Call a number to the end; the record and the caller's phone."""
    with callee, Phone.calling(asterisk, "1002", number, **caller) as phone:
        assert phone.wait(), phone.explain()
    record = newest(service)
    return wait_for_status(service, record["id"], "ended"), phone


def test_a_call_between_users(led: Asterisk, leading_service: Service) -> None:
    """It is registered over AGI, led over ARI, and has one record with all that Asterisk says."""
    callee = Phone.talking(led, "1001", ring_ms=400)
    with callee, Phone.calling(led, "1002", "1001") as caller:
        assert wait_until(lambda: bool(leading_service.calls()), WAIT_SECONDS)
        (call,) = leading_service.calls()
        wait_for_status(leading_service, call["id"], "ringing")
        wait_for_status(leading_service, call["id"], "connected")
        channel = call["metadata"]["asterisk_channel_id"]
        assert led.wait_for_media(channel)
        assert all_talk(led, call)
        led.control.hang_up(channel)
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
    record = wait_for_status(leading_service, call["id"], "ended")
    detail = detail_of(led, channel)
    assert record["participants"] == ["SIP/1001"]
    assert record["metadata"]["caller_id"] == "1002"
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert kinds(leading_service, call["id"]) == ["adopted", "ringing", "accepted", "ended"]
    assert detail.disposition == "ANSWERED"
    assert detail.called_channel.startswith("PJSIP/1001-")
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)
    assert record["ring_ms"] >= 400 - ROOM_FOR_CLOCKS_MS
    assert [each["kind"] for each in leading_service.events(call["id"])].count("ended") == 1


def test_the_caller_hangs_up(led: Asterisk, leading_service: Service) -> None:
    """The phone that was called is told cause 16."""
    callee = Phone.answering(led, "1001")
    record, caller = called(led, leading_service, callee, hang_up_after_ms=300)
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert ended_by(leading_service, record["id"]) == "caller"
    channel = record["metadata"]["asterisk_channel_id"]
    check_by_asterisk(led, leading_service, record["id"], channel)
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert causes(callee) == {16}


def test_the_callee_hangs_up(led: Asterisk, leading_service: Service) -> None:
    """The caller's phone is told cause 16."""
    callee = Phone.answering(led, "1001", hang_up_after_ms=300)
    record, caller = called(led, leading_service, callee)
    detail = detail_of(led, record["metadata"]["asterisk_channel_id"])
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)
    assert ended_by(leading_service, record["id"]) == "callee"
    assert causes(caller) == {16}


def test_the_callee_is_busy(led: Asterisk, leading_service: Service) -> None:
    """486 and cause 17 for the caller, BUSY in the record and in Asterisk's own."""
    record, caller = called(led, leading_service, Phone.busy(led, "1001"))
    assert (record["hangup_cause"], record["dial_status"]) == (17, "BUSY")
    assert ended_by(leading_service, record["id"]) is None
    assert (record["ring_ms"], record["answered_ms"], record["duration_ms"]) == (None, None, 0)
    assert caller.statuses() == [401, 100, 486]
    assert causes(caller) == {17}
    detail = detail_of(led, record["metadata"]["asterisk_channel_id"])
    assert detail.disposition == "BUSY"


def test_nobody_answers(led: Asterisk, leading_service: Service) -> None:
    """Cause 19 for both phones after the time that phones are left to ring."""
    callee = Phone.not_answering(led, "1001")
    record, caller = called(led, leading_service, callee)
    assert (record["hangup_cause"], record["dial_status"]) == (19, "NOANSWER")
    assert record["ring_ms"] >= 2000 - ROOM_FOR_CLOCKS_MS
    assert causes(caller) == causes(callee) == {19}
    detail = detail_of(led, record["metadata"]["asterisk_channel_id"])
    assert detail.disposition == "NO ANSWER"


def test_the_caller_gives_up(led: Asterisk, leading_service: Service) -> None:
    """CANCEL for the phone that rings, with the cause that it is."""
    callee = Phone.not_answering(led, "1001")
    record, _ = called(led, leading_service, callee, cancel_after_ms=500)
    assert (record["hangup_cause"], record["dial_status"]) == (16, "CANCEL")
    assert ended_by(leading_service, record["id"]) == "caller"
    assert record["ring_ms"] >= 500 - ROOM_FOR_CLOCKS_MS
    assert "< CANCEL" in callee.conversation()
    assert causes(callee) == {16}
    detail = detail_of(led, record["metadata"]["asterisk_channel_id"])
    assert detail.disposition == "NO ANSWER"


def test_an_extension_that_nobody_has(led: Asterisk, leading_service: Service) -> None:
    """Cause 20: there is nothing to ring."""
    with Phone.calling(led, "1002", "1999") as caller:
        assert caller.wait(), caller.explain()
    record = wait_for_status(leading_service, newest(leading_service)["id"], "ended")
    assert (record["hangup_cause"], record["dial_status"]) == (20, "CHANUNAVAIL")
    assert causes(caller) == {20}


def test_early_media_reaches_the_caller(led: Asterisk, leading_service: Service) -> None:
    """What the phone sends before its answer comes through as 183."""
    callee = Phone.announcing(led, "1001", early_ms=600)
    record, caller = called(led, leading_service, callee, hang_up_after_ms=300)
    assert caller.statuses() == [401, 100, 183, 200, 200]
    assert record["dial_status"] == "ANSWER"
    channel = record["metadata"]["asterisk_channel_id"]
    check_by_asterisk(led, leading_service, record["id"], channel)


def test_an_extension_with_two_phones(led: Asterisk, leading_service: Service) -> None:
    """Both ring; the first to answer is connected, the other stops with cause 26."""
    fast = Phone.answering(led, "1001", hang_up_after_ms=1500)
    with Phone.not_answering(led, "1004") as slow:
        record, caller = called(led, leading_service, fast, "1500")
        assert slow.wait(), slow.explain()
    assert caller.statuses() == [401, 100, 180, 200]
    assert causes(slow) == {26}
    assert record["participants"] == ["SIP/1500"]
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")


def test_the_callee_holds(led: Asterisk, leading_service: Service) -> None:
    """A re-INVITE of the phone puts the record on hold, another one takes it back."""
    with Phone.holding(led, "1001", after_ms=400) as callee, Phone.calling(led, "1002", "1001"):
        assert wait_until(lambda: bool(leading_service.calls()), WAIT_SECONDS)
        (call,) = leading_service.calls()
        wait_for_status(leading_service, call["id"], "on_hold")
        wait_for_status(leading_service, call["id"], "connected")
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert callee.wait(), callee.explain()
    channel = call["metadata"]["asterisk_channel_id"]
    check_by_asterisk(led, leading_service, call["id"], channel)
    assert kinds(leading_service, call["id"]) == [
        "adopted",
        "ringing",
        "accepted",
        "held",
        "resumed",
        "ended",
    ]


def test_a_user_accepts_for_a_phone(led: Asterisk, leading_service: Service) -> None:
    """The caller is answered, the phone stops ringing because somebody else took the call."""
    with Phone.not_answering(led, "1001") as callee, Phone.calling(led, "1002", "1001") as caller:
        assert wait_until(lambda: bool(leading_service.calls()), WAIT_SECONDS)
        (call,) = leading_service.calls()
        wait_for_status(leading_service, call["id"], "ringing")
        accepted = leading_service.request("POST", f"/calls/{call['id']}/accept")
        assert accepted["status"] == "connected"
        assert callee.wait(), callee.explain()
        assert causes(callee) == {26}
        leading_service.request("POST", f"/calls/{call['id']}/end")
        assert caller.wait(), caller.explain()
    assert caller.statuses() == [401, 100, 180, 200]
    assert wait_for_status(leading_service, call["id"], "ended")["dial_status"] == "ANSWER"


def test_a_redirect_takes_a_leg_out(led: Asterisk, leading_service: Service) -> None:
    """The channel goes on in the dialplan; the other phone is hung up and the call has ended."""
    with Phone.talking(led, "1001") as callee, Phone.calling(led, "1002", "1001") as caller:
        assert wait_until(lambda: bool(leading_service.calls()), WAIT_SECONDS)
        (call,) = leading_service.calls()
        wait_for_status(leading_service, call["id"], "connected")
        channel = call["metadata"]["asterisk_channel_id"]
        admit(led)
        asyncio.run(redirect(led, name_of(led, channel), "test-elsewhere", "s"))
        assert callee.wait(), callee.explain()
        record = wait_for_status(leading_service, call["id"], "ended")
        assert [each["id"] for each in led.control.channels()] == [channel]
        led.control.hang_up(channel)
        assert caller.wait(), caller.explain()
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    (detail,) = check_by_asterisk(led, leading_service, call["id"], channel)
    assert detail.called_channel.startswith("PJSIP/1001-")


def test_a_channel_comes_again(led: Asterisk, leading_service: Service) -> None:
    """After its call has ended it is another call, with a record of its own."""
    service = leading_service
    third = Phone.answering(led, "1004")
    with Phone.talking(led, "1001") as callee, third, Phone.calling(led, "1002", "1001") as caller:
        assert wait_until(lambda: bool(service.calls()), WAIT_SECONDS)
        (first,) = service.calls()
        wait_for_status(service, first["id"], "connected")
        channel = first["metadata"]["asterisk_channel_id"]
        led.cli(f"channel redirect {name_of(led, channel)} test-elsewhere,again,1")
        assert callee.wait(), callee.explain()
        wait_for_status(service, first["id"], "ended")
        assert wait_until(lambda: newest(service)["id"] != first["id"], WAIT_SECONDS)
        second = wait_for_status(service, newest(service)["id"], "connected")
        assert led.wait_for_media(channel)
        assert third.wait(0) is False
        led.control.hang_up(channel)
        assert caller.wait(), caller.explain()
        assert third.wait(), third.explain()
    assert second["metadata"]["asterisk_channel_id"] == channel
    assert second["participants"] == ["SIP/1004"]
    record = wait_for_status(service, second["id"], "ended")
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert ended_by(service, second["id"]) == "pbx"


def name_of(asterisk: Asterisk, channel_id: str) -> str:
    """What Asterisk's console calls a channel."""
    return str(asterisk.control.request("GET", f"channels/{channel_id}")["name"])


def test_a_call_from_outside(led: Asterisk, leading_service: Service) -> None:
    """The trunk's context is led too."""
    callee = Phone.answering(led, "1001", hang_up_after_ms=300)
    with callee, Phone.trunk_calling(led, "5551234", "49301001") as caller:
        assert caller.wait(), caller.explain()
    record = wait_for_status(leading_service, newest(leading_service)["id"], "ended")
    assert record["metadata"]["asterisk_context"] == "from-trunk"
    channel = record["metadata"]["asterisk_channel_id"]
    check_by_asterisk(led, leading_service, record["id"], channel)
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")


def test_a_call_to_outside(led: Asterisk, leading_service: Service) -> None:
    """It goes out by the trunk, with the number dialled, and is recorded like any other."""
    with Phone.carrier(led) as carrier:
        # Asterisk asks once a minute whether it is there, and calls nobody who was not.
        led.cli("pjsip qualify sky-genesis-trunk")
        path = "endpoints/PJSIP/sky-genesis-trunk"
        assert wait_until(
            lambda: led.control.request("GET", path)["state"] == "online", WAIT_SECONDS
        )
        with Phone.calling(led, "1002", "0301234", hang_up_after_ms=300) as caller:
            assert caller.wait(), caller.explain()
        assert carrier.wait(), carrier.explain()
    record = wait_for_status(leading_service, newest(leading_service)["id"], "ended")
    channel = record["metadata"]["asterisk_channel_id"]
    (detail,) = check_by_asterisk(led, leading_service, record["id"], channel)
    assert "INVITE sip:0301234@127.0.0.2" in carrier.messages()
    assert detail.called_channel.startswith("PJSIP/sky-genesis-trunk-")
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")


def test_numbers_that_may_not_be_called(led: Asterisk, leading_service: Service) -> None:
    """A denied number is refused with cause 21 before the trunk hears of it."""
    with Phone.calling(led, "1002", "0900123") as caller:
        assert caller.wait(), caller.explain()
    assert caller.statuses() == [401, 100, 403]
    assert causes(caller) == {21}
    record = wait_for_status(leading_service, newest(leading_service)["id"], "ended")
    assert record["hangup_cause"] == 21


def test_nobody_calls_out_from_outside(led: Asterisk, leading_service: Service) -> None:
    """A call over the trunk to a number of outside rings nobody but our own users."""
    with Phone.carrier(led, "busy") as carrier:
        with Phone.trunk_calling(led, "5551234", "0301234") as caller:
            assert caller.wait(), caller.explain()
        assert "< INVITE" not in carrier.conversation()
