"""Several processes, and processes that are killed: what was acknowledged is there."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.telemetry.measures import Measures

PROGRAM = Path(__file__).with_name("appending_process.py")
ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(*arguments: object) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The program, killed at the end if it still runs."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def lines(running: asyncio.subprocess.Process, count: int) -> list[str]:
    """The next lines it prints."""
    assert running.stdout is not None
    return [(await running.stdout.readline()).decode().strip() for _ in range(count)]


async def rest(running: asyncio.subprocess.Process) -> list[str]:
    """All complete lines until its end."""
    assert running.stdout is not None
    text = (await running.stdout.read()).decode()
    return text.split("\n")[:-1]


async def kept(path: Path) -> list[str]:
    """The unique ids in the outbox."""
    async with open_outbox(path, measures=Measures()) as outbox:
        letters = await outbox.pending_letters(100_000)
    return [letter.key.removeprefix("agi-pbx-") for letter in letters]


@pytest.mark.parametrize("acknowledged", [1, 50, 333])
async def test_killed_process_loses_nothing_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    """SIGKILL in the middle of appends: each one that was acknowledged is in the outbox, once."""
    path = tmp_path / "outbox.db"
    async with process(path, "p") as running:
        promised = await lines(running, acknowledged)
        running.send_signal(signal.SIGKILL)
        promised += await rest(running)
        await running.wait()
    found = await kept(path)
    assert len(found) == len(set(found))
    assert set(promised) <= set(found)
    assert len(found) - len(promised) <= 8


async def test_processes_share_an_outbox(tmp_path: Path) -> None:
    """Three processes that make the file together and append at once lose nothing."""
    path = tmp_path / "outbox.db"
    async with process(path, "a") as a, process(path, "b") as b, process(path, "c") as c:
        promised = [line for one in (a, b, c) for line in await lines(one, 100)]
    assert len(promised) == 300
    assert set(promised) <= set(await kept(path))


async def test_leadership_passes_on_when_its_holder_is_killed(tmp_path: Path) -> None:
    """A killed leader leaves no lock behind."""
    path = tmp_path / "outbox.db"
    async with process(path, "a", "leads") as first:
        assert await lines(first, 1) == ["leading"]
        async with process(path, "b", "leads") as second:
            waiting = asyncio.create_task(lines(second, 1))
            first.send_signal(signal.SIGKILL)
            assert await waiting == ["leading"]
