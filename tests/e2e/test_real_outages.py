"""Real calls through the real service while the SGE API, or the service itself, fails."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from account import Account, wait_for_account

from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import Behaviour, FakeSge
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import Service

pytestmark = pytest.mark.asterisk

T = TypeVar("T")
TOKEN = "the-right-token"
DEADLINE = {"SGE_DEADLINE_SECONDS": "0.5"}
DEADLINE_SECONDS = 10


@asynccontextmanager
async def serving(asterisk: Asterisk, api: str, **settings: str) -> AsyncGenerator[Service]:
    """Run a service for a remote API at `api`, asked by the dialplan."""
    service = await asyncio.to_thread(
        Service.start, {"SGE_API_URL": api, "SGE_JWT_TOKEN": TOKEN, **DEADLINE, **settings}
    )
    try:
        await asyncio.to_thread(asterisk.set_global, "SGE_AGI", service.agi)
        yield service
    finally:
        await asyncio.to_thread(service.stop)


async def until(condition: Callable[[], bool], why: Callable[[], object]) -> None:
    """Wait for something that happens in another thread or process; `why` explains a failure."""
    assert await asyncio.to_thread(wait_until, condition, DEADLINE_SECONDS), why()


async def talk(asterisk: Asterisk) -> tuple[Account, Phone]:
    """Have 1002 call 1001, talk and hang up; the channel's account and the caller's phone."""

    def place() -> tuple[Account, Phone]:
        before = len(asterisk.log())
        with (
            Phone.answering(asterisk, "1001") as callee,
            Phone.calling(asterisk, "1002", "91001", hang_up_after_ms=100) as caller,
        ):
            assert caller.wait(), caller.explain()
            assert callee.wait(), callee.explain()
            return wait_for_account(asterisk, after=before), caller

    return await asyncio.to_thread(place)


def dial(asterisk: Asterisk, extension: str = "4711", context: str = "test-wrapper") -> str:
    """Let a channel without a phone run an extension; its id."""
    return asterisk.control.originate("Local/wait@lab", context=context, extension=extension)


async def variable(asterisk: Asterisk, channel: str, name: str) -> str:
    """A variable of a live channel, waiting until it is set."""
    read = asterisk.control.variable
    await until(lambda: read(channel, name) != "", lambda: asterisk.log()[-3000:])
    return await asyncio.to_thread(read, channel, name)


async def only_call(sge: FakeSge, status: str) -> dict[str, Any]:
    """The one call that the API has, once it has a status."""
    await until(
        lambda: [call["status"] for call in sge.calls.values()] == [status],
        lambda: [(request.method, request.target) for request in sge.requests],
    )
    return next(iter(sge.calls.values()))


def said(sge: FakeSge) -> list[str]:
    """What was asked of the API, in order: register, accept, end, status."""
    words = {"calls": "register"}
    targets = [request.target.rpartition("/")[2] for request in sge.requests]
    return [words.get(target, target) for target in targets]


async def test_a_remote_api_gets_the_documented_request(asterisk: Asterisk) -> None:
    """A call with everything in order: one POST each, with token, key and metadata."""
    async with FakeSge(bearer=TOKEN) as sge, serving(asterisk, sge.url):
        account, caller = await talk(asterisk)
        call = await only_call(sge, "ended")
    register = sge.requests[0]
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert said(sge) == ["register", "accept", "end"]
    assert register.headers["idempotency-key"] == f"agi-pbx1-{account.unique_id}"
    assert register.json()["participants"] == ["SIP/1001"]
    assert register.json()["metadata"]["asterisk_call_id"] == account.unique_id
    assert (call["hangup_cause"], call["dial_status"]) == (16, "ANSWER")
    assert call["answered_ms"] == account.talk_ms
    assert account.call_id == call["id"]


async def test_an_api_that_is_down_all_through_a_call(asterisk: Asterisk) -> None:
    """QUEUED, the phones talk all the same, and the whole story is told in order afterwards."""
    async with FakeSge(bearer=TOKEN) as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        await proxy.refuse()
        api = f"http://127.0.0.1:{proxy.port}"
        async with serving(asterisk, api) as service:
            account, caller = await talk(asterisk)
            waiting = await asyncio.to_thread(service.command, "outbox", "list", "--pending")
            await proxy.accept()
            call = await only_call(sge, "ended")
            left = await asyncio.to_thread(service.command, "outbox", "stats")
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert (account.sge_status, account.call_id[:7]) == ("QUEUED", "queued-")
    assert [line.split()[1] for line in waiting.splitlines()] == ["register", "accept", "end"]
    assert said(sge) == ["register", "accept", "end"]
    assert call["metadata"]["asterisk_call_id"] == account.unique_id
    assert (call["hangup_cause"], call["answered_ms"]) == (16, account.talk_ms)
    assert left.splitlines()[:2] == ["pending 0", "dead 0"]


async def test_an_api_that_comes_back_during_a_call(asterisk: Asterisk) -> None:
    """What waited is told first, then the end goes straight to the call that came of it."""
    async with FakeSge(bearer=TOKEN) as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        await proxy.refuse()
        async with serving(asterisk, f"http://127.0.0.1:{proxy.port}"):
            channel = await asyncio.to_thread(dial, asterisk)
            wrapper = await variable(asterisk, channel, "WRAPPER")
            status = await variable(asterisk, channel, "SGE_STATUS")
            code = await variable(asterisk, channel, "SGE_ERROR_CODE")
            await proxy.accept()
            await only_call(sge, "initiating")
            await asyncio.to_thread(asterisk.control.hang_up, channel)
            call = await only_call(sge, "ended")
    assert (wrapper, status, code) == ("go", "QUEUED", "api_unreachable")
    assert said(sge) == ["register", "end"]
    assert call["metadata"]["asterisk_channel_id"] == channel


async def test_an_expired_token_is_renewed(asterisk: Asterisk, tmp_path: Path) -> None:
    """401 queues the call; when the token's file has the right one it is delivered."""
    token = tmp_path / "token"
    token.write_text("expired")
    async with (
        FakeSge(bearer=TOKEN) as sge,
        serving(asterisk, sge.url, SGE_JWT_TOKEN="", SGE_JWT_TOKEN_FILE=str(token)),
    ):
        account, caller = await talk(asterisk)
        refused = dict(sge.calls)
        token.write_text(TOKEN)
        call = await only_call(sge, "ended")
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert account.sge_status == "QUEUED"
    assert refused == {}
    assert call["metadata"]["asterisk_call_id"] == account.unique_id


async def test_an_api_that_hangs(asterisk: Asterisk) -> None:
    """The call goes on when the deadline of the API has passed, and is delivered later."""
    async with FakeSge(bearer=TOKEN) as sge, serving(asterisk, sge.url) as service:
        sge.behaviour = Behaviour.HANG
        account, caller = await talk(asterisk)
        register = await asyncio.to_thread(service.wait_for_log, "agi_session", route="register")
        sge.behaviour = Behaviour.OBEY
        call = await only_call(sge, "ended")
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert account.sge_status == "QUEUED"
    assert (register["status"], register["code"]) == ("QUEUED", "api_timeout")
    assert call["metadata"]["asterisk_call_id"] == account.unique_id


async def test_an_api_that_says_no(asterisk: Asterisk) -> None:
    """403 is REFUSED: the caller hears the prompt, nothing rings, and nothing waits."""
    async with FakeSge(bearer=TOKEN) as sge, serving(asterisk, sge.url) as service:
        sge.behaviour = Behaviour.FORBIDDEN
        before = len(asterisk.log())
        with Phone.calling(asterisk, "1002", "91001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        account = await asyncio.to_thread(lambda: wait_for_account(asterisk, after=before))
        left = await asyncio.to_thread(service.command, "outbox", "stats")
    assert caller.statuses() == [401, 100, 200]
    assert (account.sge_status, account.dial_status) == ("REFUSED", "")
    assert "Playing 'cannot-complete-as-dialed.gsm'" in asterisk.log()[before:]
    assert said(sge) == ["register"]
    assert left.splitlines()[:2] == ["pending 0", "dead 0"]


async def test_the_caller_hangs_up_while_the_api_thinks(asterisk: Asterisk) -> None:
    """A registration whose answer nobody waited for is one call, and it ends."""
    async with FakeSge(bearer=TOKEN) as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        api = f"http://127.0.0.1:{proxy.port}"
        async with serving(asterisk, api, SGE_DEADLINE_SECONDS="5") as service:
            proxy.stall("to client")
            channel = await asyncio.to_thread(dial, asterisk)
            await sge.wait_for_requests(1)
            await asyncio.to_thread(asterisk.control.hang_up, channel)
            session = await asyncio.to_thread(service.wait_for_log, "agi_session", route="register")
            proxy.resume()
            call = await only_call(sge, "ended")
    assert (session["status"], session["code"]) == ("QUEUED", "interrupted")
    assert call["metadata"]["asterisk_channel_id"] == channel
    assert said(sge)[0] == "register"
    assert said(sge)[-1] == "end"


async def test_the_caller_hangs_up_before_the_api_has_heard(asterisk: Asterisk) -> None:
    """A call whose registration never reached the API is told to it once it is over."""
    async with FakeSge(bearer=TOKEN) as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        api = f"http://127.0.0.1:{proxy.port}"
        async with serving(asterisk, api, SGE_DEADLINE_SECONDS="5") as service:
            proxy.stall("to server")
            channel = await asyncio.to_thread(dial, asterisk)
            await until(lambda: proxy.received("to server") > 0, service.log)
            await asyncio.to_thread(asterisk.control.hang_up, channel)
            await asyncio.to_thread(service.wait_for_log, "agi_session", route="end")
            heard = len(sge.requests)
            proxy.resume()
            call = await only_call(sge, "ended")
    assert heard == 0
    assert call["metadata"]["asterisk_channel_id"] == channel


async def test_a_service_killed_in_mid_session(asterisk: Asterisk) -> None:
    """The dialplan asks its successor, who has the answer of the same one call."""
    async with FakeSge(bearer=TOKEN) as sge, TcpProxy("127.0.0.1", sge.port) as proxy:
        settings = {"FASTAGI_WORKERS": "2", "SGE_DEADLINE_SECONDS": "5"}
        async with serving(asterisk, f"http://127.0.0.1:{proxy.port}", **settings) as service:
            proxy.stall("to client")
            channel = await asyncio.to_thread(dial, asterisk)
            await sge.wait_for_requests(1)
            # The successor shares address and state; the kernel gives it what comes from now on.
            async with serving(
                asterisk,
                sge.url,
                **settings,
                FASTAGI_LISTEN=service.agi.removeprefix("agi://"),
                FASTAGI_STATE_DIR=str(service.state_folder),
            ):
                await asyncio.to_thread(service.kill)
                wrapper = await variable(asterisk, channel, "WRAPPER")
                status = await variable(asterisk, channel, "SGE_STATUS")
                call_id = await variable(asterisk, channel, "SGE_CALL_ID")
                call = await only_call(sge, "initiating")
                await asyncio.to_thread(asterisk.control.hang_up, channel)
                await only_call(sge, "ended")
    assert (wrapper, status, call_id) == ("go", "REGISTERED", call["id"])
    assert said(sge) == ["register", "register", "end"]
    keys = {request.headers["idempotency-key"] for request in sge.requests[:2]}
    assert keys == {f"agi-pbx1-{channel}"}


async def test_a_queued_call_survives_a_kill(asterisk: Asterisk) -> None:
    """What the dialplan was told is QUEUED is delivered by the next process."""
    async with FakeSge(bearer=TOKEN) as sge:
        sge.behaviour = Behaviour.UNAVAILABLE
        async with serving(asterisk, sge.url) as service:
            channel = await asyncio.to_thread(dial, asterisk)
            status = await variable(asterisk, channel, "SGE_STATUS")
            await asyncio.to_thread(service.kill)
            sge.behaviour = Behaviour.OBEY
            await asyncio.to_thread(service.start_again)
            await only_call(sge, "initiating")
            await asyncio.to_thread(asterisk.control.hang_up, channel)
            call = await only_call(sge, "ended")
    assert status == "QUEUED"
    assert call["metadata"]["asterisk_channel_id"] == channel


@pytest.mark.parametrize(
    ("fail_open", "statuses"),
    [("yes", [401, 100, 180, 200, 200]), ("no", [401, 100, 200, 200])],
    ids=["open", "closed"],
)
async def test_a_service_that_does_not_run(
    asterisk: Asterisk, fail_open: str, statuses: list[int]
) -> None:
    """The call goes on or hears the prompt, as SGE_FAIL_OPEN says; it is the same address."""
    asterisk.set_global("SGE_FAIL_OPEN", fail_open)
    async with FakeSge(bearer=TOKEN) as sge, serving(asterisk, sge.url) as service:
        await asyncio.to_thread(service.kill)
        with (
            await asyncio.to_thread(Phone.answering, asterisk, "1001"),
            Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=100) as caller,
        ):
            assert await asyncio.to_thread(caller.wait), caller.explain()
    assert caller.statuses() == statuses
    assert sge.requests == []


async def test_a_service_that_stands_still(asterisk: Asterisk) -> None:
    """A process that reads nothing does not keep the channel of a caller who hangs up."""
    async with FakeSge(bearer=TOKEN) as sge, serving(asterisk, sge.url) as service:
        service.suspend()
        before = len(asterisk.log())
        channel = await asyncio.to_thread(dial, asterisk)
        await variable(asterisk, channel, "AGIEXITONHANGUP")
        await asyncio.to_thread(asterisk.control.hang_up, channel)
        left = r"Executing \[s@sge-ended:\d+\] AGI"
        await asyncio.to_thread(lambda: asterisk.wait_for_log(left, after=before))
    assert await asyncio.to_thread(asterisk.wait_idle)
