"""What becomes of supervised calls when the service, Asterisk or the link to it goes away."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from led_calls import ROOM_FOR_CLOCKS_MS, WAIT_SECONDS, kinds, wait_for_status
from supervised_stage import CONTEXTS, account_of, only_call, supervised, watching, whole

from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import FakeSge
from lab.asterisk import Asterisk
from lab.errors import CommandError
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings

pytestmark = pytest.mark.asterisk

TOKEN = "the-right-token"


@pytest.fixture(scope="module")
def watched_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk of this module's own, which may be restarted."""
    with Asterisk.start(extensions=CONTEXTS, root=lab_root) as running:
        yield running


@pytest.fixture
def asterisk(watched_asterisk: Asterisk) -> Iterator[Asterisk]:
    """Return it, and leave no channel behind."""
    yield watched_asterisk
    hang_up_all(watched_asterisk)


def hang_up_all(asterisk: Asterisk) -> None:
    """End every channel."""
    for channel in asterisk.control.channels():
        asterisk.control.hang_up(channel["id"])
    assert asterisk.wait_idle()


def last_facts(service: Service, call_id: str) -> dict[str, object]:
    """What the log says of the end of a call."""
    wait_for_status(service, call_id, "ended")
    (end,) = (event for event in service.events(call_id) if event["kind"] == "ended")
    facts: dict[str, object] = end["facts"]
    return facts


def test_the_service_is_killed_in_mid_call(asterisk: Asterisk) -> None:
    """Its successor finds the call as it is, and records its true end."""
    callee = Phone.answering(asterisk, "1001")
    with (
        supervised(asterisk) as service,
        callee,
        Phone.calling(asterisk, "1002", "81001") as caller,
    ):
        call = only_call(service, "connected")
        service.kill()
        service.start_again()
        watching(service)
        assert service.call(call["id"])["status"] == "connected"
        hang_up_all(asterisk)
        assert caller.wait(), caller.explain()
        record = whole(service, call["id"])
        assert kinds(service, call["id"]) == ["adopted", "ringing", "accepted", "ended"]
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")
    assert account_of(asterisk, record).disposition == "ANSWERED"


def test_a_call_is_answered_while_the_service_is_away(asterisk: Asterisk) -> None:
    """It is connected once the successor has looked."""
    callee = Phone.answering(asterisk, "1001", ring_ms=1500)
    with (
        supervised(asterisk) as service,
        callee,
        Phone.calling(asterisk, "1002", "81001") as caller,
    ):
        call = only_call(service, "ringing")
        service.kill()
        assert wait_until(
            lambda: {each["state"] for each in asterisk.control.channels()} == {"Up"}, WAIT_SECONDS
        )
        service.start_again()
        watching(service)
        wait_for_status(service, call["id"], "connected")
        hang_up_all(asterisk)
        assert caller.wait(), caller.explain()


def test_a_call_ends_while_the_service_is_away(asterisk: Asterisk) -> None:
    """It is ended at the next look, as one whose end nobody saw."""
    callee = Phone.answering(asterisk, "1001")
    with (
        supervised(asterisk) as service,
        callee,
        Phone.calling(asterisk, "1002", "81001") as caller,
    ):
        call = only_call(service, "connected")
        service.kill()
        hang_up_all(asterisk)
        assert caller.wait(), caller.explain()
        service.start_again()
        assert last_facts(service, call["id"]) == {"reason": "lost"}
        assert service.call(call["id"])["hangup_cause"] is None


def test_asterisk_is_restarted_in_mid_call(asterisk: Asterisk) -> None:
    """It took the call with it: lost, and the next one is followed as ever."""
    callee = Phone.answering(asterisk, "1001")
    with supervised(asterisk) as service:
        with callee, Phone.calling(asterisk, "1002", "81001"):
            call = only_call(service, "connected")
            before = len(asterisk.log())
            with suppress(CommandError):
                asterisk.cli("core restart now")
            asterisk.wait_for_log("Asterisk Ready", seconds=30, after=before)
            wait_for_status(service, call["id"], "ended")
        watching(service, 2)
        asterisk.set_global("SGE_AGI", service.agi)
        callee = Phone.answering(asterisk, "1001", hang_up_after_ms=200)
        with callee, Phone.calling(asterisk, "1002", "81001") as caller:
            again = only_call(service)
            assert caller.wait(), caller.explain()
        assert whole(service, again["id"])["dial_status"] == "ANSWER"


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "ends"])
async def test_the_link_is_cut_in_mid_call(asterisk: Asterisk, *, goes_on: bool) -> None:
    """A call that goes on is followed on the next link; one that ended meanwhile is lost."""
    async with TcpProxy("127.0.0.1", asterisk.ports.ami) as proxy:
        await asyncio.to_thread(follow_over, asterisk, proxy, goes_on, asyncio.get_running_loop())


def follow_over(
    asterisk: Asterisk,
    proxy: TcpProxy,
    goes_on: bool,  # noqa: FBT001 - handed on by to_thread
    loop: asyncio.AbstractEventLoop,
) -> None:
    """A call during which the proxy refuses the link for a while."""
    callee = Phone.answering(asterisk, "1001")
    with (
        supervised(asterisk, ASTERISK_AMI_PORT=str(proxy.port)) as service,
        callee,
        Phone.calling(asterisk, "1002", "81001") as caller,
    ):
        call = only_call(service, "connected")
        asyncio.run_coroutine_threadsafe(cut(proxy), loop).result(10)
        service.wait_for_log("link_state", link="ami", state="lost")
        if not goes_on:
            hang_up_all(asterisk)
        asyncio.run_coroutine_threadsafe(proxy.accept(), loop).result(10)
        watching(service, 2)
        if goes_on:
            assert service.call(call["id"])["status"] == "connected"
            hang_up_all(asterisk)
        assert caller.wait(), caller.explain()
        facts = last_facts(service, call["id"])
    assert facts == ({"hangup_cause": 16} if goes_on else {"reason": "lost"})


async def cut(proxy: TcpProxy) -> None:
    """End the link, and let no other come about."""
    await proxy.refuse()
    proxy.cut(reset=True)


def test_calls_that_the_service_leads_are_left_to_ari(lab_root: Root) -> None:
    """With both interfaces each step is written once, and by who leads the call."""
    with (
        Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as asterisk,
        supervised(asterisk, **ari_settings(asterisk)) as service,
    ):
        service.wait_for_log("link_state", link="ari", state="up")
        callee = Phone.answering(asterisk, "1001", ring_ms=300)
        with callee, Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=500) as caller:
            call = only_call(service, "connected")
            assert caller.wait(), caller.explain()
        record = whole(service, call["id"])
        assert kinds(service, call["id"]) == ["adopted", "ringing", "accepted", "ended"]
    assert (record["hangup_cause"], record["dial_status"]) == (16, "ANSWER")


async def test_a_remote_api_is_told_as_well(asterisk: Asterisk) -> None:
    """A call whose hang-up handler never ran is answered and ended there all the same, once."""
    async with FakeSge(bearer=TOKEN) as sge:
        await asyncio.to_thread(call_once, asterisk, sge.url, lambda: len(sge.requests) == 3)
        (call,) = sge.calls.values()
    words = [request.target.rpartition("/")[2] for request in sge.requests]
    assert words == ["calls", "accept", "end"]
    assert (call["status"], call["hangup_cause"], call["dial_status"]) == ("ended", 16, "ANSWER")
    assert call["answered_ms"] == pytest.approx(400, abs=ROOM_FOR_CLOCKS_MS)


def call_once(asterisk: Asterisk, api: str, is_told: Callable[[], bool]) -> None:
    """A call while a service without an API of its own follows it, until that one is told."""
    settings = {"SGE_API_URL": api, "SGE_JWT_TOKEN": TOKEN}
    callee = Phone.answering(asterisk, "1001")
    with (
        supervised(asterisk, **settings) as service,
        callee,
        Phone.calling(asterisk, "1002", "81001", hang_up_after_ms=400) as caller,
    ):
        assert caller.wait(), caller.explain()
        assert wait_until(is_told, WAIT_SECONDS), service.log()[-5:]
