"""The service as a process: what it tells of calls, whatever becomes of it meanwhile."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import open_store
from tests.integration.events.hooks import Hook, open_hook
from tests.integration.service_process import ROOT, ServiceProcess, process

KEY = "k" * 32


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A target."""
    async with open_hook() as hook:
        yield hook


@asynccontextmanager
async def service(folder: Path, hook: Hook) -> AsyncGenerator[tuple[ServiceProcess, str]]:
    """The service, telling the hook of calls, and the address of its API."""
    async with process(
        folder, SGE_API_KEY=KEY, SGE_WEBHOOK_URL=hook.url, SGE_WEBHOOK_SECRET="secret"
    ) as running:
        line = json.loads(await running.line("api_listening"))
        yield running, f"http://{line['address']}"


async def make_calls(url: str, names: list[str]) -> list[str]:
    """Ids of new calls, each answered by the service."""
    ids: list[str] = []
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": KEY}) as client:
        for name in names:
            body = {"participants": [name], "call_type": "audio"}
            body["metadata"] = {"asterisk_unique_id": name, "asterisk_system": "pbx"}  # type: ignore[assignment]
            answer = await client.post("/api/v1/voip/calls", json=body)
            assert answer.status_code in {200, 201}, answer.text
            ids.append(answer.json()["id"])
    return ids


async def gather(hook: Hook, wanted: set[str]) -> list[Any]:
    """Deliveries until all of these calls were told of."""
    found: list[Any] = []
    while wanted - {each["call"] for each in found}:
        found.append(await hook.event())
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_killed_service_loses_no_delivery(tmp_path: Path, hook: Hook) -> None:
    """What was accepted before a kill -9 in mid-delivery is told by the next process."""
    async with service(tmp_path, hook) as (running, url):
        before = await make_calls(url, ["a", "b"])
        await gather(hook, set(before))
        hook.answer = None  # from here on the target takes nothing
        ids = await make_calls(url, ["c", "d", "e"])
        await hook.got.get()
        os.kill(running.pid, signal.SIGKILL)
        await running.end()
    hook.refuse(200)
    hook.got = asyncio.Queue()
    async with service(tmp_path, hook) as (running, url):
        told = await gather(hook, set(ids))
        later = await make_calls(url, ["f"])
        await gather(hook, set(later))
        running.signal(signal.SIGTERM)
        assert await running.end() == 0
    assert {each["type"] for each in told} == {"call.created"}


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_hanging_target_slows_no_call(tmp_path: Path, hook: Hook) -> None:
    """Calls are answered while every delivery hangs; and the service stops in order."""
    hook.answer = None
    async with service(tmp_path, hook) as (running, url):
        assert len(await make_calls(url, [str(number) for number in range(50)])) == 50
        running.signal(signal.SIGTERM)
        assert await running.end() == 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def listen_to_interrupts() -> None:
    """Undo what a shell does to what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def test_the_command_follows_the_stream(tmp_path: Path, hook: Hook) -> None:
    """`events` prints what happens as JSON lines, and ends cleanly with Ctrl-C."""
    key_file = tmp_path / "operator.key"
    (tmp_path / "state").mkdir()
    async with open_store(f"sqlite:///{tmp_path / 'state' / 'sge.sqlite3'}") as store:
        key_file.write_text(await store.api_keys.add("operator", frozenset({Scope.OPERATOR})))
    async with service(tmp_path, hook) as (_, url):
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fastagi_server", "events", "--url", url),
            *("--key-file", str(key_file), "--type", "call.*", "--after", "old-1"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=listen_to_interrupts,
        )
        assert command.stdout is not None
        assert json.loads(await command.stdout.readline())["type"] == "stream.gap"
        (call_id,) = await make_calls(url, ["a"])
        event = json.loads(await command.stdout.readline())
        assert (event["type"], event["call"]) == ("call.created", call_id)
        command.send_signal(signal.SIGINT)
        _, errors = await command.communicate()
        assert (command.returncode, errors) == (130, b"")


async def test_the_command_says_what_is_wrong(tmp_path: Path, hook: Hook) -> None:
    """Without a credential it ends with the service's own words."""
    async with service(tmp_path, hook) as (_, url):
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fastagi_server", "events", "--url", url),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await command.communicate()
        assert command.returncode == 1
        assert b"status 401" in errors
