"""Phones that transfer whom they talk to, on the real Asterisk; those talk on, in two calls.

Asterisk puts a Local channel in the place of the phone that leaves: the first call goes on with
that one, which leads to the second. Both records are held against Asterisk's own.
"""

from typing import Any

import pytest
from led_calls import (
    ROOM_FOR_CLOCKS_MS,
    WAIT_SECONDS,
    causes,
    detail_of,
    end_of,
    ended_by,
    kinds,
    legs,
    newest,
    wait_for_status,
)

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service
from lab.transfers import answering_to_transfer, extension, talk_of, transferring

pytestmark = pytest.mark.asterisk


def the_other(service: Service, call: dict[str, Any]) -> dict[str, Any]:
    """The record of the call that a transfer made, once its phone has answered."""
    assert wait_until(lambda: newest(service)["id"] != call["id"], WAIT_SECONDS)
    return wait_for_status(service, newest(service)["id"], "connected")


def only_call(service: Service) -> dict[str, Any]:
    """The one call there is, connected."""
    assert wait_until(lambda: bool(service.calls()), WAIT_SECONDS)
    (call,) = service.calls()
    return wait_for_status(service, call["id"], "connected")


def transfer_of(service: Service, call: dict[str, Any]) -> dict[str, Any]:
    """What the log says of the transfer out of a call."""
    (event,) = (e for e in service.events(call["id"]) if e["kind"] == "transferred")
    assert event["actor"] == "asterisk"
    facts: dict[str, Any] = event["facts"]
    return facts


def test_the_caller_transfers(led: Asterisk, leading_service: Service) -> None:
    """The phone called by the first talks to the third; both calls end when one of them goes."""
    service = leading_service
    with Phone.talking(led, "1001") as callee, Phone.answering(led, "1004") as third:
        with transferring(led, "1002", "1001", to=extension(led, "1004")) as phone:
            call = only_call(service)
            assert phone.wait(), phone.explain()
        second = the_other(service, call)
        assert service.call(call["id"])["status"] == "connected"
        assert led.wait_for_media(legs(led, call)[0])
        assert led.wait_for_media(legs(led, second)[0])
        assert second["participants"] == ["SIP/1004"]
        led.control.hang_up(legs(led, call)[0])
        assert callee.wait(), callee.explain()
        assert third.wait(), third.explain()
    assert transfer_of(service, call) == {"participant": "1002", "to": "1004"}
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert end_of(service, second["id"]) == ("ended", 16, "ANSWER")
    detail = detail_of(led, second["metadata"]["asterisk_channel_id"])
    record = service.call(second["id"])
    assert detail.disposition == "ANSWERED"
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)


def test_the_callee_transfers(led: Asterisk, leading_service: Service) -> None:
    """The same out of a call that the API placed, ended by the third phone."""
    service = leading_service
    third = Phone.answering(led, "1004", hang_up_after_ms=1500)
    with Phone.talking(led, "1001") as first, third:
        with answering_to_transfer(led, "1002", to=extension(led, "1004")) as phone:
            call = service.place("SIP/1001", "SIP/1002")
            wait_for_status(service, call["id"], "connected")
            assert phone.wait(), phone.explain()
        second = the_other(service, call)
        assert led.wait_for_media(legs(led, call)[0])
        assert third.wait(), third.explain()
        assert first.wait(), first.explain()
    assert transfer_of(service, call) == {"participant": "SIP/1002", "to": "1004"}
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert end_of(service, second["id"]) == ("ended", 16, "ANSWER")
    assert ended_by(service, second["id"]) == "callee"
    assert causes(first) == {16}


def test_a_transfer_to_a_busy_phone(led: Asterisk, leading_service: Service) -> None:
    """Who was transferred hears that it is busy, and both records say so."""
    service = leading_service
    with Phone.talking(led, "1001") as first, Phone.busy(led, "1004"):
        with answering_to_transfer(led, "1002", to=extension(led, "1004")) as phone:
            call = service.place("SIP/1001", "SIP/1002")
            assert phone.wait(), phone.explain()
        assert first.wait(), first.explain()
    assert end_of(service, call["id"]) == ("ended", 17, "ANSWER")
    assert end_of(service, newest(service)["id"]) == ("ended", 17, "BUSY")
    assert causes(first) == {17}


def test_two_calls_are_joined(led: Asterisk, leading_service: Service) -> None:
    """A phone with two calls joins their far ends and leaves both; each call goes on."""
    service = leading_service
    with Phone.talking(led, "1001") as first, Phone.answering(led, "1004") as third:
        with Phone(led, "1002").place("call-talk", "1004") as consulting:
            asked = only_call(service)
            assert wait_until(lambda: "< 200" in consulting.conversation(), WAIT_SECONDS)
            with answering_to_transfer(led, "1002", to=talk_of(consulting)) as phone:
                call = service.place("SIP/1001", "SIP/1002")
                wait_for_status(service, call["id"], "connected")
                assert phone.wait(), phone.explain()
                assert consulting.wait(), consulting.explain()
        assert wait_until(lambda: "transferred" in kinds(service, call["id"]), WAIT_SECONDS)
        assert wait_until(lambda: "transferred" in kinds(service, asked["id"]), WAIT_SECONDS)
        assert led.wait_for_media(legs(led, call)[0])
        assert led.wait_for_media(legs(led, asked)[0])
        assert {each["id"] for each in service.calls()} == {call["id"], asked["id"]}
        led.control.hang_up(legs(led, asked)[0])
        assert third.wait(), third.explain()
        assert first.wait(), first.explain()
    assert transfer_of(service, call) == {"participant": "SIP/1002"}
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert end_of(service, asked["id"]) == ("ended", 16, "ANSWER")
    detail = detail_of(led, asked["metadata"]["asterisk_channel_id"])
    assert detail.disposition == "ANSWERED"


def test_a_member_transfers_a_room(led: Asterisk, leading_service: Service) -> None:
    """A phone that leaves a room for others to talk to a third: its seat is the way there."""
    service = leading_service
    body = {"name": "E2E", "max_participants": 4, "number": "321"}
    room = service.request("POST", "/rooms", body)

    def agrees(members: int) -> bool:
        roster = service.request("GET", f"/rooms/{room['id']}")["members"]
        present = {each["channel_id"] for each in roster if each["state"] == "present"}
        bridge = led.control.request("GET", f"bridges/sge-room-{room['id']}")
        return len(present) == members and present == set(bridge["channels"])

    third = Phone.answering(led, "1004")
    with third, Phone(led, "1001").place("call-talk", "9321") as staying:
        assert wait_until(lambda: agrees(1), WAIT_SECONDS)
        to = extension(led, "1004")
        with transferring(led, "1002", "9321", to=to, after_ms=800) as phone:
            assert wait_until(lambda: agrees(2), WAIT_SECONDS)
            before = {each["id"] for each in led.control.channels()}
            assert phone.wait(), phone.explain()
        second = only_call(service)
        assert led.wait_for_media(legs(led, second)[0])
        assert wait_until(lambda: agrees(2), WAIT_SECONDS)
        left = before - {each["id"] for each in led.control.channels()}
        assert len(left) == 1
        led.control.hang_up(legs(led, second)[0])
        assert third.wait(), third.explain()
        assert wait_until(lambda: agrees(1), WAIT_SECONDS)
        service.request("POST", f"/rooms/{room['id']}/close")
        assert staying.wait(), staying.explain()
    assert end_of(service, second["id"]) == ("ended", 16, "ANSWER")
