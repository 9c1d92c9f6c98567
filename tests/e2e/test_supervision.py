"""Calls that the dialplan leads, followed over the manager interface of a real Asterisk.

Nothing but their registration comes over AGI here. What the record says of them is held against
Asterisk's call detail records.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from led_calls import ROOM_FOR_CLOCKS_MS, WAIT_SECONDS, kinds, newest, wait_for_status
from supervised_stage import (
    CONTEXTS,
    account_of,
    measure,
    not_registered,
    only_call,
    supervised,
    whole,
)

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service

pytestmark = pytest.mark.asterisk

AT_ONCE = 100


@pytest.fixture(scope="module")
def watched_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk of this module's own."""
    variables = {"SGE_RING_SECONDS": "1"}
    with Asterisk.start(variables=variables, extensions=CONTEXTS, root=lab_root) as running:
        yield running


@pytest.fixture(scope="module")
def watching_service(watched_asterisk: Asterisk) -> Iterator[Service]:
    """The service that follows its calls."""
    with supervised(watched_asterisk) as running:
        yield running


@pytest.fixture
def service(watched_asterisk: Asterisk, watching_service: Service) -> Iterator[Service]:
    """Return that service, and leave no channel behind."""
    yield watching_service
    for channel in watched_asterisk.control.channels():
        watched_asterisk.control.hang_up(channel["id"])
    assert watched_asterisk.wait_idle()


def agrees(asterisk: Asterisk, record: dict[str, Any], disposition: str) -> None:
    """Hold a record against Asterisk's own."""
    detail = account_of(asterisk, record)
    assert detail.disposition == disposition
    ended = datetime.fromisoformat(record["end_time"]).timestamp()
    assert ended == pytest.approx(detail.ended, abs=ROOM_FOR_CLOCKS_MS / 1000)
    assert record["duration_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)


def test_the_caller_hangs_up(watched_asterisk: Asterisk, service: Service) -> None:
    """Ringing, connected and ended, with cause and durations, all by events."""
    callee = Phone.answering(watched_asterisk, "1001", ring_ms=400)
    with callee, Phone.calling(watched_asterisk, "1002", "81001", hang_up_after_ms=500) as caller:
        call = only_call(service, "ringing")
        wait_for_status(service, call["id"], "connected")
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
    wait_for_status(service, call["id"], "ended")
    record = whole(service, call["id"])
    assert kinds(service, call["id"]) == ["adopted", "ringing", "accepted", "ended"]
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert record["ring_ms"] == pytest.approx(400, abs=ROOM_FOR_CLOCKS_MS)
    assert record["answered_ms"] == pytest.approx(500, abs=ROOM_FOR_CLOCKS_MS)
    agrees(watched_asterisk, record, "ANSWERED")


def test_the_callee_hangs_up(watched_asterisk: Asterisk, service: Service) -> None:
    """It has ended for the caller as well."""
    callee = Phone.answering(watched_asterisk, "1001", hang_up_after_ms=300)
    with callee, Phone.calling(watched_asterisk, "1002", "81001") as caller:
        call = only_call(service)
        assert callee.wait(), callee.explain()
        assert caller.wait(), caller.explain()
    record = whole(service, call["id"])
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    agrees(watched_asterisk, record, "ANSWERED")


def test_a_busy_phone(watched_asterisk: Asterisk, service: Service) -> None:
    """Nobody talked, and the caller heard why."""
    callee = Phone.busy(watched_asterisk, "1001")
    with callee, Phone.calling(watched_asterisk, "1002", "81001") as caller:
        assert caller.wait(), caller.explain()
    record = whole(service, newest(service)["id"])
    assert (record["hangup_cause"], record["dial_status"]) == (17, "BUSY")
    assert (record["ring_ms"], record["answered_ms"], record["duration_ms"]) == (None, None, 0)
    agrees(watched_asterisk, record, "BUSY")


def test_nobody_answers(watched_asterisk: Asterisk, service: Service) -> None:
    """The phone rang for as long as the dialplan lets it."""
    callee = Phone.not_answering(watched_asterisk, "1001")
    with callee, Phone.calling(watched_asterisk, "1002", "81001") as caller:
        call = only_call(service, "ringing")
        assert caller.wait(), caller.explain()
    record = whole(service, call["id"])
    assert (record["dial_status"], record["answered_ms"]) == ("NOANSWER", None)
    assert record["ring_ms"] == pytest.approx(1000, abs=ROOM_FOR_CLOCKS_MS)
    agrees(watched_asterisk, record, "NO ANSWER")


def test_the_caller_gives_up(watched_asterisk: Asterisk, service: Service) -> None:
    """He cancels while it rings."""
    callee = Phone.not_answering(watched_asterisk, "1001")
    with callee, Phone.calling(watched_asterisk, "1002", "81001", cancel_after_ms=300) as caller:
        call = only_call(service)
        assert caller.wait(), caller.explain()
    record = whole(service, call["id"])
    assert (record["hangup_cause"], record["dial_status"]) == (16, "CANCEL")
    assert record["ring_ms"] == pytest.approx(300, abs=ROOM_FOR_CLOCKS_MS)
    agrees(watched_asterisk, record, "NO ANSWER")


def test_hold(watched_asterisk: Asterisk, service: Service) -> None:
    """A phone that holds and takes back makes the call on hold and connected again."""
    callee = Phone.holding(watched_asterisk, "1001", after_ms=400)
    with callee, Phone.calling(watched_asterisk, "1002", "81001", hang_up_after_ms=1500) as caller:
        call = only_call(service, "on_hold")
        wait_for_status(service, call["id"], "connected")
        assert caller.wait(), caller.explain()
    record = whole(service, call["id"])
    assert kinds(service, call["id"])[-4:] == ["accepted", "held", "resumed", "ended"]
    agrees(watched_asterisk, record, "ANSWERED")


def test_the_shipped_dialplan_says_the_same(watched_asterisk: Asterisk, service: Service) -> None:
    """Who says it first, AGI or AMI, makes no difference: each step is in the log once."""
    callee = Phone.answering(watched_asterisk, "1001", ring_ms=400)
    with callee, Phone.calling(watched_asterisk, "1002", "1001", hang_up_after_ms=500) as caller:
        call = only_call(service, "ringing")
        assert caller.wait(), caller.explain()
    record = whole(service, call["id"])
    assert kinds(service, call["id"]) == ["adopted", "ringing", "accepted", "ended"]
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    agrees(watched_asterisk, record, "ANSWERED")


def test_a_call_that_nobody_registered(watched_asterisk: Asterisk, service: Service) -> None:
    """It is named in the log, counted and shown, the phone that was called is not."""
    before = measure(service, "sge_voip_calls_not_registered_total")
    callee = Phone.answering(watched_asterisk, "1001")
    with callee, Phone.calling(watched_asterisk, "1002", "71001") as caller:
        line = service.wait_for_log("call_not_registered", seconds=30)
        shown = not_registered(service)
        assert wait_until(lambda: len(watched_asterisk.control.channels()) == 2, WAIT_SECONDS)
        for channel in watched_asterisk.control.channels():
            watched_asterisk.control.hang_up(channel["id"])
        assert caller.wait(), caller.explain()
    assert line["context"] == "sky-genesis-voip"
    assert shown == [line["unique_id"]]
    assert measure(service, "sge_voip_calls_not_registered_total") == before + 1
    assert wait_until(lambda: not_registered(service) == [], WAIT_SECONDS)


def test_many_calls_at_once(watched_asterisk: Asterisk, service: Service) -> None:
    """A hundred calls are told apart, and all of them end as they went."""
    control = watched_asterisk.control
    dropped = measure(service, "sge_voip_drops_total")
    with Phone.answering_many(watched_asterisk, "1001", AT_ONCE) as callee:
        with ThreadPoolExecutor(10) as askers:

            def place(_number: int) -> str:
                return control.originate(
                    "Local/81001@sky-genesis-voip/n", context="lab", extension="wait"
                )

            channels = list(askers.map(place, range(AT_ONCE)))
            assert wait_until(
                lambda: [call["status"] for call in service.calls()] == ["connected"] * AT_ONCE, 30
            ), Counter(call["status"] for call in service.calls())
            records = service.calls()
            list(askers.map(control.hang_up, channels))
        assert callee.wait(), callee.explain()
    stories = [whole(service, record["id"]) for record in records]
    assert {(each["status"], each["dial_status"]) for each in stories} == {("ended", "ANSWER")}
    for story in stories[:10]:
        agrees(watched_asterisk, story, "ANSWERED")
    assert measure(service, "sge_voip_drops_total") == dropped
    assert service.calls() == []
