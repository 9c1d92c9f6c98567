"""The service under a service manager: sockets, readiness, watchdog, reload, stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from service_process import PATIENCE_SECONDS, ROOT

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import Behaviour, FakeSge
from lab.manager import START, ServiceManager, managed

HANGING = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from fastagi_server.activation import open_manager
from fastagi_server.fastagi.router import route
from fastagi_server.routes import ROUTES
from fastagi_server.serving import serve
from fastagi_server.settings import load_settings
from fastagi_server.settings.manager import take_manager_offer
from fastagi_server.telemetry.measures import Measures

@route("hang")
async def hang(channel, services):
    while True:
        pass

manager = open_manager(take_manager_offer())
asyncio.run(
    serve(load_settings(), measures=Measures(), manager=manager, routes=(*ROUTES, hang))
)
"""


async def register(manager: ServiceManager, unique_id: str = "17.4") -> FakeAsterisk:
    """A call that was asked about."""
    asterisk = FakeAsterisk("register", unique_id=unique_id, deadline=PATIENCE_SECONDS)
    await asterisk.run("127.0.0.1", manager.port)
    return asterisk


async def status_of(manager: ServiceManager, key: str = "key") -> int:
    """The answer of the embedded API to a question for its calls."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        address = f"http://127.0.0.1:{manager.http_port}/api/v1/voip/calls"
        answer = await client.get(address, headers={"X-API-Key": key})
    return answer.status_code


def first_child_of(pid: int) -> int:
    """The first worker of a parent."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_given_sockets_are_served(tmp_path: Path, workers: str, loop: str) -> None:
    """AGI and HTTP are served on the manager's sockets, and nowhere else, by all workers."""
    settings = {"SGE_API_KEY": "key", "FASTAGI_WORKERS": workers, "FASTAGI_LOOP": loop}
    async with managed(tmp_path, **settings) as manager:
        await manager.start()
        assert (await register(manager)).variables["SGE_STATUS"] == "REGISTERED"
        assert await status_of(manager) == 200
        assert (await manager.logged("listening"))["addresses"] == [f"127.0.0.1:{manager.port}"]
        assert await manager.stop() == 0


async def test_what_the_manager_is_told(tmp_path: Path) -> None:
    """Ready when it listens, how it is, then that it stops and how long that may take."""
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url) as manager:
        await manager.start(WATCHDOG_USEC="200000")
        assert manager.words == ["READY=1"]
        await manager.hear("WATCHDOG=1")
        assert manager.status == "0 sessions open, 0 in the outbox"
        assert (await manager.logged("socket_not_served"))["name"] == "http"
        assert await manager.stop() == 0
        await manager.hear("STOPPING=1")
    assert manager.words[1:] == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=40000000"]


async def test_nobody_is_refused_between_two_processes(tmp_path: Path) -> None:
    """Who connects while nothing runs, or while the old process drains, waits for the new one."""
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url) as manager:
        await manager.start()
        sge.behaviour, sge.delay = Behaviour.SLOW, 1.0
        early = asyncio.create_task(register(manager, "17.1"))
        await sge.wait_for_requests(1, PATIENCE_SECONDS)
        manager.signal(signal.SIGTERM)
        await manager.logged("draining")
        late = asyncio.create_task(register(manager, "17.2"))
        assert await manager.ended() == 0
        assert (await early).variables["SGE_STATUS"] == "REGISTERED"
        later = asyncio.create_task(register(manager, "17.3"))
        await manager.start()
        for waiting in (late, later):
            asterisk = await waiting
            assert (asterisk.status, asterisk.variables["SGE_STATUS"]) == ("SUCCESS", "REGISTERED")
    assert [call["metadata"]["asterisk_call_id"] for call in sge.calls.values()] == [
        "17.1",
        *sorted(["17.2", "17.3"]),
    ]


async def test_a_loop_that_hangs_feeds_no_watchdog(tmp_path: Path) -> None:
    """With the loop busy for ever nothing is told any more, and the killed one has a successor."""
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url) as manager:
        await manager.start((sys.executable, "-c", HANGING), WATCHDOG_USEC="400000")
        asterisk = FakeAsterisk("hang", deadline=PATIENCE_SECONDS)
        async with asterisk.session("127.0.0.1", manager.port):
            with contextlib.suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(2.0):
                        await manager.hear("WATCHDOG=1")
            manager.signal(signal.SIGKILL)
        assert await manager.ended() == -signal.SIGKILL
        await manager.start(WATCHDOG_USEC="400000")
        assert (await register(manager)).variables["SGE_STATUS"] == "REGISTERED"


async def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    """The parent kills a worker that it has not heard of for the time of the watchdog."""
    async with (
        FakeSge() as sge,
        managed(tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2") as manager,
    ):
        await manager.start(WATCHDOG_USEC="3000000")
        await manager.logged("listening", 2)
        os.kill(first_child_of(manager.pid), signal.SIGSTOP)
        hung = await manager.logged("worker_hung")
        died = await manager.logged("worker_died")
        assert (hung["worker"], died["worker"], died["status"]) == (0, 0, -9)
        await manager.logged("listening", 3)
        assert (await register(manager)).variables["SGE_STATUS"] == "REGISTERED"
        assert await manager.stop() == 0
    assert manager.words[0] == "READY=1"


async def test_children_of_somebody_else(tmp_path: Path) -> None:
    """A dead child that is no worker, such as a container's first process has, ends nobody.

    The parent's deadline for the stop is that of the workers, the closing after the drain included.
    """
    command = ("bash", "-c", 'sleep 0 & exec "$@"', "bash", *START)
    async with (
        FakeSge() as sge,
        managed(tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2") as manager,
    ):
        await manager.start(command)
        assert (await register(manager)).variables["SGE_STATUS"] == "REGISTERED"
        assert await manager.stop() == 0
        await manager.hear("STOPPING=1")
    assert "worker_died" not in manager.log
    assert "EXTEND_TIMEOUT_USEC=45000000" in manager.words


@pytest.mark.parametrize("workers", [1, 2])
async def test_reload(tmp_path: Path, workers: int) -> None:
    """SIGHUP: what can change does, in every process; of the rest the log says that it waits."""
    async with FakeSge() as sge:
        settings = {"SGE_API_URL": sge.url, "FASTAGI_WORKERS": str(workers)}
        processes = workers + (workers > 1)
        async with managed(tmp_path, **settings) as manager:
            await manager.start()
            assert (await register(manager, "17.1")).status == "SUCCESS"
            manager.configuration.write_text(
                'fastagi_log_level = "warning"\nfastagi_allow = ["192.0.2.0/24"]\n'
                "sge_deadline_seconds = 3.0\n"
            )
            manager.signal(signal.SIGHUP)
            await manager.hear("READY=1")
            assert manager.words[1] == "RELOADING=1"
            assert (await register(manager, "17.2")).status == "FAILURE"
            waits = await manager.logged("restart_needed", processes)
            assert waits["settings"] == ["SGE_DEADLINE_SECONDS"]
    assert manager.lines("reloaded") == []


async def test_a_successor_tells_of_its_reload(tmp_path: Path) -> None:
    """A worker that was started after a reload logs the next one as all the others do."""
    async with (
        FakeSge() as sge,
        managed(tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2") as manager,
    ):
        await manager.start()
        manager.configuration.write_text("fastagi_max_sessions = 11\n")
        manager.signal(signal.SIGHUP)
        await manager.logged("reloaded", 3)
        os.kill(first_child_of(manager.pid), signal.SIGKILL)
        await manager.logged("listening", 3)
        manager.configuration.write_text("fastagi_max_sessions = 12\n")
        manager.signal(signal.SIGHUP)
        await manager.logged("reloaded", 6)


async def test_reload_of_faults_is_refused(tmp_path: Path) -> None:
    """A configuration that is wrong changes nothing, and says why; the next good one does."""
    async with FakeSge() as sge, managed(tmp_path, SGE_API_URL=sge.url) as manager:
        await manager.start()
        for number, (text, words) in enumerate(
            (
                ("fastagi_max_sessions = -1", "FASTAGI_MAX_SESSIONS: Input should be greater"),
                ('fastagi_on_error = {nosuch = "failure"}', "on_error names no route: nosuch"),
                ("fastagi_max_sessions = ", "config.toml: Invalid value"),
            ),
            1,
        ):
            manager.configuration.write_text(text)
            manager.signal(signal.SIGHUP)
            assert words in (await manager.logged("reload_refused", number))["reason"]
            await manager.hear("READY=1")
        assert (await register(manager, "17.1")).status == "SUCCESS"
        manager.configuration.write_text("fastagi_max_sessions = 7\nsge_deadline_seconds = 3.0")
        manager.signal(signal.SIGHUP)
        assert (await manager.logged("reloaded"))["changed"] == ["FASTAGI_MAX_SESSIONS"]
        assert (await manager.logged("restart_needed"))["settings"] == ["SGE_DEADLINE_SECONDS"]


async def test_reload_of_the_limits_of_the_api(tmp_path: Path) -> None:
    """The limit on wrong credentials is another one after SIGHUP."""
    async with managed(tmp_path, SGE_API_KEY="key") as manager:
        await manager.start()
        assert [await status_of(manager, "wrong") for _ in range(3)] == [401, 401, 401]
        manager.configuration.write_text("sge_failures_per_minute = 2")
        manager.signal(signal.SIGHUP)
        assert (await manager.logged("reloaded"))["changed"] == ["SGE_FAILURES_PER_MINUTE"]
        assert await status_of(manager, "wrong") == 429


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("agi:web", "FileDescriptorName=web: a socket's name must be agi or http"),
        ("http:http", "FileDescriptorName=http: one socket is served, not several"),
    ],
)
async def test_sockets_with_wrong_names(tmp_path: Path, names: str, words: str) -> None:
    """A socket that nobody would serve stops the start in words."""
    async with managed(tmp_path, SGE_API_KEY="key") as manager:
        await manager.launch(START, LISTEN_FDNAMES=names)
        assert await manager.ended() == 1
        assert manager.log == f"Error: {words}\n"


async def test_a_given_socket_must_be_protected(tmp_path: Path) -> None:
    """A socket beyond loopback without an allow list is refused, as a setting would be."""
    async with managed(tmp_path, SGE_API_KEY="key") as manager:
        manager.agi.close()
        manager.agi = socket.create_server(("0.0.0.0", 0))
        await manager.launch()
        assert await manager.ended() == 1
        assert "refusing to listen on 0.0.0.0" in manager.log
