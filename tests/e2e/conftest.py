"""The real Asterisk that the end-to-end tests share."""

import os
from collections.abc import Iterator

import pytest

from lab.asterisk import Asterisk
from lab.root import Root

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


@pytest.fixture
def asterisk(shared_asterisk: Asterisk) -> Iterator[Asterisk]:
    """Return the Asterisk with the shipped globals and, afterwards, without a channel left."""
    yield shared_asterisk
    for channel in shared_asterisk.control.channels():
        shared_asterisk.control.hang_up(channel["id"])
    assert shared_asterisk.wait_idle(), shared_asterisk.cli("core show channels")
    shared_asterisk.set_global("SGE_FAIL_OPEN", "yes")
    shared_asterisk.set_global("SGE_RING_SECONDS", "30")
