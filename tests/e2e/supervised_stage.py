"""A real Asterisk whose calls are registered over AGI and followed over AMI alone."""

import time
import urllib.request
from typing import Any

from led_calls import WAIT_SECONDS, detail_of, wait_for_status

from lab.asterisk import Asterisk
from lab.details import CallDetail
from lab.loopback import ask
from lab.processes import wait_until
from lab.service import Service, ami_settings

# Behind an 8 a number is registered, and then nobody says anything more of it over AGI; behind a 7
# nobody has said anything.
CONTEXTS = """
[sky-genesis-voip]
exten => _8XXXX,1,AGI(${SGE_AGI}/register?dialled=${EXTEN:1}&system=${SGE_SYSTEM})
 same => n,Dial(PJSIP/${EXTEN:1},${SGE_RING_SECONDS})
 same => n,Hangup(${HANGUPCAUSE})
exten => _7XXXX,1,Dial(PJSIP/${EXTEN:1},${SGE_RING_SECONDS})
"""


def supervised(asterisk: Asterisk, **settings: str) -> Service:
    """Start a service that follows the calls of an Asterisk, and wait until it does."""
    service = Service.start(
        {
            **ami_settings(asterisk),
            "SGE_RATE_LIMIT_PER_MINUTE": "0",
            **settings,
        }
    )
    try:
        watching(service)
        asterisk.set_global("SGE_AGI", service.agi)
    except BaseException:
        service.stop()
        raise
    return service


def watching(service: Service, times: int = 1) -> None:
    """Wait until the link to the manager interface is up, for the so-manieth time."""
    service.wait_for_log("link_state", times, seconds=30, link="ami", state="up")


def only_call(service: Service, status: str = "initiating") -> dict[str, Any]:
    """The one call that is under way, once it has a status, or a later one."""
    assert wait_until(lambda: bool(service.calls()), WAIT_SECONDS), service.log()[-5:]
    (call,) = service.calls()
    return call if status == "initiating" else wait_for_status(service, call["id"], status)


def whole(service: Service, call_id: str) -> dict[str, Any]:
    """The record of a call that is over, once the rest of its story is told."""
    assert wait_until(lambda: service.call(call_id)["dial_status"] is not None, WAIT_SECONDS), (
        service.events(call_id)
    )
    return service.call(call_id)


def account_of(asterisk: Asterisk, record: dict[str, Any]) -> CallDetail:
    """Asterisk's own account of a recorded call."""
    return detail_of(asterisk, record["metadata"]["asterisk_call_id"])


def not_registered(service: Service) -> list[str]:
    """The channels that an operator is shown as not registered."""
    key = service.command(
        "keys", "create", f"wallboard-{time.monotonic_ns()}", "--scope", "operator"
    )
    port = int(service.api.removeprefix("http://").partition("/")[0].rpartition(":")[2])
    headers = {"X-API-Key": key.split()[-1]}
    live = ask(port, "GET", "/api/v1/voip/asterisk/live", headers)
    return [each["channel_id"] for each in live["not_registered"]]


def measure(service: Service, name: str) -> float:
    """The sum of a measure's values now."""
    address = service.api.replace("/voip", "/metrics/prometheus")
    with urllib.request.urlopen(address, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
