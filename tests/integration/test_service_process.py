"""The real process: starts, refuses to start in words, serves, drains, stops."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from service_process import PATIENCE_SECONDS, ROOT, ServiceProcess, free_port, process

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import Behaviour, FakeSge


async def call(port: int, unique_id: str = "17.4") -> FakeAsterisk:
    """A call that was registered."""
    asterisk = FakeAsterisk("register", unique_id=unique_id, deadline=PATIENCE_SECONDS)
    await asterisk.run("127.0.0.1", port)
    return asterisk


def workers_of(pid: int) -> set[int]:
    """The children of a process."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


async def registers(port: int) -> FakeAsterisk:
    """A call that is registered as soon as somebody listens."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            asterisk = await call(port)
            if asterisk.variables:
                return asterisk


async def test_sigterm_drains(tmp_path: Path) -> None:
    """SIGTERM: the call that is under way ends as ever, a new one is declined, the exit is 0."""
    async with FakeSge() as sge, process(tmp_path, SGE_API_URL=sge.url) as service:
        await service.line('"listening"')
        sge.behaviour, sge.delay = Behaviour.SLOW, 1.0
        asterisk = FakeAsterisk("register", deadline=PATIENCE_SECONDS)
        async with asterisk.session("127.0.0.1", service.port):
            await sge.wait_for_requests(1, PATIENCE_SECONDS)
            service.signal(signal.SIGTERM)
            await service.line('"draining"')
            late = await call(service.port, "17.5")
        assert await service.end() == 0
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
    assert (late.status, late.variables) == ("FAILURE", {})
    assert json.loads(service.text.splitlines()[-1])["event"] == "stopped"


async def test_second_sigterm_stops_at_once(tmp_path: Path) -> None:
    """The second signal ends the drain: the call is told, and its registration is kept."""
    async with FakeSge(behaviour=Behaviour.HANG) as sge:
        settings = {"SGE_DEADLINE_SECONDS": "60", "FASTAGI_DRAIN_SECONDS": "600"}
        async with process(tmp_path, SGE_API_URL=sge.url, **settings) as service:
            await service.line('"listening"')
            asterisk = FakeAsterisk("register", deadline=PATIENCE_SECONDS)
            async with asterisk.session("127.0.0.1", service.port):
                await sge.wait_for_requests(1, PATIENCE_SECONDS)
                service.signal(signal.SIGTERM)
                await service.line('"draining"')
                service.signal(signal.SIGTERM)
            assert await service.end() == 0
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"
    assert asterisk.variables["SGE_ERROR_CODE"] == "interrupted"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_embedded_api(tmp_path: Path, loop: str) -> None:
    """Without a remote API the record of a call can be read over HTTP with the key."""
    port = free_port()
    settings = {"PORT": str(port), "SGE_API_KEY": "s3cret-key", "FASTAGI_LOOP": loop}
    async with process(tmp_path, **settings) as service:
        await service.line('"listening"')
        asterisk = await call(service.port)
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
        address = f"http://127.0.0.1:{port}/api/v1/voip/calls/{asterisk.variables['SGE_CALL_ID']}"
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(address, headers={"X-API-Key": "s3cret-key"})
            stranger = await client.get(address, headers={"X-API-Key": "wrong"})
        service.signal(signal.SIGINT)
        assert await service.end() == 0
    assert answer.status_code == 200
    assert answer.json()["metadata"]["asterisk_call_id"] == "17.4"
    assert stranger.status_code == 401
    assert "s3cret-key" not in service.text


async def test_killed_process_keeps_what_was_queued(tmp_path: Path) -> None:
    """SIGKILL after QUEUED: the next process delivers it, once."""
    async with FakeSge(behaviour=Behaviour.UNAVAILABLE, retry_after=0) as sge:
        async with process(tmp_path, SGE_API_URL=sge.url) as service:
            await service.line('"listening"')
            asterisk = await call(service.port)
            assert asterisk.variables["SGE_STATUS"] == "QUEUED"
            service.signal(signal.SIGKILL)
            assert await service.end() == -signal.SIGKILL
        sge.behaviour = Behaviour.OBEY
        async with process(tmp_path, SGE_API_URL=sge.url) as service:
            await service.line('"outbox_delivered"')
        assert [c["metadata"]["asterisk_call_id"] for c in sge.calls.values()] == ["17.4"]


async def test_port_that_is_taken(tmp_path: Path) -> None:
    """An address in use is said in words, with the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with process(tmp_path, FASTAGI_LISTEN=f"127.0.0.1:{port}") as service:
            assert await service.end() == 1
    assert service.text == f"Error: FASTAGI_LISTEN: 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_http_port_that_is_taken(tmp_path: Path, workers: str) -> None:
    """So is the HTTP port; with several workers nothing is started again and again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with process(tmp_path, PORT=str(port), FASTAGI_WORKERS=workers) as service:
            assert await service.end() == 1
    assert service.text == f"Error: PORT: 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FASTAGI_WORKERS", "many", "FASTAGI_WORKERS: Input should be a valid integer"),
        ("FASTAGI_LISTEN", "localhost", "'localhost' is not host:port"),
        ("SGE_DEADLINE_SECONDS", "0", "SGE_DEADLINE_SECONDS: Input should be greater than 0"),
        ("FASTAGI_CONFIG", "/nonexistent.toml", "there is no file /nonexistent.toml"),
    ],
)
async def test_settings_that_are_wrong(tmp_path: Path, name: str, value: str, words: str) -> None:
    """A setting that cannot be read ends the program with code 2 and its name."""
    async with process(tmp_path, **{name: value}) as service:
        assert await service.end() == 2
    assert service.text.startswith("error: ")
    assert words in service.text
    assert "Traceback" not in service.text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FASTAGI_LISTEN", "0.0.0.0:0", "refusing to listen on 0.0.0.0"),
        ("FASTAGI_ON_ERROR", '{"register": "explode"}', "'explode' is none of: continue"),
        ("FASTAGI_ON_ERROR", '{"nosuch": "failure"}', "on_error names no route: nosuch"),
        ("SGE_API_URL", "ftp://127.0.0.1/", "must begin with http"),
        ("SGE_API_KEY", "two words", "visible ASCII"),
        ("SGE_API_KEY_FILE", "/nonexistent", "/nonexistent: No such file"),
        ("FASTAGI_DATABASE_URL", "mysql://h/d", "the embedded API's database cannot be used"),
    ],
)
async def test_settings_that_cannot_be_used(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    """A setting that stops the start is told with what to do, and no trace."""
    async with process(tmp_path, **{name: value}) as service:
        assert await service.end() == 1
    assert "Error: " in service.text
    assert words in service.text
    assert "Traceback" not in service.text


async def test_state_folder_that_cannot_be(tmp_path: Path) -> None:
    """A state folder below a file is no folder."""
    (tmp_path / "file").touch()
    async with process(tmp_path, FASTAGI_STATE_DIR=str(tmp_path / "file" / "x")) as service:
        assert await service.end() == 1
    assert service.text == f"Error: FASTAGI_STATE_DIR: {tmp_path / 'file'} is not a folder\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_state_folder_that_is_not_writable(tmp_path: Path) -> None:
    """A folder of somebody else is said to be one."""
    (tmp_path / "state").mkdir(mode=0o500)
    async with process(tmp_path) as service:
        assert await service.end() == 1
    assert service.text == f"Error: FASTAGI_STATE_DIR: {tmp_path / 'state'} is not writable\n"


@pytest.mark.parametrize("name", ["outbox.sqlite3", "sge.sqlite3"])
async def test_damaged_files(tmp_path: Path, name: str) -> None:
    """A database that is none stops the start in words; nothing is overwritten."""
    (tmp_path / "state").mkdir()
    damaged = tmp_path / "state" / name
    damaged.write_bytes(b"this is no database, however long you look" * 10)
    async with process(tmp_path) as service:
        assert await service.end() == 1
    assert "file is not a database" in service.text
    assert "Traceback" not in service.text
    assert damaged.read_bytes().startswith(b"this is no database")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT")
async def test_workers(tmp_path: Path) -> None:
    """Two workers serve one address; one that is killed is replaced; SIGTERM ends them all."""
    async with (
        FakeSge() as sge,
        process(tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2") as service,
    ):
        await service.line('"listening"')
        await service.line('"listening"')
        first = workers_of(service.pid)
        assert len(first) == 2
        assert (await call(service.port)).variables["SGE_STATUS"] == "REGISTERED"
        await both_serve(service)

        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        assert json.loads(await service.line('"worker_died"'))["status"] == -9
        await service.line('"listening"')
        second = workers_of(service.pid)
        assert len(second) == 2
        assert victim not in second
        assert (await registers(service.port)).variables["SGE_STATUS"] == "REGISTERED"
        await both_serve(service)

        service.signal(signal.SIGTERM)
        assert await service.end() == 0
        assert [pid for pid in second if is_running(pid)] == []
    assert service.text.count('"stopped"') == 2


@pytest.mark.skipif(sys.platform != "linux", reason="no PR_SET_PDEATHSIG")
async def test_workers_of_a_killed_parent_end(tmp_path: Path) -> None:
    """They are killed with it: nobody is left to stop them, and none declines calls meanwhile."""
    async with (
        FakeSge() as sge,
        process(tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2") as service,
    ):
        await service.line('"listening"')
        await service.line('"listening"')
        service.signal(signal.SIGKILL)
        # The output ends when the last process that holds it has ended.
        assert await service.end() == -9
    assert '"draining"' not in service.text


async def both_serve(service: ServiceProcess) -> None:
    """Open connections until each worker has at least one."""
    workers = workers_of(service.pid)
    writers: list[asyncio.StreamWriter] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(sockets_of(worker, service.port) for worker in workers):
            writers.append((await asyncio.open_connection("127.0.0.1", service.port))[1])
    for writer in writers:
        writer.transport.abort()


def link_of(file: Path) -> str:
    """Where a link leads; nowhere when it is gone, as that of a file which was just closed."""
    try:
        return str(file.readlink())
    except FileNotFoundError:
        return ""


def sockets_of(pid: int, port: int) -> bool:
    """Whether a process has an established connection on its local port `port`."""
    inodes = {
        link.removeprefix("socket:[").removesuffix("]")
        for file in Path(f"/proc/{pid}/fd").iterdir()
        if (link := link_of(file)).startswith("socket:[")
    }
    established = "01"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        row[1].endswith(f":{port:04X}") and row[3] == established and row[9] in inodes
        for row in rows
    )


async def test_worker_that_does_not_stop_is_killed_with_the_rest(tmp_path: Path) -> None:
    """A second SIGTERM reaches every worker: none of them goes on draining."""
    async with FakeSge(behaviour=Behaviour.HANG) as sge:
        settings = {"SGE_DEADLINE_SECONDS": "60", "FASTAGI_DRAIN_SECONDS": "600"}
        async with process(
            tmp_path, SGE_API_URL=sge.url, FASTAGI_WORKERS="2", **settings
        ) as service:
            await service.line('"listening"')
            await service.line('"listening"')
            asterisk = FakeAsterisk("register", deadline=PATIENCE_SECONDS)
            async with asterisk.session("127.0.0.1", service.port):
                await sge.wait_for_requests(1, PATIENCE_SECONDS)
                service.signal(signal.SIGTERM)
                await service.line('"draining"')
                await service.line('"draining"')
                service.signal(signal.SIGTERM)
            assert await service.end() == 0
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"


def test_remote_mode_is_lean() -> None:
    """With a remote API neither FastAPI nor SQLAlchemy nor uvicorn is imported; prints the RSS."""
    program = """
import asyncio, pathlib, re, sys, tempfile
from fastagi_server.service import open_service
from fastagi_server.settings import Settings
import fastagi_server.cli, fastagi_server.running

async def main(folder):
    settings = Settings(
        _env_file=None, sge_api_url="http://127.0.0.1:9", sge_api_key="key",
        fastagi_listen="127.0.0.1:0", fastagi_state_dir=folder,
    )
    async with open_service(settings):
        status = pathlib.Path("/proc/self/status").read_text()
        print("VmRSS", re.search(r"VmRSS:\\s+(\\d+)", status)[1], "kB")

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(pathlib.Path(folder)))
heavy = {"fastapi", "sqlalchemy", "uvicorn", "starlette", "aiosqlite"}
print("heavy:", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", "")},
    )
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stdout)
    assert done.stdout.splitlines()[-1] == "heavy: []"
