"""The whole: phones, Asterisk, the dialplan, the service and its embedded API, nothing faked.

What the record of a call says at the end is held against what Asterisk says (the variables of the
channel, its call detail record) and what the phones heard (the Q.850 cause in SIP's Reason).
"""

import re
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest
from account import Account, wait_for_account

from lab.asterisk import Asterisk
from lab.details import wait_for_detail
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service

pytestmark = pytest.mark.asterisk

# A busy machine sees a ring begin late, and does not write two records of one end at once.
ROOM_FOR_CLOCKS_MS = 300


def placed(
    asterisk: Asterisk,
    service: Service,
    callee: AbstractContextManager[Phone],
    **caller: int,
) -> tuple[Account, dict[str, Any], Phone]:
    """Call 1001 to the end; what the channel and the record say, and the caller's phone."""
    before = len(asterisk.log())
    with callee, Phone.calling(asterisk, "1002", "91001", **caller) as phone:
        assert phone.wait(), phone.explain()
        account = wait_for_account(asterisk, after=before)
    return account, service.call(account.call_id), phone


def causes(phone: Phone) -> set[int]:
    """The Q.850 causes that Asterisk told a phone."""
    return {int(cause) for cause in re.findall(r"Reason: Q\.850;cause=(\d+)", phone.messages())}


def kinds(service: Service, call_id: str) -> list[str]:
    """What happened to a call, in order, by its log in the API."""
    return [event["kind"] for event in service.events(call_id)]


def wait_for_status(service: Service, call_id: str, status: str) -> dict[str, Any]:
    """The record of a call once it has a status."""
    assert wait_until(lambda: service.call(call_id)["status"] == status, 10), service.call(call_id)
    return service.call(call_id)


def callers_channel(asterisk: Asterisk) -> str:
    """The id of the live channel of 1002, waiting for it to be registered."""

    def found() -> list[str]:
        return [
            channel["id"]
            for channel in asterisk.control.channels()
            if channel["name"].startswith("PJSIP/1002")
            and asterisk.control.variable(channel["id"], "SGE_CALL_ID")
        ]

    assert wait_until(lambda: bool(found()), 10), asterisk.log()[-3000:]
    return found()[0]


def test_the_record_follows_the_call(asterisk: Asterisk, service: Service) -> None:
    """It is initiating while the phone rings, connected while they talk, ended afterwards."""
    before = len(asterisk.log())
    callee = Phone.answering(asterisk, "1001", ring_ms=3000)
    with callee, Phone.calling(asterisk, "1002", "91001") as caller:
        channel = callers_channel(asterisk)
        read = asterisk.control.variable
        names = ("SGE_STATUS", "SGE_CHANNEL_ID", "SGE_ERROR", "SGE_ERROR_CODE", "SGE_CALL_ID")
        status, channel_id, error, code, call_id = (read(channel, name) for name in names)
        rings = service.call(call_id)
        connected = wait_for_status(service, call_id, "connected")
        assert asterisk.wait_for_media(channel)
        asterisk.control.hang_up(channel)
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
        wait_for_account(asterisk, after=before)
    ended = service.call(call_id)
    assert (status, channel_id, error, code) == ("REGISTERED", channel, "", "")
    assert [rings["status"], connected["status"], ended["status"]] == [
        "initiating",
        "connected",
        "ended",
    ]
    assert connected["answered_at"] == ended["answered_at"]
    assert kinds(service, call_id) == ["adopted", "accepted", "ended"]
    assert call_id not in {call["id"] for call in service.calls()}


def test_the_record_says_who_called_whom(asterisk: Asterisk, service: Service) -> None:
    """Participants and metadata are those of the channel, in the words of the contract."""
    account, record, _ = placed(asterisk, service, Phone.busy(asterisk, "1001"))
    metadata = record["metadata"]
    channel = metadata.pop("asterisk_caller_channel")
    assert record["participants"] == ["SIP/1001"]
    assert record["call_type"] == "audio"
    assert re.fullmatch(r"PJSIP/1002-[0-9a-f]{8}", channel)
    assert metadata == {
        "asterisk_call_id": account.unique_id,
        "asterisk_channel_id": account.unique_id,
        "asterisk_linked_id": account.unique_id,
        "asterisk_context": "sky-genesis-voip",
        "asterisk_dialled_number": "1001",
        "asterisk_system": "pbx1",
        "caller_id": "1002",
        "caller_name": "User 1002",
    }


def test_the_caller_hangs_up(asterisk: Asterisk, service: Service) -> None:
    """Cause 16, ANSWER, and the durations that Asterisk measured."""
    callee = Phone.answering(asterisk, "1001", ring_ms=700)
    account, record, _ = placed(asterisk, service, callee, hang_up_after_ms=700)
    detail = wait_for_detail(asterisk, account.unique_id)
    assert (account.dial_status, account.hangup_cause) == ("ANSWER", 16)
    assert (record["status"], record["dial_status"], record["hangup_cause"]) == (
        "ended",
        "ANSWER",
        16,
    )
    assert record["answered_ms"] == record["duration_ms"] == account.talk_ms
    assert record["ring_ms"] == account.ring_ms
    assert record["ring_ms"] >= 700 - ROOM_FOR_CLOCKS_MS
    assert detail.disposition == "ANSWERED"
    assert record["answered_ms"] == pytest.approx(detail.talk_ms, abs=ROOM_FOR_CLOCKS_MS)
    assert kinds(service, record["id"]) == ["adopted", "accepted", "ended"]


def test_the_callee_hangs_up(asterisk: Asterisk, service: Service) -> None:
    """The same as when the caller does; the caller's phone is told cause 16."""
    callee = Phone.answering(asterisk, "1001", hang_up_after_ms=300)
    account, record, caller = placed(asterisk, service, callee)
    detail = wait_for_detail(asterisk, account.unique_id)
    assert (record["status"], record["dial_status"], record["hangup_cause"]) == (
        "ended",
        "ANSWER",
        16,
    )
    assert record["answered_ms"] == record["duration_ms"] == account.talk_ms
    assert record["ring_ms"] == account.ring_ms
    assert detail.disposition == "ANSWERED"
    assert detail.called_channel.startswith("PJSIP/1001-")
    assert causes(caller) == {16}


def test_the_moments_of_the_record_are_those_of_the_pbx(
    asterisk: Asterisk, service: Service
) -> None:
    """Created before it was answered before it ended, as far apart as Asterisk says."""
    callee = Phone.answering(asterisk, "1001", ring_ms=200)
    account, record, _ = placed(asterisk, service, callee, hang_up_after_ms=200)
    start, answered, end = (
        datetime.fromisoformat(record[name]) for name in ("start_time", "answered_at", "end_time")
    )
    assert start < answered < end
    assert account.talk_ms is not None
    # It was answered before the two were connected: the dialplan tells SGE in between.
    assert (end - answered).total_seconds() * 1000 >= account.talk_ms - ROOM_FOR_CLOCKS_MS


def test_the_callee_is_busy(asterisk: Asterisk, service: Service) -> None:
    """Cause 17 for the record and for the caller's phone; nothing rang."""
    account, record, caller = placed(asterisk, service, Phone.busy(asterisk, "1001"))
    assert (record["status"], record["dial_status"], record["hangup_cause"]) == (
        "ended",
        "BUSY",
        17,
    )
    assert (record["ring_ms"], record["answered_ms"], record["duration_ms"]) == (None, None, 0)
    assert wait_for_detail(asterisk, account.unique_id).disposition == "BUSY"
    assert causes(caller) == {17}
    assert kinds(service, record["id"]) == ["adopted", "ended"]


def test_nobody_answers(asterisk: Asterisk, service: Service) -> None:
    """Cause 19 after the time that the phone was left to ring."""
    asterisk.set_global("SGE_RING_SECONDS", "1")
    account, record, caller = placed(asterisk, service, Phone.not_answering(asterisk, "1001"))
    assert (record["status"], record["dial_status"], record["hangup_cause"]) == (
        "ended",
        "NOANSWER",
        19,
    )
    assert (record["answered_ms"], record["answered_at"], record["duration_ms"]) == (None, None, 0)
    assert record["ring_ms"] >= 1000 - ROOM_FOR_CLOCKS_MS
    assert wait_for_detail(asterisk, account.unique_id).disposition == "NO ANSWER"
    assert causes(caller) == {19}


def test_the_caller_gives_up(asterisk: Asterisk, service: Service) -> None:
    """CANCEL, with the cause that Asterisk has for it, and how long it rang."""
    callee = Phone.not_answering(asterisk, "1001")
    account, record, _ = placed(asterisk, service, callee, cancel_after_ms=700)
    assert account.dial_status == "CANCEL"
    assert (record["status"], record["dial_status"]) == ("ended", "CANCEL")
    assert record["hangup_cause"] == account.hangup_cause
    assert record["ring_ms"] >= 700 - ROOM_FOR_CLOCKS_MS
    assert (record["answered_ms"], record["duration_ms"]) == (None, 0)
    assert wait_for_detail(asterisk, account.unique_id).disposition == "NO ANSWER"


def test_an_extension_that_does_not_exist(asterisk: Asterisk, service: Service) -> None:
    """CHANUNAVAIL and cause 20: nothing was there to ring."""
    before = len(asterisk.log())
    with Phone.calling(asterisk, "1002", "91999") as caller:
        assert caller.wait(), caller.explain()
        account = wait_for_account(asterisk, after=before)
    record = service.call(account.call_id)
    assert record["participants"] == ["SIP/1999"]
    assert (record["status"], record["dial_status"], record["hangup_cause"]) == (
        "ended",
        "CHANUNAVAIL",
        20,
    )
    assert (record["ring_ms"], record["answered_ms"]) == (None, None)
    assert causes(caller) == {20}


def test_a_call_from_the_trunk(asterisk: Asterisk, service: Service) -> None:
    """A call from outside has the number that was called and its own context in the record."""

    def active() -> list[dict[str, Any]]:
        return [call for call in service.calls() if call["metadata"]["caller_id"] == "5551234"]

    callee = Phone.answering(asterisk, "1001")
    with callee, Phone.trunk_calling(asterisk, "5551234", "49301001") as caller:
        assert wait_until(lambda: bool(active()), 10), asterisk.log()[-3000:]
        call_id = active()[0]["id"]
        connected = wait_for_status(service, call_id, "connected")
        asterisk.control.hang_up(connected["metadata"]["asterisk_channel_id"])
        assert caller.wait(), caller.explain()
        record = wait_for_status(service, call_id, "ended")
    assert record["participants"] == ["SIP/1001"]
    assert record["metadata"]["asterisk_dialled_number"] == "49301001"
    assert record["metadata"]["asterisk_context"] == "from-trunk"
    assert (record["dial_status"], record["hangup_cause"]) == ("ANSWER", 16)


def test_asterisk_has_nothing_to_complain_of(asterisk: Asterisk, service: Service) -> None:
    """A call that goes well, and one that nobody answers, leave no warning in Asterisk's log."""
    before = len(asterisk.complaints())
    asterisk.set_global("SGE_RING_SECONDS", "1")
    placed(asterisk, service, Phone.answering(asterisk, "1001"), hang_up_after_ms=50)
    placed(asterisk, service, Phone.not_answering(asterisk, "1001"))
    assert asterisk.complaints()[before:] == []
