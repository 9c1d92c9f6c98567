"""What tests of calls that the service leads have in common."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lab.asterisk import Asterisk
from lab.details import CallDetail, wait_for_detail
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service

# A busy machine sees a ring begin late, and does not write two records of one end at once.
ROOM_FOR_CLOCKS_MS = 300
WAIT_SECONDS = 10.0


def wait_for_status(service: Service, call_id: str, status: str) -> dict[str, Any]:
    """The record of a call once it has a status."""
    found = wait_until(lambda: service.call(call_id)["status"] == status, WAIT_SECONDS)
    assert found, (service.call(call_id), service.log()[-5:])
    return service.call(call_id)


def kinds(service: Service, call_id: str) -> list[str]:
    """What happened to a call, in order, by its log in the API; not how it sounded, told later."""
    told = (event["kind"] for event in service.events(call_id))
    return [kind for kind in told if kind != "measured"]


def ended_by(service: Service, call_id: str) -> str | None:
    """Who ended a call that is over, by its log."""
    end_of(service, call_id)
    (end,) = (event for event in service.events(call_id) if event["kind"] == "ended")
    who: str | None = end["facts"].get("ended_by")
    return who


def causes(phone: Phone) -> set[int]:
    """The Q.850 causes that Asterisk told a phone."""
    return {int(cause) for cause in re.findall(r"Reason: Q\.850;cause=(\d+)", phone.messages())}


def newest(service: Service) -> dict[str, Any]:
    """The record of the call that was created last."""
    records: list[dict[str, Any]] = service.request(
        "GET", "/calls?limit=1&since=2000-01-01T00:00:00Z"
    )
    return records[0]


def legs(asterisk: Asterisk, call: Mapping[str, Any]) -> list[str]:
    """The ids of the live channels that were made for a call, in the order of their making."""
    ids = (channel["id"] for channel in asterisk.control.channels())
    return sorted(each for each in ids if each.startswith(f"sge-{call['id']}-"))


def all_talk(asterisk: Asterisk, call: Mapping[str, Any]) -> bool:
    """Whether all legs of a call answer in time and audio flows both ways on each."""

    def are_up() -> bool:
        states = {each["id"]: each["state"] for each in asterisk.control.channels()}
        return all(states.get(leg) == "Up" for leg in legs(asterisk, call))

    found = wait_until(are_up, WAIT_SECONDS)
    return found and all(map(asterisk.wait_for_media, legs(asterisk, call)))


def end_of(service: Service, call_id: str) -> tuple[str, int | None, str | None]:
    """Status, cause and dial status of a call that is over."""
    record = wait_for_status(service, call_id, "ended")
    return record["status"], record["hangup_cause"], record["dial_status"]


def check_by_asterisk(
    asterisk: Asterisk, service: Service, call_id: str, *channels: str
) -> list[CallDetail]:
    """Hold the record of an answered call against Asterisk's own, of the channels that called.

    That of a placed call is the second phone's; of several the first has the call's answer and the
    last its end. Returns Asterisk's.
    """
    record = wait_for_status(service, call_id, "ended")
    told = [detail_of(asterisk, channel) for channel in channels]
    answered = min(each.answered for each in told if each.disposition == "ANSWERED")
    ended = max(each.ended for each in told)
    assert record["dial_status"] == "ANSWER"
    for moment, expected in (("answered_at", answered), ("end_time", ended)):
        at = datetime.fromisoformat(record[moment]).timestamp()
        assert abs(at - expected) * 1000 <= ROOM_FOR_CLOCKS_MS, (moment, record, told)
    talk_ms = round((ended - answered) * 1000)
    assert abs(record["answered_ms"] - talk_ms) <= ROOM_FOR_CLOCKS_MS, (record, told)
    return told


def detail_of(asterisk: Asterisk, channel_id: str) -> CallDetail:
    """Asterisk's own account of what a channel called."""
    return wait_for_detail(asterisk, channel_id)
