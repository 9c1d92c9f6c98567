"""The service is restarted behind its socket while a real Asterisk asks it about calls."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastagi_server.testing.sge import FakeSge
from lab.asterisk import Asterisk
from lab.manager import managed
from lab.processes import wait_until
from lab.root import Root

pytestmark = [pytest.mark.asterisk, pytest.mark.slow, pytest.mark.timeout(300)]

CALLS = 120
CALLS_A_SECOND = 20
RESTARTS = 3
PATIENCE_SECONDS = 60.0

EXTENSIONS = """
[test-restarts]
exten => call,1,Answer()
 same => n,Gosub(sge-register,s,1(SIP/1001,audio,1001))
 same => n,Verbose(0,REGISTERED ${UNIQUEID} ${SGE_STATUS} ${GOSUB_RETVAL})
 same => n,Hangup()
"""

_LINE = re.compile(r"REGISTERED (\S+) (\S+) (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk whose calls do nothing but register and end."""
    with Asterisk.start(extensions=EXTENSIONS, root=lab_root) as running:
        yield running


async def place_calls(asterisk: Asterisk) -> None:
    """Let calls arrive, one after the other, whatever becomes of those before."""
    for _ in range(CALLS):
        await asyncio.to_thread(
            asterisk.control.originate,
            "Local/wait@lab",
            context="test-restarts",
            extension="call",
        )
        await asyncio.sleep(1 / CALLS_A_SECOND)


def answers(asterisk: Asterisk) -> list[tuple[str, str, str]]:
    """Unique id, status and what the wrapper returned, of each call that has its answer."""
    return [
        (unique_id, status, returned)
        for unique_id, status, returned in _LINE.findall(asterisk.log())
    ]


async def test_no_call_is_lost(asterisk: Asterisk, tmp_path: Path) -> None:
    """Every call was registered and ended exactly once, and none went on unregistered."""
    settings = {"SGE_DEADLINE_SECONDS": "60", "FASTAGI_DRAIN_SECONDS": "60"}
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url, **settings) as manager:
        await manager.start()
        asterisk.set_global("SGE_AGI", f"agi://127.0.0.1:{manager.port}")
        placing = asyncio.create_task(place_calls(asterisk))
        for number in range(1, RESTARTS + 1):
            wanted = number * CALLS // (RESTARTS + 2)
            assert await asyncio.to_thread(
                wait_until,
                lambda wanted=wanted: len(answers(asterisk)) >= wanted,
                PATIENCE_SECONDS,
            )
            assert await manager.stop() == 0
            await manager.start()
        await placing
        assert await asyncio.to_thread(asterisk.wait_idle, PATIENCE_SECONDS)
        assert await manager.stop() == 0
    answered = answers(asterisk)
    assert len(answered) == CALLS
    assert {status for _, status, _ in answered} == {"REGISTERED"}
    assert sorted(call["metadata"]["asterisk_call_id"] for call in sge.calls.values()) == sorted(
        unique_id for unique_id, _, _ in answered
    )
    assert {call["status"] for call in sge.calls.values()} == {"ended"}
    assert asterisk.complaints() == []
