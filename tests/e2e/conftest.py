"""The real Asterisk that the end-to-end tests share."""

import os
from collections.abc import Iterator

import pytest

from lab.asterisk import Asterisk
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings

# Extensions that only the tests dial. Each ends in a wait, so that the test can look at the
# variables of a live channel, which ARI knows by its id.
CONTEXTS = """
[test-wrapper]
exten => _X.,1,Answer()
 same => n,Gosub(sge-register,s,1)
 same => n,Set(WRAPPER=${GOSUB_RETVAL})
 same => n,Wait(60)

[test-arguments]
exten => _X.,1,Answer()
 same => n,Gosub(sge-register,s,1(PJSIP/room-7,video,+49 30&1001))
 same => n,Gosub(sge-register,s,1(PJSIP/room-7,video,+49 30&1001))
 same => n,Set(WRAPPER=${GOSUB_RETVAL})
 same => n,Wait(60)

[test-script]
exten => plain,1,Answer()
 same => n,Set(ENV(SGE_AGI_ADDRESS)=${SGE_AGI})
 same => n,AGI(sge-voip-integration.py)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => arguments,1,Answer()
 same => n,AGI(sge-voip-integration.py,register?participant=SIP%2F1002,${SGE_AGI},one,two)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => nobody,1,Answer()
 same => n,AGI(sge-voip-integration.py,register,127.0.0.1:1)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)

; A number behind a 9 is the number itself, with a last word of the channel in the log.
[sky-genesis-voip]
exten => _9XXXX,1,Set(CHANNEL(hangup_handler_push)=test-account,s,1)
 same => n,Goto(${EXTEN:1},1)

[test-account]
exten => s,1,Set(DIAL=${DIALSTATUS}|${HANGUPCAUSE}|${RINGTIME_MS}|${DIALEDTIME_MS})
 same => n,Verbose(0,ACCOUNT ${UNIQUEID}|${SGE_STATUS}|${SGE_CALL_ID}|${DIAL}|${ANSWEREDTIME_MS}|)
 same => n,Return()

[test-routes]
exten => life,1,Answer()
 same => n,Gosub(sge-register,s,1(SIP/1001))
 same => n,AGI(${SGE_AGI}/status,${SGE_CALL_ID})
 same => n,Set(FIRST=${SGE_CALL_STATUS})
 same => n,AGI(${SGE_AGI}/accept,${SGE_CALL_ID},${UNIQUEID},${SGE_SYSTEM})
 same => n,AGI(${SGE_AGI}/status?call=${SGE_CALL_ID})
 same => n,Set(SECOND=${SGE_CALL_STATUS})
 same => n,AGI(${SGE_AGI}/end?system=${SGE_SYSTEM})
 same => n,AGI(${SGE_AGI}/status?call=${SGE_CALL_ID})
 same => n,Set(THIRD=${SGE_CALL_STATUS})
 same => n,AGI(${SGE_AGI}/accept?call=${SGE_CALL_ID}&uniqueid=${UNIQUEID}&system=${SGE_SYSTEM})
 same => n,Set(TOO_LATE=${SGE_STATUS}:${SGE_ERROR_CODE})
 same => n,AGI(${SGE_AGI}/status?call=no-such-call)
 same => n,Set(AFTER=${SGE_CALL_STATUS}:${SGE_STATUS}:${SGE_ERROR_CODE}:${AGISTATUS})
 same => n,Wait(60)
exten => plain,1,Answer()
 same => n,AGI(${SGE_AGI},SIP/1001,video)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => twice,1,Answer()
 same => n,Set(ENV(SGE_AGI_ADDRESS)=${SGE_AGI})
 same => n,AGI(sge-voip-integration.py,register?system=${SGE_SYSTEM})
 same => n,Set(FIRST=${SGE_CALL_ID})
 same => n,AGI(${SGE_AGI}/register?system=${SGE_SYSTEM})
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => health,1,Answer()
 same => n,AGI(${SGE_AGI}/health)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => unknown,1,Answer()
 same => n,AGI(${SGE_AGI}/no/such/route)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => bad,1,Answer()
 same => n,AGI(${SGE_AGI}/register?type=smoke-signals)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => elsewhere,1,Set(ELSEWHERE=yes)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)

; Calls that are ended by the h extension, without the wrapper.
[test-h]
exten => _X.,1,Answer()
 same => n,Set(CHANNEL(hangup_handler_push)=test-account,s,1)
 same => n,AGI(${SGE_AGI}/register?dialled=${EXTEN}&system=${SGE_SYSTEM})
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => h,1,AGI(${SGE_AGI}/end?system=${SGE_SYSTEM})
"""

# Where a call goes that is taken out of the service's hands.
LED_CONTEXTS = """
[test-elsewhere]
exten => s,1,Wait(60)
exten => again,1,Stasis(sky-genesis-voip,1004)
 same => n,Hangup()
"""


@pytest.fixture(scope="session")
def lab_root() -> Root:
    """Return the lab's root; without one skip, saying why, and on CI fail."""
    root = Root.default()
    reason = root.why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return root


@pytest.fixture(scope="session")
def shared_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run one Asterisk for all tests of the session."""
    with Asterisk.start(extensions=CONTEXTS, root=lab_root) as running:
        yield running


@pytest.fixture(scope="session")
def shared_service(lab_root: Root) -> Iterator[Service]:
    """Run one service with its embedded SGE API for all tests of the session."""
    with Service.start() as running:
        yield running


@pytest.fixture
def service(shared_service: Service, asterisk: Asterisk) -> Service:
    """Return the service, asked by the Asterisk's dialplan."""
    asterisk.set_global("SGE_AGI", shared_service.agi)
    return shared_service


@pytest.fixture
def asterisk(shared_asterisk: Asterisk) -> Iterator[Asterisk]:
    """Return the Asterisk with the shipped globals and, afterwards, without a channel left."""
    yield shared_asterisk
    for channel in shared_asterisk.control.channels():
        shared_asterisk.control.hang_up(channel["id"])
    assert shared_asterisk.wait_idle(), shared_asterisk.cli("core show channels")
    shared_asterisk.set_global("SGE_FAIL_OPEN", "yes")
    shared_asterisk.set_global("SGE_RING_SECONDS", "30")


# A trunk of which the carrier, a phone of the lab, listens beside Asterisk.
LED = {
    "SGE_RING_SECONDS": "2",
    "SGE_DIAL_STRINGS": '{"1500": ["PJSIP/1001", "PJSIP/1004"]}',
    "SGE_TRUNK": "PJSIP/sky-genesis-trunk",
    "SGE_OUTBOUND_ALLOW": "0X.",
    "SGE_OUTBOUND_DENY": "0900X.",
    "SGE_RATE_LIMIT_PER_MINUTE": "0",
}


@pytest.fixture(scope="module")
def led_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of a test module's own, whose calls a service leads."""
    with Asterisk.start(
        variables={"SGE_STASIS": "yes"}, extensions=LED_CONTEXTS, root=lab_root
    ) as running:
        yield running


@pytest.fixture(scope="module")
def leading_service(led_asterisk: Asterisk) -> Iterator[Service]:
    """Run the service that leads them."""
    with Service.start({**ari_settings(led_asterisk), **LED}) as running:
        running.wait_for_log("link_state", state="up")
        led_asterisk.set_global("SGE_AGI", running.agi)
        yield running


@pytest.fixture
def led(led_asterisk: Asterisk, leading_service: Service) -> Iterator[Asterisk]:
    """Return the Asterisk that the service leads and, afterwards, without a channel left."""
    yield led_asterisk
    for channel in led_asterisk.control.channels():
        led_asterisk.control.hang_up(channel["id"])
    assert led_asterisk.wait_idle(), led_asterisk.cli("core show channels")
    assert wait_until(lambda: led_asterisk.control.request("GET", "bridges") == [], 10)
