"""What becomes of calls when the service, Asterisk or the socket between them goes away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
    kinds,
    legs,
    newest,
    wait_for_status,
)

from lab.asterisk import Asterisk
from lab.errors import CommandError
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings
from lab.transfers import answering_to_transfer, extension

pytestmark = pytest.mark.asterisk

AT_ONCE = 100

IDLE_LOOK_SECONDS = 60.0
"""The upkeep looks every 30 s."""


@pytest.fixture
def service(led_asterisk: Asterisk, lab_root: Root) -> Iterator[Service]:
    """A service of the test's own, which may be killed."""
    settings = {**ari_settings(led_asterisk), "SGE_RATE_LIMIT_PER_MINUTE": "0"}
    with Service.start(settings) as running:
        running.wait_for_log("link_state", state="up")
        led_asterisk.set_global("SGE_AGI", running.agi)
        yield running
        for channel in led_asterisk.control.channels():
            led_asterisk.control.hang_up(channel["id"])
        assert led_asterisk.wait_idle()
        assert wait_until(lambda: led_asterisk.control.request("GET", "bridges") == [], 10)


def start_again(service: Service) -> None:
    """Start the service that was killed, and wait until it leads calls."""
    service.start_again()
    service.wait_for_log("link_state", state="up")


def test_the_service_is_killed_in_mid_call(led_asterisk: Asterisk, service: Service) -> None:
    """They go on talking; its successor leads both calls on and records their true ends."""
    first, second = Phone.talking(led_asterisk, "1001"), Phone.answering(led_asterisk, "1002")
    with first, second:
        call = service.place("SIP/1001", "SIP/1002")
        wait_for_status(service, call["id"], "connected")
        service.kill()
        assert all_talk(led_asterisk, call)
        start_again(service)
        assert service.call(call["id"])["status"] == "connected"
        service.request("POST", f"/calls/{call['id']}/hold")
        service.request("POST", f"/calls/{call['id']}/unhold")
        led_asterisk.control.hang_up(legs(led_asterisk, call)[0])
        assert second.wait(), second.explain()
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert kinds(service, call["id"])[-3:] == ["held", "resumed", "ended"]
    check_by_asterisk(led_asterisk, service, call["id"], f"sge-{call['id']}-1")
    assert causes(second) == {16}


def test_an_arrived_call_survives_the_service(led_asterisk: Asterisk, service: Service) -> None:
    """The same for a call that came by the dialplan."""
    callee = Phone.talking(led_asterisk, "1001")
    with callee, Phone.calling(led_asterisk, "1002", "1001") as caller:
        assert wait_until(lambda: bool(service.calls()), WAIT_SECONDS)
        (call,) = service.calls()
        wait_for_status(service, call["id"], "connected")
        service.kill()
        start_again(service)
        assert service.call(call["id"])["status"] == "connected"
        service.request("POST", f"/calls/{call['id']}/end")
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    channel = call["metadata"]["asterisk_channel_id"]
    check_by_asterisk(led_asterisk, service, call["id"], channel)


def test_a_transferred_call_survives_the_service(led_asterisk: Asterisk, service: Service) -> None:
    """Both calls that a phone's transfer made go on, and end as one hangs up."""
    to = extension(led_asterisk, "1004")
    with (
        Phone.talking(led_asterisk, "1001") as first,
        Phone.answering(led_asterisk, "1004") as third,
    ):
        with answering_to_transfer(led_asterisk, "1002", to=to) as phone:
            call = service.place("SIP/1001", "SIP/1002")
            assert phone.wait(), phone.explain()
        assert wait_until(lambda: newest(service)["id"] != call["id"], WAIT_SECONDS)
        second = wait_for_status(service, newest(service)["id"], "connected")
        service.kill()
        start_again(service)
        for each in (call, second):
            assert service.call(each["id"])["status"] == "connected"
            assert all_talk(led_asterisk, each)
        led_asterisk.control.hang_up(legs(led_asterisk, call)[0])
        assert first.wait(), first.explain()
        assert third.wait(), third.explain()
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    assert end_of(service, second["id"]) == ("ended", 16, "ANSWER")


def test_a_phone_hangs_up_while_the_service_is_away(
    led_asterisk: Asterisk, service: Service
) -> None:
    """The other one is hung up when it is back, and the record says that the end was not seen."""
    first = Phone.talking(led_asterisk, "1001")
    with first, Phone.answering(led_asterisk, "1002", hang_up_after_ms=1000) as second:
        call = service.place("SIP/1001", "SIP/1002")
        wait_for_status(service, call["id"], "connected")
        service.kill()
        assert second.wait(), second.explain()
        start_again(service)
        assert first.wait(), first.explain()
    record = wait_for_status(service, call["id"], "ended")
    (end,) = (event for event in service.events(call["id"]) if event["kind"] == "ended")
    assert end["facts"] == {"reason": "lost"}
    detail = detail_of(led_asterisk, f"sge-{call['id']}-1")
    answered = datetime.fromisoformat(record["answered_at"]).timestamp()
    assert answered == pytest.approx(detail.answered, abs=ROOM_FOR_CLOCKS_MS / 1000)
    assert datetime.fromisoformat(record["end_time"]).timestamp() >= detail.ended


@pytest.mark.usefixtures("lab_root")
def test_idle_calls(led_asterisk: Asterisk) -> None:
    """A call between users that nobody takes is ended after a while, one that is on a phone not."""
    limits = {"SGE_IDLE_RINGING_SECONDS": "1", "SGE_IDLE_CALL_SECONDS": "1"}
    rings, talks = Phone.not_answering(led_asterisk, "1001"), Phone.talking(led_asterisk, "1002")
    with rings, talks, Service.start({**ari_settings(led_asterisk), **limits}) as service:
        service.wait_for_log("link_state", state="up")
        calls = [service.place(each) for each in ("bob", "SIP/1001", "SIP/1002")]
        wait_for_status(service, calls[2]["id"], "connected")
        service.wait_for_log(
            "call_ended_by_upkeep", call=calls[0]["id"], reason="idle", seconds=IDLE_LOOK_SECONDS
        )
        statuses = [service.call(call["id"])["status"] for call in calls]
        assert statuses == ["ended", "ringing", "connected"]
        for call in calls[1:]:
            service.request("POST", f"/calls/{call['id']}/end")
        assert rings.wait(), rings.explain()
        assert talks.wait(), talks.explain()
    assert led_asterisk.wait_idle()


def test_calls_without_the_service(led_asterisk: Asterisk, service: Service) -> None:
    """The dialplan dials by itself: no call dies because we are down."""
    service.kill()
    callee = Phone.answering(led_asterisk, "1001", ring_ms=200)
    with callee, Phone.calling(led_asterisk, "1002", "1001", hang_up_after_ms=300) as caller:
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
    assert caller.statuses() == [401, 100, 180, 200, 200]
    service.start_again()


def test_the_socket_is_cut_in_mid_call(led_asterisk: Asterisk, service: Service) -> None:
    """The call goes on, and its end is seen on the next socket."""
    first, second = Phone.talking(led_asterisk, "1001"), Phone.answering(led_asterisk, "1002")
    with first, second:
        call = service.place("SIP/1001", "SIP/1002")
        wait_for_status(service, call["id"], "connected")
        led_asterisk.cli("ari shutdown websocket sessions")
        service.wait_for_log("link_state", 2, state="up")
        assert service.call(call["id"])["status"] == "connected"
        led_asterisk.control.hang_up(legs(led_asterisk, call)[1])
        assert first.wait(), first.explain()
    assert end_of(service, call["id"]) == ("ended", 16, "ANSWER")
    check_by_asterisk(led_asterisk, service, call["id"], f"sge-{call['id']}-1")


def test_many_calls_at_once(led_asterisk: Asterisk, service: Service) -> None:
    """A hundred calls are placed together, connected, told apart, and all ended."""
    first = Phone.answering_many(led_asterisk, "1001", AT_ONCE)
    with first, Phone.answering_many(led_asterisk, "1002", AT_ONCE) as second:
        with ThreadPoolExecutor(20) as askers:
            both = ["SIP/1001"] * AT_ONCE, ["SIP/1002"] * AT_ONCE
            placed = list(askers.map(service.place, *both))
            for call in placed:
                wait_for_status(service, call["id"], "connected")
            assert len(led_asterisk.control.request("GET", "bridges")) == AT_ONCE
            ends = [f"/calls/{call['id']}/end" for call in placed]
            list(askers.map(service.request, ["POST"] * AT_ONCE, ends))
        assert first.wait(), first.explain()
        assert second.wait(), second.explain()
    assert {end_of(service, call["id"]) for call in placed} == {("ended", 16, "ANSWER")}
    assert led_asterisk.wait_idle()
    for call in placed:
        check_by_asterisk(led_asterisk, service, call["id"], f"sge-{call['id']}-1")
    assert service.calls() == []


def test_asterisk_is_restarted_in_mid_call(led_asterisk: Asterisk, service: Service) -> None:
    """It hangs up and the call has ended; the next one is placed as if nothing had been."""
    first, second = Phone.talking(led_asterisk, "1001"), Phone.answering(led_asterisk, "1002")
    with first, second:
        call = service.place("SIP/1001", "SIP/1002")
        wait_for_status(service, call["id"], "connected")
        before = len(led_asterisk.log())
        with suppress(CommandError):  # nobody is left to answer
            led_asterisk.cli("core restart now")
        led_asterisk.wait_for_log("Asterisk Ready", seconds=30, after=before)
        wait_for_status(service, call["id"], "ended")
    check_by_asterisk(led_asterisk, service, call["id"], f"sge-{call['id']}-1")
    service.wait_for_log("link_state", 2, state="up")
    with Phone.answering(led_asterisk, "1001", hang_up_after_ms=200) as phone:
        again = service.place("SIP/1001")
        assert phone.wait(), phone.explain()
    assert end_of(service, again["id"]) == ("ended", 16, "ANSWER")
