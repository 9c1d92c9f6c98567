"""Requests that nobody would think of, made from the description of the API."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastagi_server.http import HttpServer
from fastagi_server.identities.identity import Scope
from fastagi_server.store.opening import Store

EXAMPLES = 20
"""Random requests to each operation and phase; the boundary cases come besides."""

PROGRAM = Path(sys.executable).with_name("schemathesis")


async def explore(url: str, key: str, folder: Path) -> tuple[int | None, str]:
    """Exit code and report of a run with every check, always of the same requests."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        "run",
        f"{url}/openapi.json",
        "--checks=all",
        f"--header=X-API-Key: {key}",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--continue-on-failure",
        "--no-color",
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent),
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        report, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, report.decode()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_nothing_is_found(app: FastAPI, store: Store, tmp_path: Path) -> None:
    """Whatever is sent to the running service, it answers as its description says."""
    asyncio.get_running_loop().set_debug(False)  # it triples the time of a thousand requests
    operations = sum(map(len, app.openapi()["paths"].values()))
    # alice is the member that the description shows by example
    key = await store.api_keys.add("alice", frozenset(Scope))
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        try:
            host, port = server.address
            code, report = await explore(f"http://{host}:{port}", key, tmp_path)
        finally:
            server.stop()
            await running
    assert code == 0, report
    assert f"Tested: {operations}\n" in report
