"""A browser's call while the service or Asterisk is restarted."""

import asyncio
import os
import signal

import pytest
from page_stage import CONTEXTS, TONES, CallStage, settings, wait_for_links

from lab.asterisk import Asterisk
from lab.browser import Browser
from lab.root import Root
from lab.service import Service

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]


async def test_the_service_is_restarted(calls: CallStage) -> None:
    """A call outlives a crash of the service: it is heard all the time and ended afterwards."""
    alice = await calls.sign_in("alice")
    call_id = await alice.dial("600")
    await alice.hears(TONES["alice"])
    await asyncio.to_thread(calls.service.kill)
    await alice.talks()
    await asyncio.to_thread(calls.service.start_again)
    await alice.until("stage.client.connection === 'connected'")
    await alice.talks()
    await alice.hears(TONES["alice"])
    assert len(calls.asterisk.control.channels()) == 1
    await alice.do("hangup")
    await alice.wait("ended")
    await calls.ended(call_id)


async def test_asterisk_is_restarted(calls: CallStage) -> None:
    """Asterisk hangs up before it restarts; once it is back the page calls again."""
    alice = await calls.sign_in("alice")
    call_id = await alice.dial("600")
    await alice.hears(TONES["alice"])
    calls.asterisk.cli("core restart now")
    assert (await alice.wait("ended"))[:2] == ["ended", "them"]
    await asyncio.to_thread(wait_for_links, calls.service, 2)
    await calls.ended(call_id)
    await alice.dial("600")
    await alice.wait("connected", 2)
    await alice.talks()


async def test_asterisk_is_lost(call_browser: Browser, call_root: Root) -> None:
    """A page whose Asterisk has died is told so, and that nobody hung up."""
    with (
        Asterisk.start(extensions=CONTEXTS, root=call_root) as asterisk,
        Service.start(settings(asterisk)) as service,
    ):
        await asyncio.to_thread(wait_for_links, service)
        stage = CallStage(call_browser, asterisk, service)
        alice = await stage.sign_in("alice")
        await alice.dial("600")
        await alice.hears(TONES["alice"])
        os.kill(asterisk.process.number, signal.SIGKILL)
        assert (await alice.wait("ended"))[:2] == ["gateway_lost", None]
        await alice.watched.page.close()
