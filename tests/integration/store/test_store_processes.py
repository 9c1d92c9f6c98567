"""Several processes on one database, and processes that die."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from sqlalchemy import select

from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.opening import Store, open_store
from fastagi_server.store.sqlite import SqliteConnection

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("creating_process.py")


async def start(url: str, *arguments: str) -> Process:
    """Start a process that creates calls."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), url, *arguments, stdout=PIPE, env={"PYTHONPATH": str(ROOT)}
    )


async def read_ids(process: Process, number: int) -> set[str]:
    """The next ids that a process prints."""
    assert process.stdout is not None
    return {(await process.stdout.readline()).decode().strip() for _ in range(number)}


async def kill(process: Process) -> set[str]:
    """Kill a process without warning; returns the ids that it had printed and nobody read."""
    process.kill()
    assert process.stdout is not None
    rest = (await process.stdout.read()).decode()
    await process.wait()
    # A line that was cut short was not printed as a whole, so it was not promised.
    return set(rest[: rest.rfind("\n") + 1].split())


async def recorded(store: Store) -> set[str]:
    """The ids of all calls, after a file was checked."""

    def work(connection: Connection) -> set[str]:
        if isinstance(connection, SqliteConnection):
            assert connection.command("PRAGMA integrity_check") == "ok"
        return {call_id for (call_id,) in connection.rows(select(schema.calls.c.id), {})}

    return await store.database.read(work)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 20, 100])
async def test_kill_in_the_middle_of_writes(url: str, number: int) -> None:
    """No call that a process promised is lost when it is killed, and the database stays whole."""
    process = await start(url, "a")
    promised = await read_ids(process, number)
    promised |= await kill(process)
    assert len(promised) >= number
    async with open_store(url) as store:
        assert promised <= await recorded(store)


@pytest.mark.slow
async def test_two_processes_write(url: str) -> None:
    """Two processes that begin at the same moment both write, and one survives the other."""
    first, second = await asyncio.gather(start(url, "a"), start(url, "b"))
    promised = set[str]().union(*await asyncio.gather(read_ids(first, 20), read_ids(second, 20)))
    promised |= await kill(first)
    promised |= await read_ids(second, 20)
    promised |= await kill(second)
    async with open_store(url) as store:
        assert promised <= await recorded(store)


@pytest.mark.slow
async def test_one_key_in_many_processes(url: str) -> None:
    """Processes that create under one key at the same moment all get the one call."""
    processes = await asyncio.gather(*(start(url, f"call-{n}", "key") for n in range(6)))
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    ids = {output[0].decode().strip() for output in outputs}
    assert [process.returncode for process in processes] == [0] * 6
    assert len(ids) == 1
    async with open_store(url) as store:
        assert await recorded(store) == ids
